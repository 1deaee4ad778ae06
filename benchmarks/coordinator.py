"""The coordinator under load, beside Optuna's storages on the same databases, in one run.

    python -m benchmarks.coordinator [--quick] [--only sqlite|postgresql] [--no-peers]
                                     [--stored N] [--seconds S] [--json FILE]

Real processes on one machine: a coordinator on a cluster that runs nothing, runners that send
measurements in batches of at most 64 over gRPC with the tokens that they enrolled for, people
who ask, submit and watch. Every acknowledged record is durable: SQLite in WAL with
synchronous=FULL, PostgreSQL with fsync and synchronous_commit on. Each is measured at 1,000
measurements and again at 1,000,000, written in bulk in between.

A record is one measurement: 4 hyperparameters, 4 scores, 3 scores on training data, cost,
packet; every eighth brings its packet's row along, which isn't counted. A trial of Optuna has
4 parameters and a value: by ask and tell, and by add_trial, which writes a finished one at once.

The load generators share the cores with the server, so every request is made into bytes before
the clock starts; latencies count from when a call was due, so what waits isn't left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.load import clients, peers, rows
from benchmarks.load.reads import Reads, reads
from benchmarks.load.server import Served, served
from benchmarks.load.together import together
from tests.coordinator.store.postgres_server import server as postgres

RUNNERS = 8
JOBS_WATCHED = 100
WATCHERS = 1000
OFFERED = 1000.0
"""Measurements a second, where latencies are measured."""


@dataclass(frozen=True)
class Size:
    """How much is run.

    Attributes:
        seconds: Of each measurement.
        small: Measurements in the store at first.
        large: The same at last.
        rows: Measurements that each runner records as fast as it can.
        batch: Measurements a call at OFFERED a second.
    """

    seconds: float
    small: int
    large: int
    rows: int
    batch: int = 16


FULL = Size(seconds=20.0, small=1000, large=1_000_000, rows=8_000)
QUICK = Size(seconds=5.0, small=1000, large=20_000, rows=1_600)


@dataclass(frozen=True)
class Figures:
    """What was measured of a coordinator.

    Attributes:
        database: Its database.
        stored: Measurements in it when this began.
        records: Measurements a second that were acknowledged, as fast as RUNNERS could.
        record_ms: Median and 99th percentile of a call's milliseconds meanwhile.
        cpu_us: The server's processor time a measurement meanwhile, in microseconds.
        get_ms: The same two of GetJob's milliseconds at OFFERED measurements a second.
        submit_ms: The same of CreateJob.
        offered_ms: The same of RecordMeasurements.
        watch: What watchers saw.
        watch_ms: Median and 99th percentile from an event's time to its arrival.
        reads: What lists cost.
        mebibytes: Resident memory of the server at the end of this.
    """

    database: str
    stored: int
    records: float
    record_ms: tuple[float, float]
    cpu_us: float
    get_ms: tuple[float, float]
    submit_ms: tuple[float, float]
    offered_ms: tuple[float, float]
    watch: clients.Watched
    watch_ms: tuple[float, float]
    reads: Reads
    mebibytes: float


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Returns the median and the 99th percentile, in milliseconds."""
    ordered = sorted(seconds)
    return 1e3 * ordered[len(ordered) // 2], 1e3 * ordered[int(len(ordered) * 0.99)]


def throughput(
    server: Served, some: list[clients.Runner], count: int
) -> tuple[float, tuple[float, float], float]:
    """Returns measurements a second while all record at once.

    Beside it the calls' milliseconds, and the server's processor time a measurement, in
    microseconds.
    """
    work = [(clients.record_all, (server.address, server.pid, r, count)) for r in some]
    done, cpu = zip(*together(*work), strict=True)
    for runner in some:
        runner.sent += count
    begin, end = min(d[0][0] for d in done), min(d[-1][1] for d in done)
    acknowledged = sum(n for d in done for _, at, n in d if at <= end)
    each = 1e6 * max(cpu) / (count * len(some))
    return acknowledged / (end - begin), percentiles([b - a for d in done for a, b, _ in d]), each


def latencies(
    server: Served, some: list[clients.Runner], size: Size
) -> tuple[list[float], list[float], list[float]]:
    """Returns the seconds of GetJob, CreateJob and RecordMeasurements at OFFERED."""
    token = clients.bearer(server.token)
    asks = [(token, clients.a_get(r.job)) for r in some] * int(25 * size.seconds / len(some))
    submits = [(token, clients.a_job()) for _ in range(int(2 * size.seconds))]
    get, submit, record = together(
        (clients.offer, (server.address, clients.Offered(clients.GET, asks, 25.0))),
        (clients.offer, (server.address, clients.Offered(clients.CREATE, submits, 2.0))),
        (clients.offer_records, (server.address, OFFERED, some, size.batch, size.seconds)),
    )
    _sent(some, size, size.batch)
    return get, submit, record


def watched(server: Served, some: list[clients.Runner], size: Size) -> clients.Watched:
    """Returns what the watchers saw of jobs that record OFFERED measurements a second together."""
    jobs, each = [r.job for r in some], WATCHERS // JOBS_WATCHED
    seen: tuple[clients.Watched, list[float]] = together(
        (clients.watch, (server.address, server.token, jobs, each, size.seconds)),
        (clients.offer_records, (server.address, OFFERED, some, 5, size.seconds)),
    )
    _sent(some, size, 5)
    return seen[0]


def _sent(some: list[clients.Runner], size: Size, batch: int) -> None:
    # The runners that sent them were copies, in other processes.
    for runner in some:
        runner.sent += clients.share(OFFERED, len(some), batch, size.seconds)


def measured(
    name: str, url: str, server: Served, some: list[clients.Runner], size: Size
) -> Figures:
    """Measures a coordinator with what its database holds now."""
    stored = rows.recorded(url)
    records, record, cpu = throughput(server, some[:RUNNERS], size.rows)
    get, submit, offered = latencies(server, some[:RUNNERS], size)
    seen = watched(server, some[RUNNERS:], size)
    before = sum(r.sent for r in some)
    figures = Figures(
        database=name,
        stored=stored,
        records=records,
        record_ms=record,
        cpu_us=cpu,
        get_ms=percentiles(get),
        submit_ms=percentiles(submit),
        offered_ms=percentiles(offered),
        watch=seen,
        watch_ms=percentiles(seen.lags),
        reads=reads(server, some[0].job),
        mebibytes=server.mebibytes(),
    )
    assert rows.recorded(url) == before, "measurements are missing, or too many"
    return figures


def coordinator(name: str, url: str, size: Size) -> Iterator[Figures]:
    """Yields what was measured with few measurements in the database, then with many."""
    jobs = RUNNERS + JOBS_WATCHED
    with tempfile.TemporaryDirectory(prefix="tuner-load-") as folder:
        url = url or f"sqlite:///{folder}/tuner.db"
        with served(Path(folder), url, jobs) as server:
            some = clients.runners(server, jobs)
            for target in (size.small, size.large):
                _fill(url, some[:RUNNERS], target)
                yield measured(name, url, server, some, size)


def _fill(url: str, some: list[clients.Runner], target: int) -> None:
    lacking = max(0, target - rows.recorded(url)) // len(some)
    for runner in some:
        rows.fill(url, runner.job, runner.sent, lacking)
        runner.sent += lacking


def optuna(folder: Path, url: str, seconds: float) -> Iterator[tuple[str, float]]:
    """Yields Optuna's ways and their trials a second, from as many processes."""
    peers.begin(url)
    with peers.proxy(folder, url) as port:
        for way, at in (("Optuna, GrpcStorageProxy", port), ("Optuna, RDBStorage", "")):
            for how, at_once in (("ask and tell", False), ("add_trial", True)):
                work = (peers.record_trials, (url, at, at_once, seconds))
                yield f"{way}, {how}", sum(together(*[work] * RUNNERS))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a check, no figures")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="one database of the two")
    parser.add_argument("--no-peers", action="store_true", help="leave Optuna out")
    parser.add_argument("--json", type=Path, help="save the figures here")
    parser.add_argument("--stored", type=int, help="measurements to end with")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    size = replace(
        size, large=options.stored or size.large, seconds=options.seconds or size.seconds
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    figures: list[Figures] = []
    ways: dict[str, dict[str, float]] = {}
    for name, database in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        if options.only not in (None, name):
            continue
        with database() as new:
            for found in coordinator(name, new(), size):
                figures.append(found)
                print(markdown([found], {}), file=sys.stderr, flush=True)
            if not options.no_peers:
                with tempfile.TemporaryDirectory(prefix="tuner-load-") as folder:
                    at = new().replace("postgresql:", "postgresql+psycopg:")
                    peer = optuna(Path(folder), at or peers.sqlite_url(Path(folder)), size.seconds)
                    ways[name] = {}
                    for way, rate in peer:
                        ways[name][way] = rate
                        print(f"{name}, {way}: {rate:.1f}/s", file=sys.stderr, flush=True)
    print(markdown(figures, ways))
    if options.json:
        data = {"figures": [asdict(f) for f in figures], "optuna": ways}
        options.json.write_text(json.dumps(data, indent=2))


@contextmanager
def _sqlite() -> Iterator[Callable[[], str]]:
    yield lambda: ""


@contextmanager
def _postgresql() -> Iterator[Callable[[], str]]:
    with postgres(durable=True) as running:
        yield running.new_database


def markdown(figures: Sequence[Figures], ways: dict[str, dict[str, float]]) -> str:
    """Returns the figures as tables."""
    lines = [
        f"| durable records from {RUNNERS} writers | database | records/s | times the proxy's |",
        "| --- | --- | --- | --- |",
    ]
    for database in dict.fromkeys(f.database for f in figures):
        own = [f for f in figures if f.database == database]
        told = {f"coordinator, {f.stored:,} stored": f.records for f in own}
        told |= ways.get(database, {})
        least = next((rate for way, rate in told.items() if "Proxy" in way), None)
        for way, rate in told.items():
            ratio = "" if least is None else f"{rate / least:.1f}"
            lines.append(f"| {way} | {database} | {rate:,.0f} | {ratio} |")
    for database in dict.fromkeys(f.database for f in figures):
        own = [f for f in figures if f.database == database]
        lines += ["", *_beside(database, own)]
    return "\n".join(lines)


def _beside(database: str, own: Sequence[Figures]) -> Iterator[str]:
    yield f"| {database} | " + " | ".join(f"{f.stored:,} stored" for f in own) + " | ratio |"
    yield "| --- |" + " --- |" * (len(own) + 1)
    for label, of in _LINES.items():
        values = [of(f) for f in own]
        ratio = values[-1] / values[0] if values[0] else float("nan")
        yield f"| {label} | " + " | ".join(f"{v:,.1f}" for v in values) + f" | {ratio:.2f} |"


_LINES: dict[str, Callable[[Figures], float]] = {
    "records/s, as fast as it goes": lambda f: f.records,
    "the server's processor time a record, us": lambda f: f.cpu_us,
    "RecordMeasurements meanwhile, median ms": lambda f: f.record_ms[0],
    "RecordMeasurements meanwhile, p99 ms": lambda f: f.record_ms[1],
    "GetJob at 1,000 records/s, median ms": lambda f: f.get_ms[0],
    "GetJob at 1,000 records/s, p99 ms": lambda f: f.get_ms[1],
    "CreateJob at 1,000 records/s, median ms": lambda f: f.submit_ms[0],
    "CreateJob at 1,000 records/s, p99 ms": lambda f: f.submit_ms[1],
    "RecordMeasurements at 1,000 records/s, p99 ms": lambda f: f.offered_ms[1],
    "1,000 watchers: messages a second each": lambda f: f.watch.rate,
    "1,000 watchers: most within a second": lambda f: f.watch.most_a_second,
    "1,000 watchers: event to arrival, median ms": lambda f: f.watch_ms[0],
    "1,000 watchers: event to arrival, p99 ms": lambda f: f.watch_ms[1],
    "1,000 watchers: with a gap or a repeat": lambda f: f.watch.gaps,
    "ListMeasurements, first page, ms": lambda f: f.reads.measurements_first,
    "ListMeasurements, last page, ms": lambda f: f.reads.measurements_last,
    "ListTrials, first page, ms": lambda f: f.reads.trials_first,
    "ListTrials, tenth page, ms": lambda f: f.reads.trials_tenth,
    "server's memory, MiB": lambda f: f.mebibytes,
}


if __name__ == "__main__":
    main()
