"""Every call with malformed and hostile messages: refused in clear words, and the server goes on.

A real coordinator answers over a real channel, and shows each caller its whole API: the root
token's holder that of people, a runner that of runners.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from access_samples import IN_ORDER, METHODS, REQUESTS, Aim, Metadata, sent, shown
from coordinator_harness import AUTH, TOKEN, House, Runner, ScriptedGateway, house_settings
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hostile import garbled, messages, spoilt
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.coordinator import curves
from services.coordinator.api import passage
from tests.coordinator.store.postgres_server import PostgresMissingError, server
from tuner.errors import Status, TunerError
from tuner.record import Packet, PlanStep, StepKind, make_setting
from tuner.record import Phase as TuningPhase
from tuner.spec import JobSpec, Search
from tuner.v1 import record_pb2
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName
from tuner.wire.pages import make_token
from tuner.wire.record import measurement_to_wire, step_to_wire
from tuner.wire.spec import spec_to_wire

QUICK, LONG = 12, 400

HOSTILE = settings(
    deadline=None,
    derandomize=True,
    database=None,
    # What is found is told as it is: to make it smaller would take a minute each.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Loop:
    """An event loop in a thread: hypothesis calls what isn't asynchronous."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class Failures:
    """Stands in for the gate's log, and keeps what went wrong inside."""

    def __init__(self) -> None:
        self.errors: list[Any] = []

    def error(self, event: str, **facts: Any) -> None:
        self.errors.append((event, facts))

    def debug(self, event: str, **facts: Any) -> None:
        """Refusals are what is wanted."""


@dataclass
class Target:
    """A coordinator with a job that waits, and a runner."""

    loop: Loop
    house: House
    runner: Runner
    idle: str
    failures: Failures

    def aim(self, path: str) -> tuple[Aim, Metadata]:
        if "RunnerService" in path:
            return Aim(self.runner.job, self.runner.attempt), self.runner.metadata
        return Aim(self.idle, self.runner.attempt), AUTH

    def sent(self, path: str, given: list[Message | bytes], metadata: Metadata) -> None:
        """Makes the call. Whatever comes of it must be fit to be told."""
        self.failures.errors.clear()
        _, error = self.loop.run(sent(self.house.channel, path, given, metadata, 1.0))
        assert not self.failures.errors, (path, given, self.failures.errors)
        if error is not None:
            fit(error, path, given)

    def goes_on(self) -> None:
        """Passes a server that still does its work: it answers, takes a job and starts it."""

        async def work() -> None:
            health = health_pb2_grpc.HealthStub(self.house.channel)
            answer = await health.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            # What attacks have brought in gives way to it.
            for row in self.house.store.list_jobs(None, 10_000)[0]:
                if str(row.name) != self.runner.job and not row.state.ended:
                    await self.house.cancel(str(row.name))
            job = await self.house.create(namespace="afterwards")
            await self.house.submission(job.name)
            await self.house.cancel(job.name)

        self.loop.run(work())


def fit(error: TunerError, path: str, given: Any) -> None:
    told = (path, error.status, error.reason, error.message, str(given)[:2000])
    assert error.status is not Status.INTERNAL, told
    assert "Traceback" not in error.message, told
    assert 'File "' not in error.message, told
    assert len(error.message) < 10_000, told


@contextmanager
def serving(folder: Path, processes: Any, **changes: Any) -> Iterator[Target]:
    failures = Failures()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNER_TOKEN", TOKEN)
        patch.setattr(passage, "log", failures)
        patch.setattr(curves, "ProcessPoolExecutor", processes)
        loop = Loop()
        # The runner by hand sends no heartbeats of its own.
        given = house_settings(folder, max_blob_bytes=10_000, lease_seconds=3600, **changes)
        house = House(given, ScriptedGateway())
        loop.run(house.start())
        job = loop.run(house.create(job_id="running"))
        runner = loop.run(house.enrol(job.name))
        idle = loop.run(house.create(job_id="idle"))
        loop.run(house.cancel(idle.name))
        yield Target(loop, house, runner, idle.name, failures)
        loop.run(house.stop())
        loop.close()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, processes: Any) -> Iterator[Target]:
    with serving(tmp_path_factory.mktemp("fuzzing"), processes) as target:
        yield target


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def either(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, processes: Any
) -> Iterator[Target]:
    """One whose record is in either database: what one takes, the other may refuse."""
    folder = tmp_path_factory.mktemp("fuzzing")
    if request.param == "sqlite":
        with serving(folder, processes) as target:
            yield target
        return
    try:
        with server() as postgres:
            url = postgres.new_database()
            with serving(folder, processes, database_url=url) as target:
                yield target
    except PostgresMissingError as error:
        pytest.skip(str(error))


def aimed(message: Message, right: Message) -> Message:
    """Has the message speak of what there is: else it would be refused at the door."""
    for name in ("name", "parent", "attempt"):
        if name in right.DESCRIPTOR.fields_by_name:
            part = type(right)()
            part.CopyFrom(right)
            for field, _ in part.ListFields():
                if field.name != name:
                    part.ClearField(field.name)
            message.ClearField(name)
            message.MergeFrom(part)
    return message


def requests(path: str, right: list[Message]) -> st.SearchStrategy[list[Message | bytes]]:
    """The call's messages made hostile: one of them at least."""
    first, following = right[0], right[1:]
    kind = METHODS[path].input_type
    return st.one_of(
        spoilt(first).map(lambda m: [aimed(m, first), *following]),
        messages(kind).map(lambda m: [aimed(m, first), *following]),
        spoilt(first).map(lambda m: [m, *following]),
        garbled(first).map(lambda m: [m, *following]),
        st.lists(st.one_of(st.just(first), messages(kind), garbled(first)), max_size=3),
    ).filter(lambda given: bool(given) or METHODS[path].client_streaming)


def attack(target: Target, path: str, examples: int) -> None:
    aim, metadata = target.aim(path)
    right = REQUESTS[path.rpartition("/")[2]](aim)

    @settings(HOSTILE, max_examples=examples)
    @given(requests(path, right))
    def attacked(given_: list[Message | bytes]) -> None:
        target.sent(path, given_, metadata)

    attacked()


@pytest.mark.parametrize("path", IN_ORDER, ids=lambda path: path.rpartition("/")[2])
def test_a_hostile_message_is_refused_and_nothing_breaks(target: Target, path: str) -> None:
    attack(target, path, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("path", IN_ORDER, ids=lambda path: path.rpartition("/")[2])
def test_many_hostile_messages_are_refused_and_nothing_breaks(either: Target, path: str) -> None:
    attack(either, path, LONG)
    either.goes_on()


SPECS = [
    JobSpec(
        dataset="digits",
        namespace="default",
        searches=[
            Search(
                "cnn", axis="depth", levels=[1, 2, 4], space={"dropout": {"choices": [0.0, 0.1]}}
            ),
            Search("forest", axis="trees", space={"max_features": {"low": 0.1, "high": 1.0}}),
        ],
        budget={"device_hours": 1, "wall_clock_hours": 1, "trials": 10},
        worth={"gain": 0.01, "device_hours": 40},
        limits={"latency_ms": 5},
        robustness={"conditions": ["decision:0.1"]},
        priority=3,
        notify={"webhook": "https://example.com/hook"},
    ),
    JobSpec(dataset="csv:/data/x.csv?target=y", searches=[Search("svm", axis="samples")]),
]


def spec_attack(target: Target, examples: int) -> None:
    @settings(HOSTILE, max_examples=examples)
    @given(st.sampled_from(SPECS).flatmap(lambda s: spoilt(spec_to_wire(s))), st.booleans())
    def attacked(spec: Any, dry: bool) -> None:
        request = pb.CreateJobRequest(
            parent="namespaces/default",
            spec=spec,
            request_id=f"fuzz-{next(NUMBERS)}",
            validate_only=dry,
        )
        target.sent("/tuner.v1.TunerService/CreateJob", [request], AUTH)

    attacked()
    target.goes_on()


NUMBERS = iter(range(10_000_000, 2 * 10_000_000))


def test_a_hostile_spec_is_refused_field_by_field(target: Target) -> None:
    spec_attack(target, 120)


@pytest.mark.slow
def test_many_hostile_specs_are_refused_field_by_field(target: Target) -> None:
    # Before a database sees one, it is judged.
    spec_attack(target, 5000)


def result_attack(target: Target, examples: int) -> None:
    """What a runner reports of its job, in its own measurements' form."""
    runner = target.runner
    row = measurement_to_wire(runner.row())
    packet = Packet("p", TuningPhase.TUNING, (make_setting({"rate": 0.5}),), (1, 2), (0,))
    search = "simulated/depth"
    step = step_to_wire(PlanStep(search, 1, StepKind.TUNE, "go", "test", packets=(packet,)))

    @settings(HOSTILE, max_examples=examples)
    @given(st.one_of(spoilt(row), spoilt(step)))
    def attacked(message: Message) -> None:
        if isinstance(message, type(row)):
            request: Message = rpb.RecordMeasurementsRequest(
                attempt=runner.attempt, measurements=[message], surplus=[message]
            )
            path = "/tuner.v1.RunnerService/RecordMeasurements"
        else:
            request = rpb.CommitPlanStepRequest(attempt=runner.attempt, step=message)
            path = "/tuner.v1.RunnerService/CommitPlanStep"
        target.sent(path, [request], runner.metadata)

    attacked()
    # What was kept can be read again, by everything that reads it.
    for call in ("GetJob", "ListMeasurements", "ListTrials", "ListPlanSteps", "ListCurves"):
        path = f"/tuner.v1.TunerService/{call}"
        target.sent(path, REQUESTS[call](Aim(runner.job, runner.attempt)), AUTH)
    path = "/tuner.v1.RunnerService/GetAssignment"
    aim, metadata = target.aim(path)
    target.sent(path, REQUESTS["GetAssignment"](aim), metadata)
    target.loop.run(target.house.cancel(runner.job))


def fresh(target: Target) -> Target:
    """The coordinator with a runner that has reported nothing yet."""
    job = target.loop.run(target.house.create())
    runner = target.loop.run(target.house.enrol(job.name))
    return Target(target.loop, target.house, runner, job.name, target.failures)


def test_a_hostile_result_is_refused_and_what_is_kept_can_be_read(target: Target) -> None:
    result_attack(fresh(target), 80)


@pytest.mark.slow
def test_many_hostile_results_are_refused_and_what_is_kept_can_be_read(either: Target) -> None:
    result_attack(fresh(either), 2000)


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 253402300800, -62135596801])
@pytest.mark.parametrize("field", ["start_time", "end_time"])
def test_a_time_that_no_calendar_has_is_refused(target: Target, field: str, seconds: int) -> None:
    row = record_pb2.PacketAttempt(packet="p", number=1, runner_attempt=1)
    row.start_time.seconds = row.end_time.seconds = 1
    getattr(row, field).seconds = seconds
    request = rpb.RecordMeasurementsRequest(attempt=target.runner.attempt, packet_attempts=[row])
    path = "/tuner.v1.RunnerService/RecordMeasurements"
    target.sent(path, [request], target.runner.metadata)


PAGED = [
    ("ListJobs", ("jobs", "namespaces/default")),
    ("ListTrials", ("trials", "{job}", "")),
    ("ListMeasurements", ("measurements", "{job}", "")),
    ("ListPlanSteps", ("steps", "{job}", "")),
    ("ListCurves", ("curves", "{job}", "", "None")),
    ("ListArtifacts", ("artifacts", "{job}")),
    ("ListLearners", ("learners",)),
    ("ListTokens", ("tokens",)),
    ("ListAuditEntries", ("audit", "namespaces/default")),
]


@pytest.mark.parametrize(("call", "bound"), PAGED, ids=[call for call, _ in PAGED])
@pytest.mark.parametrize("key", ["", "x", "-1", "²", "9" * 30, "\0", "1 OR 1", str(2**63)])
def test_a_forged_page_token_is_refused_or_answered(
    target: Target, call: str, bound: tuple[str, ...], key: str
) -> None:
    path = f"/tuner.v1.TunerService/{call}"
    job = target.runner.job
    [request] = REQUESTS[call](Aim(job, target.runner.attempt))
    if "parent" in request.DESCRIPTOR.fields_by_name and bound[1] == "{job}":
        request.parent = job  # type: ignore[attr-defined]
    request.page_token = make_token(key, *(part.format(job=job) for part in bound))  # type: ignore[attr-defined]
    target.sent(path, [request], AUTH)


@pytest.mark.parametrize(
    "metadata",
    [
        shown("tnr_" + "a" * 10 + "_" + "b" * 43),
        shown("tnr_" + "a" * 5000),
        (("authorization", "Bearer"),),
        (("authorization", "Basic eDp5"),),
        (("authorization", ""), ("tuner-user", "%00%0a%ff")),
        (("tuner-user", "x" * 3000), *AUTH),
        (("authorization-bin", b"\xff\x00"),),
    ],
)
def test_hostile_metadata_is_refused_or_answered(target: Target, metadata: Any) -> None:
    for path in ("/tuner.v1.TunerService/ListJobs", "/tuner.v1.RunnerService/Heartbeat"):
        call = path.rpartition("/")[2]
        aim, _ = target.aim(path)
        target.sent(path, REQUESTS[call](aim), metadata)
    target.goes_on()


def test_a_job_that_is_named_by_nobody_is_safe_in_the_log(target: Target) -> None:
    """What strangers send may stand in the audit log, and the log can be read."""
    for name in ("\0", "namespaces/\0/jobs/x", "‮" * 300, "namespaces/default/jobs/x"):
        request = pb.GetJobRequest(name=name)
        target.sent("/tuner.v1.TunerService/GetJob", [request], ())
    parent = JobName.parse(target.idle).parent
    for place in (parent, "namespaces/-"):
        given_ = [pb.ListAuditEntriesRequest(parent=place, page_size=1000)]
        target.sent("/tuner.v1.TunerService/ListAuditEntries", given_, AUTH)
