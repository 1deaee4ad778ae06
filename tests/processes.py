"""Processes of this machine by their id: who descends from whom, killing, freezing, leftovers."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Seen:
    """A process as /proc shows it.

    Attributes:
        pid: Its id.
        parent: Its parent's.
        state: "Z" is a zombie, "T" is stopped.
        started: When it began, in ticks since the machine did: an id may be given out again.
        command: Its command line; Ray's workers write their title there.
    """

    pid: int
    parent: int = field(compare=False)
    state: str = field(compare=False)
    started: int
    command: str = field(compare=False)

    def runs(self) -> bool:
        """Tells whether this very process is still there, and no zombie."""
        now = look(self.pid)
        return now is not None and now.started == self.started and now.state not in "ZX"

    def send(self, number: int) -> bool:
        """Sends a signal; tells whether the process was there to get it."""
        if not self.runs():
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


def look(pid: int) -> Seen | None:
    """Returns what there is of a process; None where there is none."""
    folder = Path("/proc") / str(pid)
    try:
        stat = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        command = (folder / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    return Seen(pid, int(stat[1]), stat[0], int(stat[19]), command.replace("\0", " ").strip())


def everyone() -> list[Seen]:
    """Returns every process there is."""
    ids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [one for one in map(look, ids) if one is not None]


def descendants(pid: int) -> list[Seen]:
    """Returns every process that descends from one, zombies left out."""
    below: dict[int, list[Seen]] = {}
    for one in everyone():
        below.setdefault(one.parent, []).append(one)
    found: list[Seen] = []
    todo = [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += [child.pid for child in children]
    return [one for one in found if one.state not in "ZX"]


def with_variable(pid: int, name: str) -> str | None:
    """Returns an environment variable that a process was started with."""
    try:
        content = (Path("/proc") / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    for part in content.split(b"\0"):
        key, _, value = part.partition(b"=")
        if key == name.encode():
            return value.decode(errors="replace")
    return None


def kill_tree(pid: int) -> int:
    """SIGKILLs a process and all that descends from it, as a machine that loses its power does.

    Returns:
        How many there were.
    """
    root = look(pid)
    tree = descendants(pid) + ([root] if root is not None else [])
    # Nobody gets to notice and react before it is dead itself.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        hit = [one.send(number) for one in tree]
    return sum(hit)


@contextmanager
def adopting() -> Iterator[None]:
    """Has orphans of this process's children become its own children, so that none is missed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def zombies(parent: int) -> set[int]:
    """Returns the children of a process that have ended and that nobody has waited for."""
    return {one.pid for one in everyone() if one.parent == parent and one.state == "Z"}


def bury(pids: set[int]) -> None:
    """Waits for children that have ended."""
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
