"""Reads and writes checkpoint logs (engine/FORMATS.md, "Checkpoints"), to damage and to forge them."""
import struct

HEADER, BOOT, CLASSES, ROOTS, STATE, MARK = range(1, 7)


def _make_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = i >> 1 ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


_TABLE = _make_table()


def crc32c(seed, data):
    crc = seed ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def records(log):
    """[(kind, payload)] as far as the chain holds."""
    found, at, chain = [], 0, 0
    while at + 9 <= len(log):
        length, kind = struct.unpack_from("<IB", log, at)
        end = at + 5 + length
        if end + 4 > len(log):
            break
        chain = crc32c(chain, log[at:end])
        if struct.unpack_from("<I", log, end)[0] != chain:
            break
        found.append((kind, log[at + 5:end]))
        at = end + 4
    return found


def encode(parts):
    """The log of [(kind, payload)]."""
    log, chain = b"", 0
    for kind, payload in parts:
        record = struct.pack("<IB", len(payload), kind) + payload
        chain = crc32c(chain, record)
        log += record + struct.pack("<I", chain)
    return log


def boot(boot_id, host):
    return BOOT, b"".join(struct.pack("<I", len(text)) + text for text in (boot_id, host))


def boot_of(log):
    """(boot id, host) of the last process."""
    payload = [p for kind, p in records(log) if kind == BOOT][-1]
    length = struct.unpack_from("<I", payload)[0]
    return payload[4:4 + length], payload[8 + length:]


def states(log):
    """[(number, CAR bytes, is complete)]."""
    return [(*struct.unpack_from("<QQ", p), p[32] == 1) for kind, p in records(log) if kind == STATE]


def marks(log):
    return [struct.unpack("<Q", p)[0] for kind, p in records(log) if kind == MARK]


def reboot(out):
    """Makes the logs below `out` those of another boot, as a power cut does."""
    for log in out.glob(".piecework-*.checkpoint.tmp"):
        content = log.read_bytes()
        parts = records(content)
        if not any(kind == BOOT for kind, _ in parts):
            continue
        other = boot(b"another boot", boot_of(content)[1])
        log.write_bytes(encode([other if part[0] == BOOT else part for part in parts]))
