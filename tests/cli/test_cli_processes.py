"""The command as a process: exit codes, Ctrl-C, speed, and no traceback."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from coordinator_double import make_spec

TUNER = [sys.executable, "-m", "tuner.cli"]


def run(*arguments, cwd=None):
    return subprocess.run(
        [*TUNER, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.fixture
def running(double, monkeypatch):
    """A job that goes on until it is cancelled."""
    double.add_job(state="RUNNING")
    cancelled = threading.Event()
    whole, cancel = type(double).WatchJob, type(double).CancelJob

    def watch(self, request, context):
        events = list(whole(self, request, context))
        yield from events[:2]
        while not cancelled.is_set() and context.is_active():
            cancelled.wait(0.05)
        if cancelled.is_set():
            yield from whole(self, request, context)

    def stop(self, request, context):
        answer = cancel(self, request, context)
        cancelled.set()
        return answer

    def create(self, request, context):
        self.requests.append(request)
        return self.jobs["namespaces/default/jobs/digits-1"]

    monkeypatch.setattr(type(double), "WatchJob", watch)
    monkeypatch.setattr(type(double), "CancelJob", stop)
    monkeypatch.setattr(type(double), "CreateJob", create)
    return double


def interrupted(arguments, cwd, number=signal.SIGINT):
    """Runs the command and presses Ctrl-C, or sends another signal, once it follows the job."""
    process = subprocess.Popen(
        [*TUNER, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )
    heard = []
    for line in process.stderr:
        heard.append(line)
        if "job digits-1: running" in line:
            process.send_signal(number)
            break
    out, err = process.communicate(timeout=30)
    return process.returncode, out, "".join(heard) + err


def test_ctrl_c_on_watch_leaves_the_job_running_and_says_how_to_go_on(running, address, tmp_path):
    code, _, err = interrupted(["watch", "digits-1", "--address", address], tmp_path)
    assert code == 130
    assert running.calls["CancelJob"] == 0
    assert "tuner watch digits-1" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_cancels_its_job(running, address, tmp_path, number):
    (tmp_path / "job.yaml").write_text("dataset: digits\nsearches: [{learner: forest}]\n")
    code, _, err = interrupted(["run", "job.yaml", "--address", address], tmp_path, number)
    assert code == 3
    assert running.calls["CancelJob"] == 1
    assert "Traceback" not in err
    assert (tmp_path / "results" / "digits-1" / "report.json").is_file()


def test_exit_codes_reach_the_shell(double, address, tmp_path):
    double.add_job(make_spec())
    assert run("watch", "digits-1", "--address", address).returncode == 0
    double.end = "FAILED"
    double.add_job()
    assert run("watch", "digits-1", "--address", address).returncode == 1
    bad = tmp_path / "bad.yaml"
    bad.write_text("dataset: [")
    done = run("validate", bad)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_a_coordinator_it_says_how_to_get_one():
    done = run("get", "jobs")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "tuner up" in done.stderr


def test_down_without_up_is_no_error():
    done = run("down")
    assert done.returncode == 0
    assert "nothing was up" in done.stderr


def test_help_is_quick_and_loads_neither_server_nor_science():
    """The best of some tries, because a test machine is busy with others."""
    probe = (
        "import sys, runpy; sys.argv = ['tuner', '--help']\n"
        "try: runpy.run_module('tuner.cli', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert not {'ray', 'torch', 'numpy', 'sqlalchemy'} & set(sys.modules)\n"
    )
    best, deadline = float("inf"), time.monotonic() + 30
    while best >= 2 and time.monotonic() < deadline:
        begun = time.monotonic()
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
        best = min(best, time.monotonic() - begun)
        assert done.returncode == 0, done.stderr
        assert "submit" in done.stdout
    assert best < 2
