"""Several threads and processes write at once, and a writer is killed: nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.coordinator.store import SqlStore, open_store
from services.coordinator.store.conformance.samples import (
    Running,
    a_job,
    a_measurement,
    a_name,
    a_running_job,
    a_spec,
    a_try,
    log_of,
)
from services.coordinator.store.errors import AlreadyExistsError, StaleError, WrongStateError
from tuner.jobs import JobState
from tuner.record import Measurement, record_digest

THREADS = 6
WRITER = Path(__file__).with_name("store_writer.py")


def test_threads_record_to_the_same_and_other_jobs(store: SqlStore) -> None:
    jobs = [a_running_job(store) for _ in range(2)]

    def write(thread: int) -> None:
        seen = 0
        for batch in range(6):
            for job in jobs:
                # Rows overlap with those of the next thread, so that repeats race too.
                base = 1000 * batch + 4 * thread
                rows = [a_measurement(job.name, base + i) for i in range(8)]
                tries = [a_try(base, billed_device_seconds=0.5)]
                result = store.record(*job.caller, rows, tries)
                assert result.recorded + result.repeated == 8
            # What a reader has seen stays, and nothing comes between.
            log = [event.sequence for event in store.events(jobs[0].name, 0, 1000)]
            assert log == list(range(1, len(log) + 1))
            assert len(log) > seen
            seen = len(log)

    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(write, thread) for thread in range(THREADS)]:
            future.result(timeout=60)
    for job in jobs:
        wanted = {
            m.id
            for batch in range(6)
            for m in (a_measurement(job.name, 1000 * batch + i) for i in range(4 * (THREADS + 1)))
        }
        found = store.measurements(job.name)[0]
        assert {m.id for m in found} == wanted
        assert len(found) == len(wanted)
        times = [event.time for event in log_of(store, job.name)]
        assert times == sorted(times)
        assert store.get_job(job.name).billed_device_seconds == 0.5 * 6 * THREADS


def test_of_racing_requests_one_makes_the_job(store: SqlStore) -> None:
    name, others = a_name(), [a_name() for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        same = list(pool.map(lambda n: store.create_job(n, a_spec(), "ada", "r"), [name, *others]))

        def rival(number: int) -> bool:
            try:
                return store.create_job(same[0][0].name, a_spec(), "ada", f"r{number}")[1]
            except AlreadyExistsError:
                return False

        assert not any(pool.map(rival, range(THREADS)))
    assert sum(made for _, made in same) == 1
    assert len({job.name for job, _ in same}) == 1


def test_of_racing_moves_attempts_and_enrolments_one_wins(store: SqlStore) -> None:
    name = a_job(store)

    def start(number: int) -> int:
        return store.create_attempt(name, "s{attempt}", f"code {number}").number

    def move(_: int) -> bool:
        try:
            store.set_job_state(name, JobState.QUEUED, "", [JobState.PENDING])
        except WrongStateError:
            return False
        return True

    def enrol(number: int) -> bool:
        try:
            store.enrol(name, "code", f"token {number}")
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert sorted(pool.map(start, range(THREADS))) == list(range(1, THREADS + 1))
        assert sum(pool.map(move, range(THREADS))) == 1
        store.create_attempt(name, "s", "code")
        assert sum(pool.map(enrol, range(THREADS))) == 1
    rows = store.attempts(name)
    assert len({row.epoch for row in rows}) == THREADS + 1
    assert [row.outcome for row in rows] == ["SUPERSEDED"] * THREADS + ["COMPROMISED"]
    log_of(store, name)


def test_two_processes_write_to_one_job(url: str, store: SqlStore) -> None:
    job = a_running_job(store)
    ours = 0
    with _writer(url, job, batches=20) as writer:
        while writer.poll() is None or ours < 20:
            store.record(*job.caller, [], [a_try(1000 + ours)])
            ours += 1
        assert writer.stdout is not None
        assert len(writer.stdout.readlines()) == 20
    assert writer.returncode == 0
    assert len(store.measurements(job.name)[0]) == 20 * 16
    assert store.get_job(job.name).billed_device_seconds == 20 * 1.0 + ours * 0.5
    assert len(store.events(job.name, 4, 10**6)) == 20 * 17 + ours


def test_what_was_acknowledged_survives_a_kill(url: str) -> None:
    store = open_store(url)
    job = a_running_job(store)
    store.close()
    writer = _writer(url, job, batches=1_000_000)
    assert writer.stdout is not None
    with writer:
        acknowledged = [int(writer.stdout.readline()) for _ in range(12)]
        writer.send_signal(signal.SIGKILL)
        # It may have got further before the signal came.
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL
    store = open_store(url)
    found = store.measurements(job.name)[0]
    wanted: list[Measurement] = []
    for batch in acknowledged:
        wanted += [a_measurement(job.name, 16 * batch + i) for i in range(16)]
    assert record_digest(found[: len(wanted)]) == record_digest(wanted)
    # A batch that wasn't acknowledged is there whole or not at all.
    assert len(found) - len(wanted) in (0, 16)
    assert store.get_job(job.name).billed_device_seconds == len(found) / 16
    log_of(store, job.name)
    assert store.record(*job.caller, wanted, []).repeated == len(wanted)
    store.close()


def _writer(url: str, job: Running, batches: int) -> subprocess.Popen[str]:
    arguments = [url, str(job.name), str(job.attempt), str(job.epoch), str(batches)]
    return subprocess.Popen(
        [sys.executable, str(WRITER), *arguments], stdout=subprocess.PIPE, text=True
    )
