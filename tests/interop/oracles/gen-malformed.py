#!/usr/bin/env python3
"""Builds vectors/malformed/*.car (+ flatfs, podsi, cid cases) and MANIFEST.json. expect: reject | reject-on-restore | accept | policy"""
import os,sys,json,hashlib
from unixfs_ref import uv,bfield,vfield,cidstr,B
OUT=os.path.join(os.path.dirname(os.path.abspath(__file__)),'../../vectors/malformed')
M=[]
def sha(b): return b'\x12\x20'+hashlib.sha256(b).digest()
def c1(codec,b): return b'\x01'+uv(codec)+sha(b)
def cb(maj,n):
    if n<24:return bytes([maj<<5|n])
    if n<256:return bytes([maj<<5|24,n])
    if n<65536:return bytes([maj<<5|25])+n.to_bytes(2,'big')
    return bytes([maj<<5|26])+n.to_bytes(4,'big')
def link(c): return b'\xd8\x2a'+cb(2,len(c)+1)+b'\0'+c
def hdr(roots,ver=b'\x01'):
    return b'\xa2\x65roots'+cb(4,len(roots))+b''.join(link(r) for r in roots)+b'\x67version'+ver
def sec(c,b): return uv(len(c)+len(b))+c+b
def car(h,*secs): return uv(len(h))+h+b''.join(secs)
def w(name,data,expect,why,kind='car'):
    open(os.path.join(OUT,name),'wb').write(data);M.append(dict(file=name,kind=kind,expect=expect,why=why,bytes=len(data)))
R=b'hello malformed\n';rc=c1(0x55,R);R2=b'second block\n';rc2=c1(0x55,R2)
good=car(hdr([rc]),sec(rc,R),sec(rc2,R2))
w('00-control-good.car',good,'accept','control: one raw root, two blocks')
# --- framing / varint
w('01-empty-file.car',b'','reject','zero-byte file')
w('02-truncated-header.car',good[:20],'reject','EOF inside header')
w('03-truncated-section-len.car',car(hdr([rc]),sec(rc,R))+b'\x80','reject','EOF inside a section length varint')
w('04-truncated-cid.car',good[:len(uv(len(hdr([rc])))+hdr([rc]))+12],'reject','EOF inside section CID')
w('05-truncated-block.car',good[:-3],'reject','EOF inside last block')
w('06-header-varint-overflow.car',b'\xff'*10+b'\x01'+hdr([rc]),'reject','header length varint > 9 bytes / overflows uint64')
w('07-section-varint-overflow.car',car(hdr([rc]))+b'\xff'*9+b'\x02','reject','section length varint = 10 bytes, overflows 63 bits')
w('08-section-varint-nonminimal.car',car(hdr([rc]))+bytes([(len(rc)+len(R))|0x80,0x00])+rc+R,'reject','section length encoded with superfluous byte (unsigned-varint spec: must be minimal; go-varint ErrNotMinimal)')
w('09-header-varint-nonminimal.car',bytes([len(hdr([rc]))|0x80,0x00])+hdr([rc])+sec(rc,R),'reject','header length encoded non-minimally')
w('10-section-len-huge.car',car(hdr([rc]))+uv(1<<40)+rc+R,'reject','section length 1 TiB: must be refused before allocating (GHSA-9x4h-8wgm-8xfg)')
w('11-header-len-huge.car',uv(1<<40)+hdr([rc]),'reject','header length 1 TiB: must be refused before allocating (GHSA-9x4h-8wgm-8xfg)')
w('12-zero-length-section.car',car(hdr([rc]),sec(rc,R))+b'\x00'+sec(rc2,R2),'reject','zero-length section in the middle (only null-padding mode may treat it as EOF)')
w('13-zero-padding-tail.car',car(hdr([rc]),sec(rc,R))+bytes(64),'policy','trailing NUL padding (piece padding): reject by default, accept only in explicit zero-as-EOF mode')
w('14-section-shorter-than-cid.car',car(hdr([rc]))+uv(10)+rc[:10],'reject','section length smaller than its CID')
w('15-zero-length-header.car',b'\x00'+sec(rc,R),'reject','header length 0')
w('16-block-9MiB.car',b'','policy','raw block of 9 MiB (over go-car 8 MiB section default; over 2 MiB bitswap limit) - generated: see note')
big=bytes(9<<20);bc=c1(0x55,big);open(os.path.join(OUT,'16-block-9MiB.car.recipe.txt'),'w').write('car(hdr([cid]), sec(cid, 9 MiB of 0x00)); not stored because of size; run gen-malformed.py --big\n')
if '--big' in sys.argv: open(os.path.join(OUT,'16-block-9MiB.car'),'wb').write(car(hdr([bc]),sec(bc,big)))
else: os.unlink(os.path.join(OUT,'16-block-9MiB.car'));M[-1]['file']='16-block-9MiB.car.recipe.txt'
# --- header cbor
w('20-header-version-0.car',car(hdr([rc],b'\x00'),sec(rc,R)),'reject','header version 0')
w('21-header-version-2-in-v1.car',car(hdr([rc],b'\x02'),sec(rc,R)),'reject','version 2 with roots is neither CARv1 nor the CARv2 pragma')
w('22-header-version-float.car',car(hdr([rc],b'\xfb\x3f\xf0'+bytes(6)),sec(rc,R)),'reject','version is float 1.0')
w('23-header-version-nonminimal.car',car(hdr([rc],b'\x18\x01'),sec(rc,R)),'reject','version int encoded as 0x18 0x01 (not canonical)')
h=b'\xa2\x67version\x01\x65roots\x81'+link(rc);w('24-header-keys-unsorted.car',car(h,sec(rc,R)),'reject','map keys not in dag-cbor order (roots must precede version); lenient decoders accept')
h=b'\xa3\x65extra\x00'+hdr([rc])[1:];w('25-header-extra-key.car',car(h,sec(rc,R)),'reject','extra key in header')
h=b'\xa2\x65roots\x81'+link(rc)+b'\x65roots\x81'+link(rc);w('26-header-dup-key.car',car(h,sec(rc,R)),'reject','duplicate key, no version')
h=b'\xa1\x67version\x01';w('27-header-no-roots.car',car(h,sec(rc,R)),'reject','roots missing')
w('28-header-empty-roots.car',car(hdr([]),sec(rc,R)),'policy','roots = [] (go-car, js-car read it; spec says one or more)')
h=b'\xbf\x65roots\x81'+link(rc)+b'\x67version\x01\xff';w('29-header-indefinite-map.car',car(h,sec(rc,R)),'reject','indefinite-length map')
h=b'\xa2\x65roots\x81'+cb(2,len(rc))+rc+b'\x67version\x01';w('30-header-root-not-tag42.car',car(h,sec(rc,R)),'reject','root is a plain byte string, not tag 42')
h=b'\xa2\x65roots\x81\xd8\x2a'+cb(2,len(rc))+rc+b'\x67version\x01';w('31-header-root-no-00-prefix.car',car(h,sec(rc,R)),'reject','tag-42 bytes lack the 0x00 multibase identity prefix')
w('32-header-trailing-bytes.car',car(hdr([rc])+b'\x00',sec(rc,R)),'reject','extra byte after the CBOR object inside the header block')
h=b'\xa2\x65roots\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x67version\x01';w('33-header-roots-2e64.car',car(h),'reject','array length 2^64-1: must not preallocate')
h=b'\x81'*5000;w('34-header-deep-nesting.car',car(h),'reject','5000 nested arrays (CVE-2026-42328 class: unbounded recursion)')
h=b'\xa2\x65roots\x81'+b'\xd8\x2a'+cb(2,5)+b'\0\x01\x55\x12\x20'+b'\x67version\x01';w('35-header-root-truncated-cid.car',car(h),'reject','root CID truncated (digest missing)')
h=b'\xa2\x65roots\x81'+link(rc+b'\x00')+b'\x67version\x01';w('36-header-root-trailing-byte.car',car(h,sec(rc,R)),'reject','root CID has a trailing byte')
# --- CIDs
w('40-cid-version-2.car',car(hdr([rc]),sec(b'\x02'+rc[1:],R)),'reject','section CID version 2')
w('41-cid-version-0-explicit.car',car(hdr([rc]),sec(b'\x00'+rc[1:],R)),'reject','CIDv1 layout with version byte 0')
w('42-cidv0-short.car',car(hdr([rc]),uv(20)+b'\x12\x20'+bytes(18)),'reject','CIDv0 prefix 12 20 with only 18 digest bytes in section (go-car OOB panic class)')
w('43-cid-digest-len-huge.car',car(hdr([rc]),uv(40)+b'\x01\x55\x12'+uv(1<<35)+bytes(31)),'reject','multihash length 2^35')
w('44-cid-digest-len-mismatch.car',car(hdr([rc]),sec(b'\x01\x55\x12\x14'+hashlib.sha256(R).digest()[:20],R)),'reject','sha2-256 truncated to 20 bytes: digest length must equal 32 (policy: refuse truncated sha2-256)')
w('45-cid-unknown-hash.car',car(hdr([rc]),sec(b'\x01\x55'+uv(0x3fff00)+b'\x04abcd',R)),'reject','unknown multihash code: cannot be verified')
w('46-cid-varint-nonminimal.car',car(hdr([rc]),sec(b'\x81\x00\x55'+sha(R),R)),'reject','CID version varint non-minimal')
w('47-cid-identity.car',car(hdr([b'\x01\x55\x00\x05hello']),sec(rc,R)),'accept','identity root CID: data is inside the CID, no block needed')
w('48-cid-identity-mismatch.car',car(hdr([rc]),sec(rc,R),sec(b'\x01\x55\x00\x05hello',b'hellO')),'reject','identity CID whose block differs from its digest')
w('49-cid-identity-huge.car',car(hdr([b'\x01\x55\x00'+uv(200)+bytes(200)]),sec(rc,R)),'policy','identity digest of 200 bytes (boxo verifcid limit is 128)')
# --- hashes
w('50-hash-mismatch.car',car(hdr([rc]),sec(rc,R[:-1]+b'X')),'reject','block bytes do not hash to CID')
w('51-hash-mismatch-second.car',car(hdr([rc]),sec(rc,R),sec(rc2,R2+b'!')),'reject','second block corrupted')
w('52-root-missing.car',car(hdr([rc2]),sec(rc,R)),'reject','root block absent from CAR')
w('53-dup-blocks.car',car(hdr([rc]),sec(rc,R),sec(rc,R)),'accept','duplicate identical section (allowed; dedupe)')
w('54-dup-blocks-conflict.car',car(hdr([rc]),sec(rc,R),sec(rc,R2)),'reject','same CID, second copy has other bytes')
w('55-two-roots.car',car(hdr([rc,rc2]),sec(rc,R),sec(rc2,R2)),'accept','two roots')
w('56-dup-roots.car',car(hdr([rc,rc]),sec(rc,R)),'policy','same root twice')
w('57-no-blocks.car',car(hdr([rc])),'reject','valid header, no blocks, root missing')
# --- dag-pb / unixfs
def put(bl,b,codec=0x70): c=c1(codec,b);bl.append((c,b));return c
def pb(links,data): return b''.join(bfield(2,bfield(1,c)+(bfield(2,n) if n is not None else b'')+(vfield(3,t) if t is not None else b'')) for c,n,t in links)+(bfield(1,data) if data is not None else b'')
def dagcar(name,build,expect,why):
    bl=[];root=build(bl);w(name,car(hdr([root]),*[sec(c,b) for c,b in reversed(bl)]),expect,why)
leaf=lambda bl:put(bl,b'payload\n',0x55)
D=vfield(1,1)
def named(n,extra=()):
    def f(bl): c=leaf(bl);return put(bl,pb([(c,n,8)]+[(c,x,8) for x in extra],D))
    return f
dagcar('60-name-dotdot.car',named(b'..'),'reject-on-restore','directory entry named ".."')
dagcar('61-name-dot.car',named(b'.'),'reject-on-restore','directory entry named "."')
dagcar('62-name-slash.car',named(b'../../evil.txt'),'reject-on-restore','entry "../../evil.txt" (CVE-2020-26279 class)')
dagcar('63-name-absolute.car',named(b'/etc/evil'),'reject-on-restore','entry "/etc/evil"')
dagcar('64-name-nul.car',named(b'a\0b'),'reject-on-restore','entry with NUL')
dagcar('65-name-empty.car',named(b''),'reject-on-restore','directory entry with empty name')
dagcar('66-name-too-long.car',named(b'n'*4096),'reject-on-restore','4096-byte name (> NAME_MAX 255)')
dagcar('67-name-bad-utf8.car',named(b'\xff\xfe'),'policy','entry name not UTF-8')
dagcar('68-dup-names.car',lambda bl:(lambda a,b:put(bl,pb([(a,b'x',8),(b,b'x',6)],D)))(leaf(bl),put(bl,b'other\n',0x55)),'reject-on-restore','two entries with the same name (spec: decoder MUST fail / readers take first)')
dagcar('69-links-unsorted.car',named(b'b',[b'a']),'accept','unsorted directory links: decoders must accept')
def symesc(bl):
    s=put(bl,pb([],vfield(1,4)+bfield(2,b'/tmp')));c=leaf(bl);d=put(bl,pb([(c,b'pwn',8)],D))
    return put(bl,pb([(d,b'a',70),(s,b'a',14)],D))
dagcar('70-symlink-then-dir-same-name.car',symesc,'reject-on-restore','symlink "a"->/tmp and directory "a" with file: write-through-symlink attempt')
dagcar('71-symlink-escape.car',lambda bl:put(bl,pb([(put(bl,pb([],vfield(1,4)+bfield(2,b'../../../../etc/passwd'))),b'l',32)],D)),'policy','symlink target escapes the restore root: create only with explicit opt-in')
dagcar('72-symlink-nul.car',lambda bl:put(bl,pb([(put(bl,pb([],vfield(1,4)+bfield(2,b'a\0b'))),b'l',14)],D)),'reject-on-restore','symlink target with NUL')
dagcar('73-symlink-with-links.car',lambda bl:put(bl,pb([(leaf(bl),b'',8)],vfield(1,4)+bfield(2,b'x'))),'reject','symlink node with child links')
F=lambda fs,bs,data=None:vfield(1,2)+(bfield(2,data) if data is not None else b'')+vfield(3,fs)+b''.join(vfield(4,x) for x in bs)
dagcar('80-blocksizes-count.car',lambda bl:put(bl,pb([(leaf(bl),b'',8)],F(8,[4,4]))),'reject','blocksizes has 2 entries, Links has 1')
dagcar('81-filesize-mismatch.car',lambda bl:put(bl,pb([(leaf(bl),b'',8)],F(99,[8]))),'reject','filesize 99 != sum(blocksizes) 8')
dagcar('82-blocksize-lie.car',lambda bl:put(bl,pb([(leaf(bl),b'',8)],F(7,[7]))),'reject','blocksizes/filesize consistent with each other but not with the leaf (8 bytes)')
dagcar('83-filesize-2e63.car',lambda bl:put(bl,pb([(leaf(bl),b'',8)],F(1<<63,[1<<63]))),'reject','filesize 2^63 (preallocation bomb)')
dagcar('84-file-links-to-dir.car',lambda bl:put(bl,pb([(put(bl,pb([],D)),b'',4)],F(0,[0]))),'reject','file child is a Directory')
dagcar('85-unixfs-type-missing.car',lambda bl:put(bl,pb([],vfield(3,0))),'reject','UnixFS Data without Type')
dagcar('86-unixfs-type-99.car',lambda bl:put(bl,pb([],vfield(1,99))),'reject','unknown UnixFS type 99')
dagcar('87-dagpb-no-data.car',lambda bl:put(bl,pb([(leaf(bl),b'x',8)],None)),'policy','dag-pb without Data: not UnixFS')
dagcar('88-mtime-nanos-zero.car',lambda bl:put(bl,pb([],vfield(1,2)+vfield(3,0)+bfield(8,vfield(1,5)+b'\x15\0\0\0\0'))),'reject','mtime FractionalNanoseconds = 0 on the wire (invalid by spec)')
dagcar('89-mtime-nanos-1e9.car',lambda bl:put(bl,pb([],vfield(1,2)+vfield(3,0)+bfield(8,vfield(1,5)+b'\x15'+(10**9).to_bytes(4,'little')))),'reject','mtime nanos >= 1e9')
lk=lambda c,order:bfield(2,b''.join({'h':bfield(1,c),'n':bfield(2,b'x'),'t':vfield(3,8)}[k] for k in order))
dagcar('90-pblink-out-of-order.car',lambda bl:put(bl,lk(leaf(bl),'nht')+bfield(1,D)),'reject','PBLink fields out of order')
dagcar('91-pblink-dup-field.car',lambda bl:put(bl,lk(leaf(bl),'hnnt')+bfield(1,D)),'reject','duplicate Name field in PBLink')
dagcar('92-pblink-no-hash.car',lambda bl:put(bl,bfield(2,bfield(2,b'x')+vfield(3,1))+bfield(1,D)),'reject','PBLink without Hash (CVE-2022-2584 class)')
dagcar('93-pbnode-dup-data.car',lambda bl:put(bl,bfield(1,D)+bfield(1,D)),'reject','two Data fields')
dagcar('94-pbnode-data-first.car',lambda bl:put(bl,bfield(1,D)+bfield(2,bfield(1,leaf(bl))+bfield(2,b'x')+vfield(3,8))),'accept','Data before Links: decoders must accept (never emit)')
dagcar('95-pbnode-unknown-field.car',lambda bl:put(bl,bfield(1,D)+bfield(7,b'z')),'reject','unknown field 7 in PBNode')
dagcar('96-pbnode-links-split.car',lambda bl:(lambda c:put(bl,lk(c,'hnt')+bfield(1,D)+bfield(2,bfield(1,c)+bfield(2,b'y')+vfield(3,8))))(leaf(bl)),'reject','Links, Data, Links (non-contiguous Links)')
dagcar('97-pblink-hash-not-cid.car',lambda bl:put(bl,bfield(2,bfield(1,b'\x01\x55\x12\x20abc')+bfield(2,b'x')+vfield(3,1))+bfield(1,D)),'reject','Hash bytes are not a CID')
dagcar('98-protobuf-len-overrun.car',lambda bl:put(bl,b'\x0a\xff\xff\xff\xff\x0f'+D),'reject','length-delimited field longer than the block')
dagcar('99-protobuf-varint-11.car',lambda bl:put(bl,b'\x0a\x0c\x08'+b'\x80'*10+b'\x01'),'reject','11-byte protobuf varint')
# --- HAMT
def hm(links,bits,fan=256,ht=0x22,bf=None): return pb(links,vfield(1,5)+bfield(2,bits.to_bytes(max(1,(fan if fan<4096 else 256)//8),'big').lstrip(b'\0') if bf is None else bf)+vfield(5,ht)+vfield(6,fan))
dagcar('a0-hamt-fanout-2e31.car',lambda bl:put(bl,hm([],0,fan=1<<31)),'reject','fanout 2^31 (CVE-2023-23625 / CVE-2023-23631)')
dagcar('a1-hamt-fanout-0.car',lambda bl:put(bl,hm([],0,fan=0,bf=b'')),'reject','fanout 0')
dagcar('a2-hamt-fanout-100.car',lambda bl:put(bl,hm([],0,fan=100,bf=b'')),'reject','fanout not a power of two (CVE-2023-23626 class)')
dagcar('a3-hamt-fanout-4.car',lambda bl:put(bl,hm([],0,fan=4,bf=b'')),'reject','fanout < 8 / not multiple of 8')
dagcar('a4-hamt-hash-unknown.car',lambda bl:put(bl,hm([],0,ht=0x12)),'reject','hashType sha2-256 (only murmur3-x64-64 0x22)')
dagcar('a5-hamt-bitfield-mismatch.car',lambda bl:put(bl,hm([(leaf(bl),b'07x',8)],1<<9)),'reject','bitfield says bucket 9, link prefix 07')
dagcar('a6-hamt-prefix-lower.car',lambda bl:put(bl,hm([(leaf(bl),b'abx',8)],1<<0xab)),'policy','lower-case bucket prefix')
dagcar('a7-hamt-prefix-short.car',lambda bl:put(bl,hm([(leaf(bl),b'7',8)],1<<7)),'reject','link name shorter than the prefix width')
dagcar('a8-hamt-wrong-bucket.car',lambda bl:put(bl,hm([(leaf(bl),b'00hello.txt',8)],1)),'policy','entry sits in a bucket that does not match murmur3(name) (readers that list accept; lookups fail)')
def deep(bl):
    c=leaf(bl);n=put(bl,hm([(c,b'00deep',8)],1))
    for _ in range(40): n=put(bl,hm([(n,b'00',1)],1))
    return n
dagcar('a9-hamt-too-deep.car',deep,'reject','41 HAMT levels (64-bit hash allows at most 8 with fanout 256)')
dagcar('aa-hamt-child-not-shard.car',lambda bl:put(bl,hm([(put(bl,pb([],D)),b'00',4)],1)),'reject','prefix-only link to a Directory, not to a HAMTShard')
def bomb(bl):
    n=leaf(bl);n=put(bl,pb([(n,b'f%02d'%i,8) for i in range(50)],D))
    for k in range(9): n=put(bl,pb([(n,b'd%02d'%i,100) for i in range(50)],D))
    return n
dagcar('b0-dag-bomb.car',bomb,'reject-on-restore','~27 KB CAR expanding to 50^10 files: restore needs entry/byte/depth limits')
def fbomb(bl):
    n=put(bl,b'A'*1000,0x55);s=1000
    for k in range(10):
        n=put(bl,pb([(n,b'',s)]*100,F(s*100,[s]*100)));s*=100
        if s>=1<<62:break
    return n
dagcar('b1-file-bomb.car',fbomb,'reject-on-restore','shared-subtree file expanding past 10^18 bytes: needs byte limit')
def deepdir(bl):
    n=leaf(bl)
    for k in range(3000): n=put(bl,pb([(n,b'd',1)],D))
    return n
dagcar('b2-deep-dirs.car',deepdir,'reject-on-restore','3000 nested directories: bounded recursion / PATH_MAX')
dagcar('b3-tsize-lie.car',lambda bl:put(bl,pb([(leaf(bl),b'x',1<<62)],D)),'accept','Tsize 2^62: a hint only, must not be trusted')
dagcar('b4-missing-child.car',lambda bl:put(bl,pb([(c1(0x55,b'not here'),b'x',8)],D)),'reject','child block absent from CAR')
# --- CARv2
prag=bytes.fromhex('0aa16776657273696f6e02')
def v2(doff,dsz,ioff,payload,pre=b'',post=b'',char=bytes(16)): return prag+char+doff.to_bytes(8,'little')+dsz.to_bytes(8,'little')+ioff.to_bytes(8,'little')+pre+payload+post
w('c0-carv2-good-noindex.car',v2(51,len(good),0,good),'accept','CARv2 wrapping the control, no index')
w('c1-carv2-size-overrun.car',v2(51,len(good)+100,0,good),'reject','data size beyond EOF')
w('c2-carv2-offset-in-header.car',v2(5,len(good),0,good),'reject','data offset < 51')
w('c3-carv2-offset-overflow.car',v2((1<<64)-1,len(good),0,good),'reject','data offset 2^64-1')
w('c4-carv2-nested-v2.car',(lambda i:v2(51,len(i),0,i))(v2(51,len(good),0,good)),'reject','payload of CARv2 is a CARv2')
w('c5-carv2-short-header.car',prag+bytes(20),'reject','EOF inside the 40-byte header')
w('c6-carv2-bad-index.car',v2(51,len(good),51+len(good),good,post=b'\x81\x08'+b'\xff'*12),'policy','index claims huge bucket: ignore/rebuild indexes from untrusted files (GHSA-9x4h-8wgm-8xfg)')
# --- flatfs
def b32(b):
    import base64;return base64.b32encode(b).decode().rstrip('=')
ff=os.path.join(OUT,'flatfs');os.makedirs(ff,exist_ok=True)
def fput(root,key,data,shard=None):
    s=shard or ('_'*3+key)[-3:-1];d=os.path.join(root,s);os.makedirs(d,exist_ok=True);open(os.path.join(d,key+'.data'),'wb').write(data);return s+'/'+key+'.data'
open(os.path.join(ff,'SHARDING'),'w').write('/repo/flatfs/shard/v1/next-to-last/2\n')
F_=[]
F_.append(dict(path=fput(ff,b32(sha(R)),R),expect='accept',why='good block'))
F_.append(dict(path=fput(ff,b32(sha(b'claimed')),b'actual other bytes'),expect='reject',why='content does not hash to file name'))
F_.append(dict(path=fput(ff,b32(sha(b'torn')),b''),expect='reject',why='zero-length torn write'))
F_.append(dict(path=fput(ff,b32(sha(R2)),R2,'ZZ'),expect='policy',why='good block in wrong shard directory (flatfs would not find it)'))
F_.append(dict(path=fput(ff,b32(c1(0x55,b'old repo key')),b'old repo key'),expect='policy',why='pre-v12 repo key = whole CIDv1 bytes instead of multihash'))
F_.append(dict(path=fput(ff,b32(sha(b'x'))[:-1]+'1',b'x'),expect='reject',why="name has '1', not in base32 alphabet"))
d=os.path.join(ff,'AB');os.makedirs(d,exist_ok=True);open(os.path.join(d,'put-123456789'),'wb').write(b'temp');F_.append(dict(path='AB/put-123456789',expect='ignore',why='left-over temp file without .data'))
open(os.path.join(ff,'diskUsage.cache'),'w').write('{"diskUsage":1,"accuracy":"initial-exact"}');F_.append(dict(path='diskUsage.cache',expect='ignore',why='flatfs metadata'))
open(os.path.join(ff,'_README'),'w').write('flatfs readme\n');F_.append(dict(path='_README',expect='ignore',why='flatfs metadata'))
for i,s in enumerate(['/repo/flatfs/shard/v2/next-to-last/2','repo/flatfs','/repo/flatfs/shard/v1/next-to-last/-1','/repo/flatfs/shard/v1/hash/2','']): open(os.path.join(OUT,f'flatfs-SHARDING-bad-{i}'),'w').write(s+'\n')
json.dump(dict(cars=M,flatfs=F_),open(os.path.join(OUT,'MANIFEST.json'),'w'),indent=1)
print(len(M),'cars',len(F_),'flatfs')
