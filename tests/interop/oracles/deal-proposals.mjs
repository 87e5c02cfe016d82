// Random storage deal proposals with everything that follows from them, by implementations that share no code with ours.
// usage: deal-proposals.mjs SEED COUNT > cases.json
//
// Addresses, keys in lotus' export form and signatures: iso-filecoin (@noble/curves); each signature is made again, and
// recovered, with npm secp256k1. CBOR: @ipld/dag-cbor. Hashes: @noble/hashes. CIDs: multiformats.
import { createHash } from 'node:crypto'
import { encode } from '@ipld/dag-cbor'
import { blake2b } from '@noble/hashes/blake2b'
import * as Address from 'iso-filecoin/address'
import * as Wallet from 'iso-filecoin/wallet'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import secp256k1 from 'secp256k1'

const [seed, count] = [process.argv[2], Number(process.argv[3])]
const sha256 = bytes => new Uint8Array(createHash('sha256').update(bytes).digest())
const blake256 = bytes => blake2b(bytes, { dkLen: 32 })
const hex = bytes => Buffer.from(bytes).toString('hex')
const base64 = bytes => Buffer.from(bytes).toString('base64')

// SHA-256 of seed and counter: the same cases on every machine.
let counter = 0
const random = size => {
  const blocks = []
  for (let have = 0; have < size; have += 32) blocks.push(sha256(`${seed} ${counter++}`))
  return new Uint8Array(Buffer.concat(blocks).subarray(0, size))
}
const number = limit => Number(Buffer.from(random(6)).readUIntBE(0, 6) % limit)
const pick = list => list[number(list.length)]
const big = bits => BigInt(`0x0${hex(random(Math.ceil(bits / 8)))}`) >> BigInt(-bits & 7)
// Of every length of encoding.
const amount = () => pick([0n, big(7), big(8), big(16), big(63), big(64), big(90)])
const bigInt = value => {
  if (value === 0n) return new Uint8Array()
  const text = value.toString(16)
  return new Uint8Array(Buffer.from(`00${text.length % 2 ? '0' : ''}${text}`, 'hex'))
}
const letters = [...'abcXYZ019 -_./ßщ日本🗄️']
const label = () => {
  if (number(4) === 0) return random(number(257))
  const wanted = pick([0, 1, 23, 24, 59, 100, 255, 256])
  let text = ''
  for (let letter = pick(letters); Buffer.byteLength(text + letter) <= wanted; letter = pick(letters)) text += letter
  return text + 'x'.repeat(wanted - Buffer.byteLength(text))
}
const dagCborCid = (code, digest) => CID.createV1(0x71, Digest.create(code, digest)).toString()

function makeCase() {
  const key = random(32)
  const network = pick(['mainnet', 'testnet'])
  const account = Wallet.accountFromPrivateKey(key, 'SECP256K1', network)
  const clientId = Address.from(`${network === 'mainnet' ? 'f' : 't'}0${number(2 ** pick([7, 14, 30, 47])) + 100}`, network)
  const provider = Address.from(`${network === 'mainnet' ? 'f' : 't'}0${number(2 ** pick([7, 14, 30])) + 1000}`, network)
  const usesId = number(3) === 0
  const root = random(32)
  root[31] &= 0x3f
  const pieceCid = CID.createV1(0xf101, Digest.create(0x1012, root))
  const start = pick([1, 23, 24, 255, 256, 65535, 65536, 5000000, 4294967295, 4294967296]) + number(1000)
  const fields = {
    pieceCid,
    padded: 2 ** (7 + number(30)),
    verified: number(2) === 1,
    label: label(),
    start,
    end: start + 518400 + number(3680640 - 518400),
    price: amount(),
    providerCollateral: amount(),
    clientCollateral: amount(),
  }
  const proposalOf = (client) => [fields.pieceCid, fields.padded, fields.verified, client.toBytes(), provider.toBytes(),
    fields.label, fields.start, fields.end, bigInt(fields.price), bigInt(fields.providerCollateral),
    bigInt(fields.clientCollateral)]
  const proposal = proposalOf(usesId ? clientId : account.address)
  const bytes = encode(proposal)
  const typed = sign(account, key, bytes)
  const signedBytes = encode([proposal, typed])
  const minute = new Date(60000 * number(2 ** 26)).toISOString().replace(/:\d\d\.\d+Z$/, ':00Z')
  const path = `/market/mk20/${pick(['deal', 'status/01ARZ3NDEKTSV4RRFFQ69G5FAV', 'uploads/finalize/x'])}`
  const method = pick(['GET', 'POST', 'PUT'])
  const authDigest = sha256(Buffer.concat([account.address.toBytes(), Buffer.from(method + path + minute)]))
  return {
    lotus_key: Wallet.accountToLotus(account), network, client: account.address.toString(),
    client_id: clientId.toString(), uses_id: usesId, provider: provider.toString(),
    piece_cid: pieceCid.toString(), padded_bytes: fields.padded, is_verified: fields.verified,
    label_hex: hex(typeof fields.label === 'string' ? Buffer.from(fields.label) : fields.label),
    label_is_text: typeof fields.label === 'string', start_epoch: fields.start, end_epoch: fields.end,
    price: String(fields.price), provider_collateral: String(fields.providerCollateral),
    client_collateral: String(fields.clientCollateral),
    proposal_hex: hex(bytes), proposal_cid: dagCborCid(0xb220, blake256(bytes)),
    onchain_cid: dagCborCid(0xb220, blake256(encode(proposalOf(clientId)))),
    signed_hex: hex(signedBytes), signed_cid: dagCborCid(0x12, sha256(signedBytes)),
    method, path, unix_time_s: Date.parse(minute) / 1000 + number(60),
    authorization: `CurioAuth secp256k1:${base64(account.address.toBytes())}:${base64(sign(account, key, authDigest))}`,
  }
}

// Type 1, R, S, V; the same from both implementations.
function sign(account, key, message) {
  const data = Wallet.sign(key, 'SECP256K1', message).data
  const { signature, recid } = secp256k1.ecdsaSign(blake256(message), key)
  const again = Uint8Array.of(...signature, recid)
  if (hex(data) !== hex(again)) throw new Error(`signatures differ: ${hex(data)} ${hex(again)}`)
  const recovered = secp256k1.ecdsaRecover(signature, recid, blake256(message), false)
  const address = Address.fromPublicKey(recovered, account.address.network, 'SECP256K1')
  if (address.toString() !== account.address.toString()) throw new Error('recovers another address')
  return Uint8Array.of(1, ...data)
}

console.log(JSON.stringify(Array.from({ length: count }, makeCase)))
