"""The live view: what a board makes of events, and that its table fits a terminal."""

import io
import os
import pty
import subprocess
import sys

import pytest
from coordinator_double import make_curves, make_events, make_spec
from rich.console import Console

from tuner.cli.board import Board
from tuner.cli.live import picture
from tuner.client import JobState, JobStatus
from tuner.curve import SearchState
from tuner.record import Measurement, Outcome, Packet, Phase, PlanStep, StepKind
from tuner.wire.jobs import event_from_wire


def make_board():
    return Board.of(JobStatus("namespaces/default/jobs/digits-1", make_spec()))


def drawn(board, width=100):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(picture(board))
    return console.file.getvalue()


def test_a_board_shows_every_search_before_anything_has_happened():
    text = drawn(make_board())
    for key in ("cnn/depth", "forest/trees", "perceptron"):
        assert key in text
    assert "pending" in text


def test_events_move_the_board_and_decisions_are_told():
    board = make_board()
    lines = [line for event in make_events() for line in board.fold(event_from_wire(event))]
    assert board.state is JobState.SUCCEEDED
    assert board.sequence == 7
    assert board.searches["cnn/depth"].state is SearchState.CONCLUDED
    assert board.searches["cnn/depth"].measurements == 1
    assert board.searches["cnn/depth"].billed == 2.0
    assert "cnn/depth: Tune depth 1 with 4 candidates." in lines
    assert board.dirty


def test_a_decision_says_where_a_search_is_and_what_is_promised():
    board = make_board()
    setting = (("learning_rate", 0.1),)
    packet = Packet("p", Phase.MEASURING, (setting,), (1, 2), (0, 1, 2))
    step = PlanStep("cnn/depth", 1, StepKind.MEASURE, "Measure.", "climb/1", (packet,))
    list(board.fold(_event(step)))
    line = board.searches["cnn/depth"]
    assert (line.level, line.phase, line.promised) == (2, "measuring", 6)
    line.state = SearchState.RUNNING
    assert "measuring 2" in drawn(board)


@pytest.mark.parametrize(
    ("phase", "told"),
    [(Phase.TUNING, "tuning"), (Phase.MEASURING, "measuring"), (Phase.RUNNER_UP, "runner-up")],
)
def test_every_phase_has_a_name_for_people(phase, told):
    board = make_board()
    packet = Packet("p", phase, ((),), (4,), (0,))
    list(board.fold(_event(PlanStep("cnn/depth", 1, StepKind.MEASURE, ".", "c", (packet,)))))
    assert board.searches["cnn/depth"].phase == told


def test_a_failed_replicate_is_told():
    board = make_board()
    failed = Measurement(
        "id", "cnn/depth", Phase.TUNING, 4, (), 3, Outcome.OUT_OF_MEMORY, error="8 GiB were asked"
    )
    (line,) = board.fold(_event(failed))
    assert line == "cnn/depth: level 4, replicate 3 out of memory (8 GiB were asked)"


def test_the_table_fits_100_columns_with_everything_known():
    board = make_board()
    board.take_curves({curve.search: curve for curve in make_curves()})
    for line in board.searches.values():
        line.measurements, line.promised, line.billed = 1234, 1240, 4321.0
    text = drawn(board)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100
    assert "depth 2 is enough" in text
    assert "0.0390" in text


def _event(what):
    from tuner.client import Event

    return Event(1, None, what)


def test_on_a_terminal_the_table_is_drawn_and_the_verdicts_stay(double, address):
    double.add_job()
    main, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner.cli", "watch", "digits-1", "--address", address],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env=environment,
    )
    os.close(terminal)
    seen = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        seen += chunk
    out = process.communicate(timeout=30)[0].decode()
    os.close(main)
    assert process.returncode == 0
    text = seen.decode(errors="replace")
    assert "verdict so far" in text
    assert "Tune depth 1 with 4 candidates." in text
    assert "depth 2 is enough" in out
