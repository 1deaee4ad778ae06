"""A packet that kills its workers is tried again so often, and last without its conditions."""

from datetime import UTC, datetime

from services.runner.losses import MAX_LOSSES, Losses, crashed
from tuner.record import Outcome, Packet, PacketOutcome, Phase
from tuner.search import SearchRecord
from tuner.trials.work import Report, Task

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK = Task(Packet("s:1:0", Phase.MEASURING, ((),), (1, 2), (0,)), "j", "s", "forest", "trees")


def lost(task: Task) -> Report:
    return Report(task, (), "node", "cpu", NOW, NOW, 1.0, PacketOutcome.LOST, "killed")


def test_without_conditions_it_is_tried_three_times():
    losses = Losses()
    tries = [losses.again(lost(TASK), lambda node: True) for _ in range(MAX_LOSSES)]
    assert tries == [TASK] * (MAX_LOSSES - 1) + [None]


def test_where_conditions_are_borne_the_last_try_is_without_them():
    losses, task = Losses({"s"}), TASK
    for _ in range(MAX_LOSSES - 1):
        assert losses.again(lost(task), lambda node: True) is task
    bare = losses.again(lost(task), lambda node: True)
    assert bare is not None
    assert "died 3 times" in bare.bare
    # A lost node is no fault of the packet's.
    assert losses.again(lost(bare), lambda node: False) is bare
    assert losses.again(lost(bare), lambda node: True) is None
    rows = crashed(SearchRecord("j", "s"), lost(bare))
    assert [row.level for row in rows] == [1, 2]
    assert {row.outcome for row in rows} == {Outcome.CRASHED}
    assert "died 4 times" in rows[0].error
