"""The proxy of the storms: what it says befell a call did."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.chaos.mischief import OFTEN, ONCE, Script
from tests.chaos.proxy import Mode, Proxy
from tests.ray_head import free_ports
from tuner.v1 import runner_service_pb2 as pb
from tuner.v1.runner_service_pb2_grpc import (
    RunnerServiceServicer,
    RunnerServiceStub,
    add_RunnerServiceServicer_to_server,
)


class Backend(RunnerServiceServicer):
    """Notes what arrives, in order."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.news = threading.Condition()

    def CommitPlanStep(self, request, context) -> pb.CommitPlanStepResponse:
        with self.news:
            self.arrived.append(request.attempt.attempt)
            self.news.notify_all()
        return pb.CommitPlanStepResponse(existed=True)

    def GetAssignment(self, request, context) -> Iterator[pb.GetAssignmentResponse]:
        for slots in (1, 2, 3):
            yield pb.GetAssignmentResponse(slots=slots)

    def Enrol(self, request, context) -> pb.EnrolResponse:
        context.set_trailing_metadata((("reason", "used"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the code was used")


class Once:
    """Has one mode befall the next call."""

    def __init__(self) -> None:
        self.mode: Mode | None = None
        self.hits: list[tuple[str, Mode]] = []

    def next(self, method: str) -> Mode | None:
        mode, self.mode = self.mode, None
        return mode

    def hit(self, method: str, mode: Mode) -> None:
        self.hits.append((method, mode))


class Between:
    """A backend behind a proxy, and a stub before it."""

    def __init__(self, backend: Backend, once: Once, stub: RunnerServiceStub, dead: list[bool]):
        self.backend = backend
        self.once = once
        self.stub = stub
        self.dead = dead

    def commit(self, number: int, mode: Mode | None = None) -> bool | None:
        """Calls; tells what was answered, None for UNAVAILABLE."""
        self.once.mode = mode
        request = pb.CommitPlanStepRequest(attempt=pb.AttemptRef(attempt=number))
        try:
            return bool(self.stub.CommitPlanStep(request, timeout=10).existed)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return None

    def arrived(self, count: int) -> list[int]:
        """Returns what has arrived, once it is so many."""
        with self.backend.news:
            assert self.backend.news.wait_for(lambda: len(self.backend.arrived) >= count, 10)
            return [*self.backend.arrived]


@pytest.fixture
def between() -> Iterator[Between]:
    backend, once, dead = Backend(), Once(), []
    server = grpc.server(ThreadPoolExecutor(4))
    add_RunnerServiceServicer_to_server(backend, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def kill() -> bool:
        dead.append(True)
        return True

    [front] = free_ports(1)
    with (
        Proxy(front, f"127.0.0.1:{port}", once, kill) as proxy,
        grpc.insecure_channel(proxy.address) as channel,
    ):
        yield Between(backend, once, RunnerServiceStub(channel), dead)
    server.stop(0).wait()


@pytest.mark.parametrize(
    ("mode", "arrives", "dies"),
    [
        (Mode.REQUEST_LOST, False, False),
        (Mode.ANSWER_LOST, True, False),
        (Mode.KILLED_BEFORE, False, True),
        (Mode.KILLED_AFTER, True, True),
    ],
)
def test_a_call_that_fails_for_its_caller_has_come_through_or_not(
    between: Between, mode: Mode, arrives: bool, dies: bool
):
    assert between.commit(1, mode) is None
    assert between.commit(2) is True
    assert between.backend.arrived == ([1, 2] if arrives else [2])
    assert between.dead == ([True] if dies else [])
    assert between.once.hits == [("CommitPlanStep", mode)]


def test_a_doubled_call_arrives_twice_and_is_answered_once(between: Between):
    assert between.commit(1, Mode.DOUBLED) is True
    assert between.arrived(2) == [1, 1]


def test_a_late_call_arrives_after_those_that_followed_it(between: Between):
    assert between.commit(1, Mode.LATE) is None
    assert between.commit(2) is True
    assert between.commit(3) is True
    assert between.arrived(3) == [2, 3, 1]


def test_a_stream_is_cut_after_its_first_message(between: Between):
    between.once.mode = Mode.ANSWER_LOST
    stream = between.stub.GetAssignment(pb.GetAssignmentRequest(), timeout=10)
    assert next(stream).slots == 1
    with pytest.raises(grpc.RpcError):
        next(stream)
    whole = between.stub.GetAssignment(pb.GetAssignmentRequest(), timeout=10)
    assert [message.slots for message in whole] == [1, 2, 3]


def test_an_error_comes_through_with_all_that_it_says(between: Between):
    with pytest.raises(grpc.RpcError) as caught:
        between.stub.Enrol(pb.EnrolRequest(), timeout=10)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "the code was used"
    assert ("reason", "used") in caught.value.trailing_metadata()


def test_a_seed_draws_the_same_for_every_method_and_kills_wait_until_they_may():
    def draw(script: Script, method: str) -> Mode | None:
        if mode := script.next(method):
            script.hit(method, mode)
        return mode

    drawn = []
    for _ in range(2):
        script = Script(5, lambda method: True)
        drawn.append({m: [draw(script, m) for _ in range(200)] for m in {**ONCE, **OFTEN}})
        assert not script.missed()
    assert drawn[0] == drawn[1]
    assert all(set(modes) <= set(drawn[0][method]) for method, modes in ONCE.items())

    may = False
    script = Script(5, lambda method: may)
    kills = (Mode.KILLED_BEFORE, Mode.KILLED_AFTER)
    before = [script.next("Heartbeat") for _ in range(400)]
    assert not any(mode in kills for mode in before)
    may = True
    after = [script.next("Heartbeat") for _ in range(400)]
    assert {mode for mode in after if mode in kills} == set(kills)
