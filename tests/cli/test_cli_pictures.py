"""`-o svg|png|html`: it goes to stdout; what stands in its way is said before anything runs."""

import os
import pty
import subprocess
import sys

import pytest
import yaml
from coordinator_double import make_spec
from typer.testing import CliRunner

from tuner.cli.main import app


@pytest.fixture
def tuner(address, double, monkeypatch):
    monkeypatch.setenv("TUNER_ADDRESS", address)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_a_report_as_svg_and_as_png(tuner, double):
    double.add_job()
    done = tuner("report", "digits-1", "-o", "svg")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("<svg")
    assert done.stdout.rstrip().endswith("</svg>")
    assert "depth 2 is enough" in done.stdout
    assert tuner("report", "digits-1", "-o", "png").stdout_bytes.startswith(b"\x89PNG\r\n\x1a\n")


def test_a_report_as_a_page_and_one_saved(tuner, double, tmp_path):
    double.add_job()
    done = tuner("report", "digits-1", "-o", "html", "--save", str(tmp_path / "r"))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("<!doctype html>")
    assert "<svg" in done.stdout
    assert "Learners compared" in done.stdout
    assert (tmp_path / "r" / "report.html").read_text() == done.stdout
    assert {file.name for file in (tmp_path / "r").iterdir()} == {
        "report.md",
        "report.json",
        "report.html",
    }


def test_no_page_is_saved_where_its_picture_cannot_be_drawn(tuner, double, tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.installed.importlib.util.find_spec", lambda name: None)
    double.add_job()
    done = tuner("report", "digits-1", "--save", str(tmp_path / "r"))
    assert done.exit_code == 0, done.output
    assert {file.name for file in (tmp_path / "r").iterdir()} == {"report.md", "report.json"}


def test_a_png_is_not_thrown_at_a_terminal(address, double):
    double.add_job()
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tuner.cli", "report", "digits-1", "-o", "png"],
            env=os.environ | {"TUNER_ADDRESS": address},
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 2
    assert "> FILE.png" in done.stderr


def test_a_run_that_could_not_draw_its_result_is_not_begun(tuner, double, tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.installed.importlib.util.find_spec", lambda name: None)
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(make_spec().model_dump(mode="json", exclude_defaults=True)))
    done = tuner("run", str(file), "-o", "svg")
    assert done.exit_code == 1
    assert "pip install 'tuner[charts]'" in done.stderr
    assert double.jobs == {}
