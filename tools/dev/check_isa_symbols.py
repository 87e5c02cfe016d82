#!/usr/bin/env python3
"""Fails where an object compiled for an instruction set defines a weak or unexpected global symbol.

A file compiled with -mavx512f that instantiates a std:: template emits it as a weak symbol with AVX-512 code inside;
the linker may pick that copy for the whole program, which then dies on older CPUs. So objects of files named *_shani,
*_avx2 and *_avx512 may define strong functions of piecework::kernels whose name ends in the instruction set, and
nothing else.

Usage: check_isa_symbols.py ARCHIVE_OR_OBJECT...   (archives are read member by member with nm)
Exit code: 0 clean, 1 a symbol is wrong, 2 nothing to check was found.
"""
import re
import subprocess
import sys

ISA_MEMBER = re.compile(r"_(shani|avx2|avx512)\.cc\.o(?:bj)?$")
LOCAL_TYPES = set("tbdrnpi") | {"U", "a"}  # lower case: local; U: undefined (resolved elsewhere)


def symbols(path):
    """Yields (member, type, demangled name) of every symbol in the object or archive."""
    text = subprocess.run(["nm", "-C", "--print-file-name", path], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        # "archive:member:0000 T name", or "object:... T name" for a plain object
        match = re.match(r"^(.*?):\s*(?:[0-9a-f]{8,})?\s*([A-Za-z?])\s(.*)$", line)
        if match:
            yield match.group(1).rsplit(":", 1)[-1], match.group(2), match.group(3)


def problems(path):
    """Returns (number of instruction-set objects seen, list of messages)."""
    seen, found = set(), []
    for member, kind, name in symbols(path):
        isa = ISA_MEMBER.search(member)
        if not isa:
            continue
        seen.add(member)
        expected = re.match(rf"piecework::kernels::\w+_{isa.group(1)}\(", name)
        if kind in LOCAL_TYPES or (kind == "T" and expected):
            continue
        found.append(f"{member}: symbol of type {kind}: {name}")
    return len(seen), found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    checked, found = 0, []
    for path in sys.argv[1:]:
        count, messages = problems(path)
        checked += count
        found += messages
    for message in found:
        print(message, file=sys.stderr)
    if checked == 0:
        print("no object of an instruction set found", file=sys.stderr)
        sys.exit(2)
    print(f"{checked} objects, {len(found)} wrong symbols")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
