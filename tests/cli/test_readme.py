#!/usr/bin/env python3
"""The README's transcript is true: its sample gives the CIDs that it shows."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402


class Readme(harness.TestCase):
    def test_transcript(self):
        # What tools/dev/quickstart makes.
        entries = {f"site/page-{i}.html": b"<html><body><h1>Page %d</h1></body></html>\n" % i for i in range(1, 201)}
        entries["numbers.txt"] = b"".join(b"%d\n" % i for i in range(1, 2_500_001))
        harness.make_tree(self.temp / "sample", entries)
        piece = self.pack_one(self.temp / "sample", "--out", self.temp / "pieces")
        readme = (harness.ROOT / "README.md").read_text()
        for key in ("piece_cid_v1", "piece_cid_v2", "root_cid"):
            self.assertIn(piece[key], readme)
        self.assertIn(f"{piece['payload_bytes']} bytes", readme)
        self.assertIn(f"{piece['file_count']} files in {piece['block_count']} blocks", readme)


if __name__ == "__main__":
    harness.main()
