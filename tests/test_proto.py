"""The generated code under tuner/v1 is what proto/ gives, and the protos pass their linter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent


def test_the_generated_code_is_fresh(tmp_path: Path):
    environment = os.environ | {
        "PYTHON": sys.executable,
        "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
    }
    subprocess.run([ROOT / "proto" / "generate.sh", tmp_path], env=environment, check=True)
    generated = {path.name: path.read_bytes() for path in (tmp_path / "tuner/v1").iterdir()}
    committed = {
        path.name: path.read_bytes()
        for path in (ROOT / "tuner/v1").iterdir()
        if path.is_file() and path.name != "__init__.py"
    }
    assert sorted(generated) == sorted(committed), "run `make proto`"
    stale = [name for name, content in generated.items() if committed[name] != content]
    assert stale == [], "run `make proto`"


def test_the_protos_pass_buf_lint():
    done = subprocess.run(
        [TOOLS / "buf", "lint", "proto"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
