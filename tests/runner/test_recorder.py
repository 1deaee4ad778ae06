"""The recorder: nothing is lost, batches are bounded, a failure reaches whoever flushes."""

import threading

import pytest

from services.runner.recorder import BATCH, Recorder
from tuner.record import Measurement, Outcome, Phase


def rows(count: int) -> list[Measurement]:
    return [
        Measurement(f"{i}", "s", Phase.TUNING, 1, (), i, Outcome.COMPLETED) for i in range(count)
    ]


def test_a_flush_returns_once_every_row_was_sent_in_order_and_in_bounded_batches():
    batches: list[list[Measurement]] = []
    recorder = Recorder(lambda m, a, s: batches.append(list(m)), lambda e: None)
    everything = rows(10 * BATCH + 3)
    for row in everything:
        recorder.add([row], [])
    recorder.flush()
    assert [row for batch in batches for row in batch] == everything
    assert max(map(len, batches)) <= BATCH
    recorder.close()


def test_rows_that_come_while_a_batch_is_written_share_the_next_one():
    gate = threading.Event()
    begun = threading.Event()
    sizes: list[int] = []

    def send(measurements, attempts, surplus):
        sizes.append(len(measurements))
        begun.set()
        gate.wait(10)

    recorder = Recorder(send, lambda e: None)
    recorder.add(rows(1), [])
    assert begun.wait(10)
    for row in rows(20):
        recorder.add([row], [])
    gate.set()
    recorder.flush()
    assert sizes == [1, 20]
    recorder.close()


def test_a_failed_write_is_told_and_raised_by_the_flush():
    told: list[Exception] = []

    def send(measurements, attempts, surplus):
        raise ValueError("no")

    recorder = Recorder(send, told.append)
    recorder.add(rows(1), [])
    with pytest.raises(ValueError, match="no"):
        recorder.flush()
    recorder.close()
    assert [str(e) for e in told] == ["no"]
