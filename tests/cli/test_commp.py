#!/usr/bin/env python3
"""piecework commp: golden piece CIDs from a file and from standard input, whatever the threads and kernels; errors."""
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

SOURCE_BYTES = 4161537  # spans four segments


def golden():
    vectors = json.loads((harness.VECTORS / "public/commp.json").read_text())
    return [({"piece_cid_v1": v["v1"], "piece_cid_v2": v["v2"], "payload_bytes": v["size"],
              "padded_bytes": v["paddedSize"]}, v) for v in vectors]


def facts(report):
    return {key: report[key] for key in ("piece_cid_v1", "piece_cid_v2", "payload_bytes", "padded_bytes")}


class Commp(harness.TestCase):
    def test_golden_files(self):
        for want, vector in golden():
            with self.subTest(size=vector["size"]):
                file = self.temp / "payload"
                file.write_bytes(harness.payload(vector["seed"], vector["size"]))
                self.assertEqual(facts(self.check(harness.run("commp", file, "--json"), 0).json()), want)

    def test_golden_standard_input(self):
        for want, vector in golden()[::5]:
            with self.subTest(size=vector["size"]):
                payload = harness.payload(vector["seed"], vector["size"])
                self.assertEqual(facts(self.check(harness.run("commp", "-", "--json", stdin=payload), 0).json()), want)

    def test_threads_and_variants_change_nothing(self):
        file = self.temp / "payload"
        file.write_bytes(harness.payload("threads", SOURCE_BYTES))
        want = facts(harness.run("commp", file, "--json").json())
        for threads in (1, 2, 7):
            with self.subTest(threads=threads):
                self.assertEqual(facts(harness.run("commp", file, "--json", "--threads", threads).json()), want)
        for variant in harness.supported_variants():
            with self.subTest(variant=variant):
                finished = harness.run("commp", file, "--json", env={"PIECEWORK_FORCE_VARIANT": variant})
                self.assertEqual(facts(self.check(finished, 0).json()), want)

    def test_people_get_both_piece_cids(self):
        want, vector = golden()[3]
        finished = self.check(harness.run("commp", "-", stdin=harness.payload(vector["seed"], vector["size"])), 0)
        text = (finished.out + finished.err).decode()
        self.assertIn(want["piece_cid_v1"], text)
        self.assertIn(want["piece_cid_v2"], text)

    def test_sparse_file(self):
        file = self.temp / "sparse"
        with open(file, "wb") as sparse:
            sparse.truncate(20 << 20)
            sparse.seek(11 << 20)
            sparse.write(b"island")
        from_file = facts(self.check(harness.run("commp", file, "--json"), 0).json())
        self.assertEqual(from_file, facts(harness.run("commp", "-", "--json", stdin=file.read_bytes()).json()))

    def test_missing_file(self):
        self.assertIn("no-such-file", self.check(harness.run("commp", self.temp / "no-such-file"), 66).err.decode())

    def test_unreadable_file(self):
        file = self.temp / "secret"
        file.write_bytes(b"x")
        file.chmod(0)
        os.chmod(self.temp, 0o755)
        self.assertIn(
    "secret",
    self.check(
        harness.run(
            "commp",
            file,
            wrapper=harness.unprivileged(self)),
             77).err.decode())

    def test_reader_that_goes_away(self):
        file = self.temp / "payload"
        file.write_bytes(b"x")
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = harness.subprocess.Popen([harness.BINARY, "commp", str(file), "--json"], stdout=write_end,
                                           stderr=harness.subprocess.PIPE)
        os.close(write_end)
        _, message = process.communicate(timeout=harness.TIMEOUT_S)
        self.assertGreater(process.returncode, 0, f"the result was lost, and nobody was told: {message!r}")


if __name__ == "__main__":
    harness.main()
