"""A runner's heartbeat, and what it is told in return."""

from __future__ import annotations

from services.coordinator.store.accounts import Orders
from services.coordinator.store.base import Store
from tuner.jobs import JobState
from tuner.v1 import runner_service_pb2 as pb
from tuner.wire.names import JobName

_DIRECTIVES = {
    JobState.CANCELLING: pb.DIRECTIVE_CANCEL,
    JobState.PAUSING: pb.DIRECTIVE_PAUSE,
    JobState.STOPPING: pb.DIRECTIVE_STOP,
}


def heartbeat(request: pb.HeartbeatRequest, store: Store) -> pb.HeartbeatResponse:
    """Notes the sign of life, and answers how to go on. Raises NotFoundError, StaleError."""
    name, attempt = JobName.parse(request.attempt.job), request.attempt
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
