"""Detached processes: started, recognised again, stopped with all that they started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Process:
    """A process, told from any later one of the same number by when it started."""

    pid: int
    started: str

    def alive(self) -> bool:
        """Whether it runs; one that has ended and is only not yet waited for doesn't."""
        return _started(self.pid) == self.started


def start(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
) -> Process:
    """Starts a command in a session of its own, its output appended to a log.

    Raises:
        OSError: It can't be started.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Nobody waits for it but the next process up: it is meant to outlive this one.
    child.returncode = 0
    return Process(child.pid, _started(child.pid) or "")


def stop(leader: Process, grace: float) -> None:
    """Stops a session's leader and everything that it started.

    The leader is asked first, so that it can end its own in good order; then
    what is left of them; what doesn't heed is killed.

    Args:
        leader: What `start` returned, of this or an earlier command.
        grace: Seconds to end in before it is killed.
    """
    family = _family(leader)
    if leader.alive():
        _signal([leader], signal.SIGTERM)
        wait_until(lambda: not leader.alive(), grace)
    family |= _family(leader)
    left = [p for p in family if p.alive()]
    _signal(left, signal.SIGTERM)
    if not wait_until(lambda: not any(p.alive() for p in left), grace / 2):
        _signal([p for p in left if p.alive()], signal.SIGKILL)
        wait_until(lambda: not any(p.alive() for p in left), grace)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits for the condition; returns whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _signal(processes: Sequence[Process], number: signal.Signals) -> None:
    for process in processes:
        if process.alive():
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                continue  # it ended on its own


def _family(leader: Process) -> set[Process]:
    """Returns the session's processes and their descendants, sessions of their own included."""
    if not leader.alive() and _started(leader.pid) is not None:
        return set()  # the number is a stranger's: a session in use would have kept it
    parents, sessions = {}, {}
    for pid in _pids():
        try:
            sessions[pid] = os.getsid(pid)
        except (ProcessLookupError, PermissionError):
            continue
        parents[pid] = _parent(pid)
    members = {pid for pid, session in sessions.items() if session == leader.pid}
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in members} - members
        members |= children
        grown = bool(children)
    return {Process(pid, s) for pid in members if (s := _started(pid)) is not None}


_PROC = Path("/proc")


def _pids() -> list[int]:
    if (_PROC / "self").exists():
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    return [int(word) for word in _ps("-axo", "pid=").split()]


def _stat(pid: int) -> list[str] | None:
    """Returns Linux's own account of a process, from its state on; None where it is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def _started(pid: int) -> str | None:
    """Returns when a process started, as a mark to compare; None where it doesn't run."""
    if (_PROC / "self").exists():
        fields = _stat(pid)
        return None if fields is None or fields[0] in "ZX" else fields[19]
    state, _, started = _ps("-o", "stat=,lstart=", "-p", str(pid)).strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


def _parent(pid: int) -> int:
    if (_PROC / "self").exists():
        fields = _stat(pid)
        return int(fields[1]) if fields else 0
    return int(_ps("-o", "ppid=", "-p", str(pid)).strip() or 0)


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout
