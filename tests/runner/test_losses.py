"""A packet that kills its workers is tried again so often, and last without its conditions."""

from datetime import UTC, datetime

from services.runner.losses import MAX_LOSSES, MAX_STALLS, Losses, given_up
from tuner.record import Outcome, Packet, PacketOutcome, Phase
from tuner.search import SearchRecord
from tuner.trials.work import Loss, Report, Task

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK = Task(Packet("s:1:0", Phase.MEASURING, ((),), (1, 2), (0,)), "j", "s", "forest", "trees")


def lost(task: Task, loss=Loss.DIED, beside=False) -> Report:
    outcome = PacketOutcome.LOST
    return Report(
        task, (), "node", "cpu", NOW, NOW, 1.0, outcome, "killed", loss=loss, beside=beside
    )


def test_without_conditions_it_is_tried_three_times():
    losses = Losses()
    tries = [losses.again(lost(TASK), lambda node: True) for _ in range(MAX_LOSSES)]
    assert tries == [[TASK]] * (MAX_LOSSES - 1) + [[]]


def test_where_conditions_are_borne_the_last_try_is_without_them():
    losses, task = Losses({"s"}), TASK
    for _ in range(MAX_LOSSES - 1):
        assert losses.again(lost(task), lambda node: True) == [task]
    [bare] = losses.again(lost(task), lambda node: True)
    assert "died 3 times" in bare.bare
    # A lost node is no fault of the packet's.
    assert losses.again(lost(bare), lambda node: False) == [bare]
    assert losses.again(lost(bare), lambda node: True) == []
    rows = given_up(SearchRecord("j", "s"), lost(bare))
    assert [row.level for row in rows] == [1, 2]
    assert {row.outcome for row in rows} == {Outcome.CRASHED}
    assert "died 4 times" in rows[0].error


def test_a_worker_that_hangs_is_ended_so_often_and_then_its_packet_timed_out():
    losses = Losses({"s"})
    for _ in range(MAX_STALLS - 1):
        assert losses.again(lost(TASK, Loss.STALLED), lambda node: True) == [TASK]
    assert losses.again(lost(TASK, Loss.STALLED), lambda node: True) == []
    rows = given_up(SearchRecord("j", "s"), lost(TASK, Loss.STALLED))
    assert {row.outcome for row in rows} == {Outcome.TIMED_OUT}


def test_a_node_without_memory_is_no_packets_fault_while_others_used_it():
    losses = Losses()
    for _ in range(5):
        [alone] = losses.again(lost(TASK, Loss.MEMORY, beside=True), lambda node: True)
        assert alone.alone
    for _ in range(MAX_LOSSES - 1):
        assert losses.again(lost(alone, Loss.MEMORY), lambda node: True) == [alone]
    # At last each member by itself, whose lack of memory is then final.
    parts = losses.again(lost(alone, Loss.MEMORY), lambda node: True)
    assert [part.packet.levels for part in parts] == [(1,), (2,)]
    assert all(part.alone for part in parts)
    assert len({part.attempt for part in parts}) == 2
    for _ in range(MAX_LOSSES - 1):
        assert losses.again(lost(parts[1], Loss.MEMORY), lambda node: True) == [parts[1]]
    assert losses.again(lost(parts[1], Loss.MEMORY), lambda node: True) == []
    [row] = given_up(SearchRecord("j", "s"), lost(parts[1], Loss.MEMORY))
    assert (row.level, row.outcome) == (2, Outcome.OUT_OF_MEMORY)
