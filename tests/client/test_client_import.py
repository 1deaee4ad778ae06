"""The client is light: importing it brings in nothing that only servers and clusters need."""

import json
import subprocess
import sys
import time

PROBE = """
import json, sys
import tuner
tuner.Client, tuner.Job, tuner.Result, tuner.JobSpec
heavy = {"ray", "torch", "sklearn", "numpy", "pandas", "scipy", "optuna", "sqlalchemy", "rich"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""


def test_importing_tuner_brings_in_nothing_heavy():
    out = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == []


def test_importing_tuner_is_quick():
    """Under 0.5 s; the best of some tries, because a test machine is busy with others."""

    def seconds() -> float:
        code = "import time; t = time.perf_counter(); import tuner; print(time.perf_counter() - t)"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        return float(out.stdout)

    best, deadline = seconds(), time.monotonic() + 30
    while best >= 0.5 and time.monotonic() < deadline:
        best = min(best, seconds())
    assert best < 0.5
