#!/usr/bin/env python3
"""Compares storage deal proposals with implementations that share no code with Piecework: 100 random ones.

Keys, addresses, CBOR, the three CIDs, signatures and the headers of MK20 requests are made by deal-proposals.mjs
(iso-filecoin, @noble, npm secp256k1) and compared byte for byte by engine_tests. Needs node >= 20 and, once, the npm
registry; else the exit code is 77. usage: deals.py ENGINE_TESTS [SEED]
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import harness  # noqa: E402
import oracles  # noqa: E402

CASES = 100


def main():
    oracles.add_local_node_to_path()
    reason = oracles.why_not_runnable()
    if reason:
        print(f"SKIPPED: {reason}")
        return harness.SKIPPED
    engine_tests, seed = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "piecework"
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(["node", "deal-proposals.mjs", seed, str(CASES)], cwd=harness.ORACLES, stdout=file, check=True)
        return subprocess.run([engine_tests, "--gtest_filter=OracleProposals.*"],
                              env=os.environ | {"PIECEWORK_DEAL_CASES": file.name}).returncode


if __name__ == "__main__":
    sys.exit(main())
