#!/usr/bin/env python3
"""`piecework bench` at its smoke size: the shape of its report, the same pieces under all conditions, nothing left
behind. No figure is judged: a test does not know how fast a machine should be."""
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402

CORPORA = ("memory", "large", "small", "web", "duplicates", "flatfs")
REPORT_KEYS = {"version", "cpu", "system", "variants", "thread_count", "rounds", "smoke", "commp_equals_scalar",
               "corpora", "seconds"}
FIGURE_KEYS = {"name", "description", "threads", "bytes_per_second", "bytes_per_cpu_second", "node_kernel_ratio",
               "rounds_bytes_per_second"}
LIMIT_KEYS = {"limit", "limit_bytes_per_second", "fraction_of_limit"}


class Bench(harness.TestCase):
    def smoke(self, *flags, **options):
        report = self.check(harness.run("bench", "--smoke", "--json", "--dir", self.temp, *flags, **options), 0).json()
        self.assertEqual(os.listdir(self.temp), [])
        return report

    def figures(self, report, corpus_name):
        corpus = next(corpus for corpus in report["corpora"] if corpus["name"] == corpus_name)
        return {figure["name"]: figure for figure in corpus["figures"]}

    def test_every_corpus_warm_and_cold_with_one_to_n_threads(self):
        report = self.smoke("--threads", "3")
        self.assertEqual(set(report), REPORT_KEYS)
        self.assertEqual([corpus["name"] for corpus in report["corpora"]], list(CORPORA))
        self.assertIs(report["commp_equals_scalar"], True)
        self.assertEqual((report["thread_count"], report["rounds"], report["smoke"]), (3, 1, True))
        for name in CORPORA[1:]:
            figures = self.figures(report, name)
            for cache in ("cold", "warm"):
                for threads in ("1_thread", "2_threads", "3_threads"):
                    figure = figures[f"pack_{cache}_{threads}"]
                    self.assertEqual((figure["cache"], figure["threads"]), (cache, int(threads[0])))
                    self.assertGreater(figure["resident_bytes"], 1 << 20)
                    self.assertLess(figure["resident_bytes"], 1 << 30)
                    self.assertIn("io_wait_fraction", figure)
                    self.assertGreaterEqual(figure["foreign_cores"], 0)
                    self.assertEqual("cached_fraction_at_start" in figure, cache == "cold")
                    self.assertLessEqual(LIMIT_KEYS, set(figure))
        self.assertIn("commp_3_threads", self.figures(report, "memory"))
        self.assertIn("commp_warm_2_threads", self.figures(report, "large"))

    def test_every_figure_is_whole(self):
        report = self.smoke("--threads", "1")
        for corpus in report["corpora"]:
            self.assertTrue(corpus["piece_cid_v2"].startswith("bafkzcib"), corpus["name"])
            self.assertGreater(corpus["bytes"], 0)
            names = [figure["name"] for figure in corpus["figures"]]
            self.assertEqual(len(names), len(set(names)))
            for figure in corpus["figures"]:
                with self.subTest(corpus=corpus["name"], figure=figure["name"]):
                    self.assertLessEqual(FIGURE_KEYS, set(figure))
                    self.assertGreater(figure["bytes_per_second"], 0)
                    self.assertGreater(figure["bytes_per_cpu_second"], 0)
                    self.assertEqual(figure["rounds_bytes_per_second"], [figure["bytes_per_second"]])
                    self.assertIn(len(LIMIT_KEYS & set(figure)), (0, len(LIMIT_KEYS)))
                    if "limit" in figure:
                        share = figure["bytes_per_second"] / figure["limit_bytes_per_second"]
                        self.assertAlmostEqual(figure["fraction_of_limit"], share, places=6)

    def test_the_same_pieces_whatever_the_kernels_and_threads(self):
        def pieces(*flags, **options):
            return {corpus["name"]: corpus["piece_cid_v2"] for corpus in self.smoke(*flags, **options)["corpora"]}

        expected = pieces("--threads", "2")
        self.assertEqual(len(set(expected.values())), len(CORPORA))
        self.assertEqual(pieces("--threads", "1", env={"PIECEWORK_FORCE_VARIANT": "scalar"}), expected)

    def test_a_corpus_is_picked(self):
        report = self.smoke("--corpus", "web", "memory", "--threads", "1")
        self.assertEqual([corpus["name"] for corpus in report["corpora"]], ["web", "memory"])
        refused = harness.run("bench", "--smoke", "--dir", self.temp, "--corpus", "everything")
        self.assertIn("everything", self.check(refused, 64).err.decode())

    def test_table_for_people(self):
        text = self.check(harness.run("bench", "--smoke", "--dir", self.temp, "--corpus", "small", "--threads", "2"),
                          0).out.decode()
        for words in ("small: files of 16 KiB in one directory, 1.6 MiB in 100 files", "pack, cold", "pack, warm",
                      "share of the limit", "every commP equals the scalar kernels'"):
            self.assertIn(words, text)

    def test_directory_that_cannot_be_written(self):
        self.check(harness.run("bench", "--smoke", "--dir", self.temp / "nowhere"), 73)


if __name__ == "__main__":
    harness.main()
