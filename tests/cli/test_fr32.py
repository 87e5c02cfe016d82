#!/usr/bin/env python3
"""piecework fr32: the padding of FR32 against a reference in a few lines, and back again."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

SIZES = (127, 254, 1016, 1016 * 1024, 127 * 9001)


def reference_fr32(payload):
    """127 bytes, read as 1016 bits from the least significant on, become four 254-bit numbers in 32 bytes each."""
    import commp_ref
    return b"".join(b"".join(commp_ref.fr32(payload[i:i + 127])) for i in range(0, len(payload), 127))


class Fr32(harness.TestCase):
    def test_pads_as_the_reference_does(self):
        for size in SIZES:
            with self.subTest(size=size):
                payload = harness.payload("fr32", size)
                self.assertEqual(self.check(harness.run("fr32", stdin=payload), 0).out, reference_fr32(payload))

    def test_unpads(self):
        for size in SIZES:
            with self.subTest(size=size):
                payload = harness.payload("fr32", size)
                finished = self.check(harness.run("fr32", "--unpad", stdin=reference_fr32(payload)), 0)
                self.assertEqual(finished.out, payload)

    def test_every_variant(self):
        payload = harness.payload("fr32", SIZES[-1])
        want = reference_fr32(payload)
        for variant in harness.supported_variants("fr32"):
            with self.subTest(variant=variant):
                finished = harness.run("fr32", stdin=payload, env={"PIECEWORK_FORCE_VARIANT": f"fr32={variant}"})
                self.assertEqual(self.check(finished, 0).out, want)

    def test_unpad_refuses_what_is_not_fr32(self):
        good = reference_fr32(harness.payload("fr32", 127))
        top_bits_set = bytes(good[:31]) + b"\xff" + good[32:]
        for bad in (good[:-1], top_bits_set):
            with self.subTest(length=len(bad)):
                self.check(harness.run("fr32", "--unpad", stdin=bad), 65)


if __name__ == "__main__":
    harness.main()
