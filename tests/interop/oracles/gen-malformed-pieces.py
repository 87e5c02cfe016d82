import sys,json;import os;HERE=os.path.dirname(os.path.abspath(__file__));sys.path.insert(0,HERE)
from podsi_ref import *
from commp_ref import *
out=[]
root=ZERO[2]
def v2(dig,codec=0x55,mh=0x1011,lenov=None): return b32(b'\x01'+uvarint(codec)+uvarint(mh)+uvarint(len(dig) if lenov is None else lenov)+dig)
def add(cid,exp,why): out.append(dict(cid=cid,expect=exp,why=why))
add(v2(b'\0\x02'+root),'accept','127 zero bytes')
add(v2(b'\x7f\x02'+root),'accept','FRC-0069 empty payload (padding 127); go-fil-commcid refuses')
add(v2(uvarint(128)+b'\x02'+root),'reject','padding 128 > 127 unpadded capacity')
add(v2(uvarint(127)+b'\x03'+ZERO[3]),'reject','height 3 (254 bytes) with padding 127: payload 127 belongs in height 2')
add(v2(b'\x80\0\x02'+root),'reject','padding varint not minimal')
add(v2(b'\xff'*9+b'\x01\x02'+root),'reject','padding varint over 9 bytes')
add(v2(b'\0\x01'+ZERO[1]),'reject','height 1 (64 bytes) < minimum 128-byte piece')
add(v2(b'\0\xff'+root),'reject','height 255 (overflows 64-bit size)')
add(v2(b'\0\x02'+root[:31]),'reject','31-byte root')
add(v2(b'\0\x02'+root+b'\0'),'reject','trailing byte in digest')
add(v2(b'\0\x02'+root,lenov=35),'reject','digest length says 35, 34 present')
add(v2(b'\0\x02'+root[:31]+b'\xc0'),'reject','root has the two high bits set: not a valid 254-bit node')
add(v2(b'\0\x02'+root,codec=0xf101),'reject','codec 0xf101 with multihash 0x1011')
add(b32(b'\x01'+uvarint(0xf101)+uvarint(0x1012)+b'\x20'+root),'accept','v1')
add(b32(b'\x01'+uvarint(0x55)+uvarint(0x1012)+b'\x20'+root),'reject','v1 multihash with raw codec')
add(b32(b'\x01'+uvarint(0xf102)+uvarint(0x1012)+b'\x20'+root),'reject','sealed codec 0xf102 (CommR) is not a piece CID')
add(b32(b'\x01'+uvarint(0xf101)+uvarint(0x12)+b'\x20'+root),'reject','plain sha2-256 under 0xf101')
json.dump(out,open(HERE+'/../../vectors/malformed/piececid.json','w'),indent=1)
# PoDSI negative
A='baga6ea4seaqae5ysjdbsr4b5jhotaz5ooh62jrrdbxwygfpkkfjz44kvywycmgy:524288';B='baga6ea4seaqnrm2n2g4m23t6rs26obxjw2tjtr7tcho24gepj2naqhevytduyoa:262144'
g=build(1<<20,[A,B]);e=g['entries'][1];neg=[]
import copy
def mk(why,f,exp='reject'):
    x=copy.deepcopy(dict(piece=e['piece'],aggregate=g['v1'],aggregateSize=g['size'],subtree=e['subtree'],indexProof=e['indexProof']));f(x);x.update(expect=exp,why=why);neg.append(x)
mk('control',lambda x:None,'accept')
mk('subtree index off by one',lambda x:x['subtree'].update(index=str(int(x['subtree']['index'])+1)))
mk('index beyond tree width',lambda x:x['subtree'].update(index=str(1<<20)))
mk('index 2^64-1',lambda x:x['indexProof'].update(index=str(2**64-1)))
mk('sibling bit flip',lambda x:x['subtree']['path'].__setitem__(0,'00'+x['subtree']['path'][0][2:]))
mk('path too short (sizes differ)',lambda x:x['subtree'].update(path=x['subtree']['path'][:-1],index='0'))
mk('index proof of other entry',lambda x:x.update(indexProof=g['entries'][0]['indexProof']))
mk('wrong piece size',lambda x:x.update(piece=x['piece'].replace('262144','524288')))
mk('piece size not a power of two',lambda x:x.update(piece=x['piece'].replace('262144','262143')))
mk('64-element path',lambda x:x['subtree'].update(path=['00'*32]*64,index='0'))
mk('wrong aggregate cid',lambda x:x.update(aggregate=A.split(':')[0]))
json.dump(neg,open(HERE+'/../../vectors/malformed/podsi-negative.json','w'),indent=1)
# self check
for x in neg:
    try:
        r,ps=piece(x['piece']);assert ps&(ps-1)==0
        pr=lambda p:(int(p['index']),[bytes.fromhex(y) for y in p['path']])
        root_,sz=verify(pr(x['subtree']),pr(x['indexProof']),r,ps);ok=b32(b'\x01'+uvarint(0xf101)+uvarint(0x1012)+b'\x20'+root_)==x['aggregate'] and sz==int(x['aggregateSize'])
    except Exception: ok=False
    assert ok==(x['expect']=='accept'),x['why']
print(len(out),len(neg),'ok')
