"""Catalogues, for tests: filling them, and what they say as rows."""
import json

import harness


class Case(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.source = self.temp / "source"
        self.out = self.temp / "out"
        self.catalogue = self.temp / "a.catalogue"

    def merge(self, *flags, out=None, catalogue=None, code=0, **options):
        outs = [argument for path in (out or [self.out]) for argument in ("--out", path)]
        return self.check(harness.run("merge", *outs, "--catalogue", catalogue or self.catalogue, "--json", *flags,
                                      **options), code)

    def rebuild(self, *directories, catalogue=None, code=0, flags=()):
        return self.check(harness.run("catalogue", "rebuild", *(directories or (self.out,)), "--catalogue",
                                      catalogue or self.temp / "rebuilt.catalogue", "--json", *flags), code)

    def dump(self, catalogue=None, content_only=False):
        """What a catalogue says, as lines."""
        lines = self.check(harness.run("catalogue", "dump", catalogue or self.catalogue, "--json"), 0).out.splitlines()
        if not content_only:
            return lines
        return [line for line in lines if json.loads(line)["table"] in ("pieces", "files")]

    def files(self, catalogue=None):
        """The rows of files, symlinks and directories."""
        return [row for row in map(json.loads, self.dump(catalogue)) if row["table"] == "files"]

    def find(self, what, *flags, code=0, catalogue=None):
        finished = self.check(harness.run("find", what, "--catalogue", catalogue or self.catalogue, "--json", *flags),
                              code)
        return finished.json()["found"] if code == 0 else finished

    def check_rebuilt(self, *directories):
        """A catalogue made of the pieces alone says the same as `self.catalogue`, contents row for row."""
        rebuilt = self.temp / f"rebuilt-{len(list(self.temp.glob('rebuilt-*')))}"
        self.rebuild(*directories, catalogue=rebuilt)
        self.assertEqual(self.dump(rebuilt, content_only=True), self.dump(content_only=True))
        return rebuilt

    def check_rows(self, pieces, out=None):
        """The catalogue lists just what the tables of files beside the pieces do."""
        listed = {(row["piece_cid_v1"], row.get("path"), row.get("path_base64"), row["kind"], row["cid"],
                   row["size_bytes"]) for row in self.files() if row["kind"] in ("file", "symlink")}
        expected = {(piece["piece_cid_v1"], row.get("path"), row.get("path_base64"), row["kind"], row["cid"],
                     row["size_bytes"]) for piece in pieces for row in harness.file_rows(out or self.out, piece)
                    if row["kind"] in ("file", "symlink")}
        self.assertEqual(listed, expected)

    def check_bytes(self, pieces, path, content, first=0, last=None, **options):
        """The ranges that find names hold these bytes of a file, and no more sections of leaves than needed."""
        flags = [] if last is None else ["--range", f"{first}-{last}"]
        found = self.find(path, *flags, **options)
        last = len(content) - 1 if last is None else last
        cars = {piece["piece_cid_v1"]: piece["car"] for piece in pieces}
        covered = {}
        for piece in found[0]["pieces"]:
            with open(cars[piece["piece_cid_v1"]], "rb") as car:
                for run in piece["ranges"]:
                    if run["leaf_bytes"] == 0:
                        continue
                    at, place, left = run["car_offset_bytes"], run["file_offset_bytes"], run["file_bytes"]
                    while left > 0:
                        length = min(run["leaf_bytes"], left)
                        stride = min(run["section_bytes"], run["car_offset_bytes"] + run["car_bytes"] - at)
                        car.seek(at)
                        self.assertIn(content[place:place + length], car.read(stride))
                        covered[place] = place + length
                        at, place, left = at + stride, place + length, left - length
        at = min(covered) if covered else 0
        self.assertLessEqual(at, first)
        while at in covered:
            at = covered[at]
        if content:
            self.assertGreater(at, last)
        return found
