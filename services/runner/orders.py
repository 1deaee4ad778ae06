"""How the coordinator wants an attempt to go on: what its answers to heartbeats say."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import IntEnum

from tuner.v1 import runner_service_pb2 as pb


@dataclass(frozen=True)
class Order:
    """The coordinator's answer to a heartbeat.

    Attributes:
        directive: How to go on.
        slots: The job's share; 0 is as many as fit.
        avoid_nodes: Nodes to keep off, by Ray's ids.
        reason: Why, in a sentence; may be empty.
    """

    directive: pb.Directive.ValueType
    slots: int
    avoid_nodes: tuple[str, ...] = ()
    reason: str = ""


class Course(IntEnum):
    """What becomes of the job; where two are asked for, the larger one counts."""

    ON = 0
    # Finish what runs, free the slots, and leave the plan as it is.
    PAUSE = 1
    # Finish what runs, and conclude on what is known.
    STOP = 2


_COURSES = {pb.DIRECTIVE_PAUSE: Course.PAUSE, pb.DIRECTIVE_STOP: Course.STOP}


class Orders:
    """The last orders. A stop stays one; a pause may be taken back until it is settled.

    Attributes:
        reason: Why the job is to pause or to stop.
        slots: The job's share; 0 is as many as fit.
        avoided: Nodes to keep off.
    """

    def __init__(self) -> None:
        """Makes them, to go on with as many slots as fit."""
        self._lock = threading.Lock()
        self._course = Course.ON
        self._settled = False
        self._told = threading.Event()
        self.reason = ""
        self.slots = 0
        self.avoided: tuple[str, ...] = ()

    @property
    def course(self) -> Course:
        """What becomes of the job, as far as was told."""
        return self._course

    def take(self, order: Order) -> None:
        """Takes the answer to a heartbeat; a cancellation is none of these."""
        course = _COURSES.get(order.directive, Course.ON)
        with self._lock:
            if not self._settled and self._course is not Course.STOP:
                if course is not Course.ON:
                    self.reason = order.reason
                self._course = course
            # One that is to end begins no slots: what a job had before it was sent away is none,
            # and none would be as many as fit.
            if course is Course.ON:
                self.slots, self.avoided = order.slots, order.avoid_nodes
        self._told.set()

    def settle(self) -> bool:
        """Makes the pause final where it still is one; tells whether it was."""
        with self._lock:
            self._settled = self._settled or self._course is Course.PAUSE
            return self._settled

    def wait(self, seconds: float) -> None:
        """Waits for the first answer, so long at most: how it goes on may be known by then."""
        self._told.wait(seconds)

    def release(self) -> None:
        """Lets nobody wait any longer, for no answer will come."""
        self._told.set()
