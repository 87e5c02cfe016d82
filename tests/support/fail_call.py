"""The library that lets one call of a program fail (fail_call.c), for Python tests."""
from pathlib import Path

import harness

LIBRARY = Path(harness.BINARY).parents[1] / "tests/libfail_call.so"
SHORT = 0  # in place of an errno: half of a transfer


def environment(roots, fault=None, log=None):
    """Variables for a run. `roots` {name: directory}; `fault` "name.kind.index.errno", see fail_call.c."""
    return {"LD_PRELOAD": str(LIBRARY), "FAIL_CALL_AT": fault, "FAIL_CALL_LOG": str(log) if log else None,
            "FAIL_CALL_ROOTS": ":".join(f"{name}={path}" for name, path in roots.items())}


def lines(log):
    """A line for each call: "out write /a/b", or "failed out write /a/b"."""
    return log.read_text(errors="replace").splitlines() if log.exists() else []


def failed(lines):
    return [line.removeprefix("failed ") for line in lines if line.startswith("failed ")]
