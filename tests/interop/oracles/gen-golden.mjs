// usage: gen-golden.mjs [SET ...]   regenerates vectors/<set>; every value computed by >= 2 independent implementations (throws on mismatch).
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createHash } from 'node:crypto'
import { execFileSync } from 'node:child_process'
import { commp } from './commp.mjs'
import { detChunks } from './detrand.mjs'
import { rootOf, fileRoot } from './unixfs-root.mjs'
import { expand } from './tree.mjs'
import { writeCar } from './carlib.mjs'
import { verify } from './verify-car.mjs'
import { podsi } from './podsi.mjs'
const here = path.dirname(new URL(import.meta.url).pathname)
const py = (...a) => JSON.parse(execFileSync('python3', a, { cwd: here, maxBuffer: 1 << 28 }))
const need = (a, b, what) => { const x = JSON.stringify(a); const y = JSON.stringify(b); if (x !== y) throw new Error(`MISMATCH ${what}\n${x.slice(0, 300)}\n${y.slice(0, 300)}`) }
const pick = o => ({ size: o.size, paddedSize: o.paddedSize, height: o.height, padding: o.padding, commP: o.commP, v1: o.v1, v2: o.v2 })
async function commpVec (seed, sizes) {
  const out = []
  for (const n of sizes) {
    const a = pick(await commp(detChunks(seed, n), 'wasm')); const b = pick(await commp(detChunks(seed, n), 'js')); const c = pick(py('commp_ref.py', '--seed', seed, String(n)))
    need(a, b, `wasm/js ${n}`); need(a, c, `wasm/py ${n}`)
    const h = createHash('sha256'); for (const k of detChunks(seed, n)) h.update(k)
    out.push({ seed, ...a, payloadSha256: h.digest('hex') })
  }
  return out
}
const profiles = {
  'unixfs-v1-2025': { o: { profile: 'unixfs-v1-2025' }, p: ['--profile', 'unixfs-v1-2025'], chunk: 1 << 20, max: 1024 },
  'unixfs-v0-2015': { o: { profile: 'unixfs-v0-2015' }, p: ['--profile', 'unixfs-v0-2015'], chunk: 1 << 18, max: 174 },
  'kubo-test-cid-v1 (1MiB,174,raw,cidv1,links-bytes)': { o: { profile: 'unixfs-v1-2025', maxLinks: 174, strategy: 'links-bytes' }, p: ['--profile', 'unixfs-v1-2025', '--max-links', '174', '--strategy', 'links-bytes'], chunk: 1 << 20, max: 174 },
  'tiny (chunk 64, maxlinks 3, raw, cidv1)': { o: { profile: 'unixfs-v1-2025', chunk: 64, maxLinks: 3 }, p: ['--profile', 'unixfs-v1-2025', '--chunk', '64', '--max-links', '3'], chunk: 64, max: 3 },
  'tiny-pb (chunk 64, maxlinks 3, dag-pb leaves, cidv0)': { o: { profile: 'unixfs-v0-2015', chunk: 64, maxLinks: 3 }, p: ['--profile', 'unixfs-v0-2015', '--chunk', '64', '--max-links', '3'], chunk: 64, max: 3 }
}
async function fileVec (seed, sizesFor) {
  const out = []; const tmp = path.join(os.tmpdir(), 'gf.bin')
  for (const [name, pr] of Object.entries(profiles)) {
    for (const n of sizesFor(pr, name)) {
      const a = (await fileRoot(n ? detChunks(seed, n) : [new Uint8Array(0)], pr.o)); fs.writeFileSync(tmp, ''); for (const k of detChunks(seed, n)) fs.appendFileSync(tmp, k)
      const b = py('unixfs_ref.py', tmp, ...pr.p); need({ root: a.cid.toString(), dagSize: Number(a.size) }, b, `file ${name} ${n}`)
      out.push({ profile: name, seed, size: n, root: b.root, dagSize: b.dagSize })
    }
  }
  return out
}
async function treeVec (dir, names, keep) {
  const out = []
  for (const f of names) {
    const spec = JSON.parse(fs.readFileSync(path.join(dir, f)))
    for (const [name, pr] of Object.entries(profiles)) {
      if (name.startsWith('tiny') && !spec.tiny) continue
      const a = await rootOf(expand(spec), pr.o); const b = py('unixfs_ref.py', path.join(dir, f), ...pr.p)
      need({ root: a.cid.toString(), dagSize: Number(a.size) }, b, `tree ${f} ${name}`)
      const car = `${os.tmpdir()}/${f}.${name.split(' ')[0]}.car`; await writeCar(car, [a.cid], a.blockstore)
      const v = await verify(fs.createReadStream(car)); if (!v.ok || !v.dfsPreorder) throw new Error('car bad ' + JSON.stringify(v))
      const c = pick(await commp(fs.createReadStream(car), 'wasm')); need(c, pick(py('commp_ref.py', car)), 'car commp')
      const bytes = fs.readFileSync(car); const rec = { tree: f, profile: name, root: b.root, dagSize: b.dagSize, carDfs: { blocks: v.blocks, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), pieceV1: c.v1, pieceV2: c.v2, paddedSize: c.paddedSize } }
      if (bytes.length < 300000 && keep) { const g = `${f.replace('.spec.json', '')}.${name.split(' ')[0]}.car`; fs.copyFileSync(car, path.join(dir, g)); rec.carFile = g }
      fs.unlinkSync(car); out.push(rec)
    }
  }
  return out
}
function podsiVec (list) { return list.map(([size, pieces]) => { const a = podsi(size, pieces); need(a, py('podsi_ref.py', String(size), ...pieces), 'podsi'); return a }) }
// each set is described by vectors/<set>/config.json:
// {seed, commp:[sizes], files:{tiny:[sizes], rel:[[mul,add]..] (mul*chunk+add), rel174:[..] extra for 174-link profiles}, podsi:[[aggPadded,[payload sizes from commp]]]}
// TREE=x.spec.json env: recompute one tree spec only
const vroot = path.resolve(here, '../../vectors')
const wanted = process.argv.slice(2).length ? process.argv.slice(2) : ['public']
const sets = Object.fromEntries(wanted.map(n => [n, JSON.parse(fs.readFileSync(path.join(vroot, n, 'config.json')))]))
for (const [set, s] of Object.entries(sets)) {
  const dir = path.resolve(here, '../../vectors', set); const t = Date.now()
  const w = (f, o) => fs.writeFileSync(path.join(dir, f), JSON.stringify(o, null, 1) + '\n')
  if (process.env.TREE) { // only (re)compute one tree spec and merge it
    const old = JSON.parse(fs.readFileSync(path.join(dir, 'unixfs-trees.json'))).filter(x => x.tree !== process.env.TREE)
    const add = await treeVec(dir, [process.env.TREE], set === 'public'); w('unixfs-trees.json', [...old, ...add].sort((a, b) => a.tree < b.tree ? -1 : a.tree > b.tree ? 1 : 0)); for (const x of add) console.log(x.tree, x.profile, x.root); continue
  }
  const c = await commpVec(s.seed, s.commp); w('commp.json', c); console.log(set, 'commp', c.length, (Date.now() - t) / 1000)
  const sizesFor = (p, n) => n.startsWith('tiny') ? s.files.tiny : [...s.files.rel, ...(p.max === 174 ? s.files.rel174 : [])].map(([m, a]) => m * p.chunk + a)
  const f = await fileVec(s.seed, sizesFor); w('unixfs-files.json', f); console.log(set, 'files', f.length, (Date.now() - t) / 1000)
  const tr = await treeVec(dir, fs.readdirSync(dir).filter(x => x.endsWith('.spec.json')), set === 'public'); w('unixfs-trees.json', tr); console.log(set, 'trees', tr.length, (Date.now() - t) / 1000)
  const v2 = n => c.find(x => x.size === n).v2
  const aggs = s.podsi.map(([size, l]) => [size, l.map(v2)])
  w('podsi.json', podsiVec(aggs)); console.log(set, 'podsi ok', (Date.now() - t) / 1000)
}
