"""The recorder: nothing is lost, batches are bounded, a failure reaches whoever flushes.

Predictions are kept before the rows that tell where they are.
"""

import hashlib
import threading

import pytest

from services.runner import recorder as module
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


class Keeping:
    """A coordinator that keeps files, and refuses rows whose predictions it hasn't."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.rows: dict[str, Measurement] = {}
        self.surplus: dict[str, Measurement] = {}

    def store(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self.files[sha256] = content
        return sha256

    def send(self, measurements, attempts, surplus) -> None:
        for m in [*measurements, *surplus]:
            assert m.predictions is None or m.predictions.sha256 in self.files
        self.rows.update((m.id, m) for m in measurements)
        self.surplus.update((m.id, m) for m in surplus)

    def predicted(self, m: Measurement) -> bytes | None:
        place = m.predictions
        if place is None:
            return None
        return self.files[place.sha256][place.offset :][: place.size_bytes]


def recording(house: Keeping) -> Recorder:
    return Recorder(house.send, lambda e: None, house.store)


def test_every_rows_predictions_are_found_where_it_says():
    house = Keeping()
    recorder = recording(house)
    everything = rows(3 * BATCH)
    predicted = {m.id: m.id.encode() * 7 for m in everything if int(m.id) % 3}
    for m in everything:
        recorder.keep({m.id: predicted[m.id]} if m.id in predicted else {})
        recorder.add([m], [])
    recorder.flush()
    assert {i: house.predicted(m) for i, m in house.rows.items()} == {
        m.id: predicted.get(m.id) for m in everything
    }
    recorder.close()


def test_surplus_that_is_claimed_later_keeps_its_predictions():
    house = Keeping()
    recorder = recording(house)
    first, second = rows(2)
    recorder.keep({first.id: b"one", second.id: b"two"})
    recorder.add([], [], [first, second])
    recorder.flush()
    recorder.add([first], [])
    recorder.flush()
    assert house.predicted(house.rows[first.id]) == b"one"
    assert house.predicted(house.surplus[second.id]) == b"two"
    recorder.close()


def test_a_files_size_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "BLOB_BYTES", 100)
    house = Keeping()
    recorder = recording(house)
    everything = rows(20)
    recorder.keep({m.id: bytes([int(m.id)]) * (150 if m.id == "7" else 30) for m in everything})
    recorder.add(everything, [])
    recorder.flush()
    assert len(house.rows) == 20
    assert sorted(map(len, house.files.values()))[-1] == 150
    assert max(len(f) for f in house.files.values() if len(f) != 150) <= 100
    recorder.close()


def test_whoever_brings_more_than_may_wait_waits_itself(monkeypatch):
    monkeypatch.setattr(module, "WAITING_BYTES", 10)
    house, gate, entered = Keeping(), threading.Event(), threading.Event()

    def store(content: bytes) -> str:
        entered.set()
        assert gate.wait(10)
        return house.store(content)

    recorder = Recorder(house.send, lambda e: None, store)
    first, second = rows(2)
    recorder.keep({first.id: bytes(20)})
    recorder.add([first], [])
    assert entered.wait(10)
    through = threading.Event()

    def bring() -> None:
        recorder.keep({second.id: b"x"})
        through.set()

    thread = threading.Thread(target=bring)
    thread.start()
    assert not through.wait(0.2)
    gate.set()
    assert through.wait(10)
    thread.join()
    recorder.add([second], [])
    recorder.flush()
    assert set(house.rows) == {first.id, second.id}
    recorder.close()


def test_a_store_that_fails_records_no_row():
    house = Keeping()

    def store(content: bytes) -> str:
        raise OSError("disk full")

    told: list[Exception] = []
    recorder = Recorder(house.send, told.append, store)
    (row,) = rows(1)
    recorder.keep({row.id: b"x"})
    recorder.add([row], [])
    with pytest.raises(OSError, match="disk full"):
        recorder.flush()
    assert house.rows == {}
    assert len(told) == 1
    recorder.close()
