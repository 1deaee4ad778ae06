"""Following a job: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tuner.cli.board import Board, SearchLine
from tuner.cli.console import say, talk
from tuner.cli.views import STATE_STYLES
from tuner.curve import SearchState
from tuner.errors import Status, TunerError
from tuner.report.naming import best, interval, number, plain_verdict, seconds

if TYPE_CHECKING:
    from rich.console import Console

    from tuner.client import Job
    from tuner.jobs import Event, JobState

TICK_SECONDS = 0.25
CURVES_SECONDS = 1.0


def follow(job: Job, after: int = 0) -> JobState:
    """Shows the job until it has ended.

    Args:
        job: The job.
        after: Only events after this sequence number.

    Returns:
        How it ended.

    Raises:
        TunerError: The coordinator stayed away.
        KeyboardInterrupt: Somebody pressed Ctrl-C; the job goes on.
    """
    console = talk()
    if not console.is_terminal:
        board = Board.of(job.status)
        for event in job.watch(after):
            for line in board.fold(event):
                stamp = event.time.astimezone().strftime("%H:%M:%S ") if event.time else ""
                say(stamp + line)
        return job.state
    return _follow_live(job, after, console)


def _follow_live(job: Job, after: int, console: Console) -> JobState:
    board = Board.of(job.status)
    # Events come on a thread of their own, so that the table moves on and
    # Ctrl-C is heard while nothing happens.
    arrived: queue.SimpleQueue[Event | TunerError | None] = queue.SimpleQueue()

    def read() -> None:
        try:
            for event in job.watch(after):
                arrived.put(event)
        except TunerError as error:
            arrived.put(error)
        arrived.put(None)

    threading.Thread(target=read, name="events", daemon=True).start()
    spinner = Spinner("dots")
    asked = 0.0
    with Live(console=console, auto_refresh=False, transient=False) as live:
        more = True
        while more:
            more = _drain(board, arrived, live)
            if board.dirty and (not more or time.monotonic() - asked >= CURVES_SECONDS):
                asked = time.monotonic()
                _take_curves(board, job)
            live.update(picture(board, spinner if more else None), refresh=True)
    return job.state


def _drain(board: Board, arrived: queue.SimpleQueue[Event | TunerError | None], live: Live) -> bool:
    """Takes in what has arrived, after at most a tick; returns whether more will come."""
    end = time.monotonic() + TICK_SECONDS
    while (left := end - time.monotonic()) > 0:
        try:
            item = arrived.get(timeout=left)
        except queue.Empty:
            return True
        if item is None:
            return False
        if isinstance(item, TunerError):
            raise item
        for line in board.fold(item):
            live.console.print(Text(line, style="dim"), soft_wrap=True)
    return True


def _take_curves(board: Board, job: Job) -> None:
    try:
        board.take_curves(job.curves())
    except TunerError as error:
        # The table can do without for now; the events tell when it is serious.
        if error.status not in (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED):
            raise


def picture(board: Board, spinner: Spinner | None = None) -> RenderableType:
    """Returns the board as a table of searches, for 100 columns."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("search", no_wrap=True)
    table.add_column("now", no_wrap=True)
    table.add_column("levels", no_wrap=True)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("best score", no_wrap=True)
    table.add_column("verdict so far")
    table.add_column("spent", justify="right", no_wrap=True)
    for line in board.searches.values():
        table.add_row(*_cells(line))
    state = Text.assemble(
        f"job {board.job}: ",
        (board.state.value.lower(), STATE_STYLES.get(board.state.value, "")),
        f" {board.reason}" if board.reason else "",
    )
    if spinner is None:
        return Group(table, state)
    spinner.update(text=state)
    return Group(table, spinner)


def _cells(line: SearchLine) -> tuple[RenderableType, ...]:
    curve = line.curve
    row = best(curve) if curve else None
    score = "–"
    if curve and row:
        where = f" at {row.level}" if curve.axis else ""
        score = f"{number(row.score)} {interval(row.low, row.high)}{where}"
    done = sum(1 for r in curve.levels if r.replicates) if curve else 0
    now: RenderableType = Text(line.state.value.lower(), style=STATE_STYLES.get(line.state, ""))
    if line.state is SearchState.RUNNING and line.phase:
        now = f"{line.phase} {line.level}" if line.axis else line.phase
    return (
        line.key,
        now,
        _bar(done, line.levels, line.state is SearchState.CONCLUDED),
        f"{line.measurements}/{line.promised}",
        score,
        plain_verdict(curve) if curve and (line.axis or curve.verdict) else "–",
        seconds(line.billed),
    )


def _bar(done: int, of: int, concluded: bool) -> Text:
    """Returns measured levels as squares; those that are never to be measured are hollow."""
    if of > 12:
        return Text(f"{done}/{of}")
    rest = "▱" if concluded else "·"
    return Text("▰" * min(done, of) + rest * max(of - done, 0))
