"""What heartbeats answer: pauses come and go until settled, stops stay, errors are put up with."""

import threading

import pytest

from services.runner.orders import Course, Order, Orders
from services.runner.pulse import Halt, Pulse
from tuner.errors import Status, TunerError
from tuner.trials.work import Load
from tuner.v1 import runner_service_pb2 as pb

SHARE = Order(pb.DIRECTIVE_SHARE, 3, ("bad",))
PAUSE = Order(pb.DIRECTIVE_PAUSE, 0, (), "paused by ada")
STOP = Order(pb.DIRECTIVE_STOP, 2, (), "stopped by ada")


def after(*given: Order) -> Orders:
    orders = Orders()
    for order in given:
        orders.take(order)
    return orders


def test_a_share_and_nodes_to_keep_off_are_kept_and_a_pause_leaves_them():
    orders = after(SHARE, PAUSE)
    assert (orders.slots, orders.avoided) == (3, ("bad",))
    assert (orders.course, orders.reason) == (Course.PAUSE, "paused by ada")


def test_a_stop_begins_no_slots_though_the_job_has_no_share_any_more():
    made_way = Order(pb.DIRECTIVE_STOP, 0, (), "stopped by ada")
    orders = after(SHARE, PAUSE, made_way)
    assert (orders.course, orders.slots, orders.avoided) == (Course.STOP, 3, ("bad",))


@pytest.mark.parametrize(
    ("given", "course"),
    [
        ([PAUSE, SHARE], Course.ON),
        ([PAUSE, STOP], Course.STOP),
        ([STOP, PAUSE], Course.STOP),
        ([STOP, SHARE], Course.STOP),
    ],
)
def test_a_pause_may_be_taken_back_and_a_stop_stays(given, course):
    orders = after(*given)
    assert orders.course is course
    assert not orders.settle()
    assert orders.reason in ("paused by ada", "stopped by ada")


def test_a_settled_pause_is_final():
    orders = after(PAUSE)
    assert orders.settle()
    for order in (SHARE, STOP):
        orders.take(order)
        assert orders.settle()
        assert orders.course is Course.PAUSE


class Link:
    """Answers heartbeats from a list, the last one for ever."""

    heartbeat_seconds = 0.001

    def __init__(self, *answers: Order | TunerError) -> None:
        self.answers = list(answers)
        self.loads: list[Load] = []

    def heartbeat(self, load: Load) -> Order:
        self.loads.append(load)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, TunerError):
            raise answer
        return answer


def beating(link: Link, patience: float = 60.0) -> tuple[Pulse, Halt, Orders, list[str]]:
    halt, orders, said = Halt(), Orders(), []
    load = Load(1, 2, {"node": 3})
    return Pulse(link, halt, lambda: load, orders, said.append, patience), halt, orders, said


def test_errors_that_pass_end_nothing():
    slow = TunerError(Status.DEADLINE_EXCEEDED, "SLOW", "the database is gone")
    link = Link(slow, slow, SHARE)
    pulse, halt, orders, said = beating(link)
    orders.wait(10.0)
    assert orders.slots == 3
    pulse.close()
    assert not halt.event.is_set()
    assert len(said) == 2
    assert link.loads[0] == Load(1, 2, {"node": 3})


def test_nothing_but_errors_is_put_up_with_for_so_long():
    link = Link(TunerError(Status.INTERNAL, "BROKEN", "it is broken"))
    pulse, halt, orders, _ = beating(link, patience=0.05)
    assert halt.event.wait(10.0)
    assert "it is broken" in halt.reason
    orders.wait(10.0)  # nobody waits for an answer that won't come
    pulse.close()


def test_a_superseded_attempt_and_a_cancelled_job_end_at_once():
    stale = TunerError(Status.FAILED_PRECONDITION, "STALE", "attempt 2 has taken over")
    pulse, halt, _, _ = beating(Link(stale))
    assert halt.event.wait(10.0)
    assert halt.stale
    pulse.close()
    pulse, halt, _, _ = beating(Link(Order(pb.DIRECTIVE_CANCEL, 0, (), "cancelled by ada")))
    assert halt.event.wait(10.0)
    assert halt.cancelled
    assert halt.reason == "cancelled by ada"
    pulse.close()
    assert not [t for t in threading.enumerate() if t.name == "pulse"]
