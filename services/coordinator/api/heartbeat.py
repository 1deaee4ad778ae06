"""A runner's heartbeat, and what it is told in return."""

from __future__ import annotations

from services.coordinator.store.base import Store
from services.coordinator.store.shares import Orders
from tuner.errors import invalid
from tuner.jobs import JobState
from tuner.v1 import runner_service_pb2 as pb
from tuner.wire.names import JobName

MAX_NODES = 10_000
MAX_NODE_ID = 100
"""Characters of a node's name; Ray's ids have 56."""

_DIRECTIVES = {
    JobState.CANCELLING: pb.DIRECTIVE_CANCEL,
    JobState.PAUSING: pb.DIRECTIVE_PAUSE,
    JobState.STOPPING: pb.DIRECTIVE_STOP,
}


def heartbeat(request: pb.HeartbeatRequest, store: Store) -> pb.HeartbeatResponse:
    """Notes the sign of life, and answers how to go on.

    Raises:
        NotFoundError: There is no such job.
        StaleError: The attempt is superseded, or has ended.
        TunerError: INVALID_ARGUMENT where it holds what can't be held.
    """
    name, attempt = JobName.parse(request.attempt.job), request.attempt
    _check_counts(request)
    held: dict[str, int] = {}
    for entry in request.held:
        held[entry.node] = held.get(entry.node, 0) + entry.slots
    store.heartbeat(
        name,
        attempt.attempt,
        attempt.epoch,
        request.slots_busy,
        request.packets_waiting,
        held,
    )
    return answer(store.orders(name))


def _check_counts(request: pb.HeartbeatRequest) -> None:
    """Passes what a runner can hold: what it says is read at every look, and is billed."""
    for field in ("slots_busy", "packets_waiting"):
        if (count := getattr(request, field)) < 0:
            raise invalid(field, f"is {count}; give how many there are, 0 or more")
    if len(request.held) > MAX_NODES:
        raise invalid("held", f"names {len(request.held)} nodes; give {MAX_NODES} at most")
    for place, entry in enumerate(request.held):
        if entry.slots < 0:
            raise invalid(f"held[{place}].slots", f"is {entry.slots}; give 0 or more")
        if len(entry.node) > MAX_NODE_ID:
            raise invalid(
                f"held[{place}].node",
                f"has {len(entry.node)} characters; give Ray's id of the node",
            )


def answer(orders: Orders) -> pb.HeartbeatResponse:
    """Returns what the runner of a job is told. A share of 0 sends it back to the queue."""
    directive, reason = _DIRECTIVES.get(orders.state), orders.reason
    if directive is None:
        reason = orders.share_reason
        if orders.share is None:
            directive = pb.DIRECTIVE_CONTINUE
        else:
            directive = pb.DIRECTIVE_SHARE if orders.share else pb.DIRECTIVE_PAUSE
    return pb.HeartbeatResponse(
        directive=directive,
        slots=orders.share or 0,
        avoid_nodes=orders.avoid_nodes,
        reason=reason,
    )
