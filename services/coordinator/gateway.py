"""What the coordinator asks of a cluster: run drivers, tell how they fare, show their logs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tuner.jobs import Node
from tuner.wire.names import JobName


class DriverState(StrEnum):
    """Where a driver stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def ended(self) -> bool:
        """Whether it stays so for good."""
        return self not in (DriverState.PENDING, DriverState.RUNNING)


@dataclass(frozen=True)
class Driver:
    """A driver on the cluster.

    Attributes:
        state: Where it stands.
        message: Why, in the cluster's words; may be empty.
    """

    state: DriverState
    message: str = ""


@dataclass(frozen=True)
class Submission:
    """A driver to be started.

    Attributes:
        id: Unique on the cluster for all time.
        job: The job that it drives.
        code: The single-use enrolment code.
        metadata: What people see of it on the dashboard.
    """

    id: str
    job: JobName
    code: str
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class ClusterState:
    """What the cluster has, and what of it is free; live nodes count.

    Attributes:
        nodes: Its nodes, the dead that it remembers among them.
        cpus: Processor cores.
        gpus: Devices.
        cpus_free: Cores that nothing has reserved.
        gpus_free: Devices that nothing has reserved.
        problem: What of this it couldn't tell; may be empty.
    """

    nodes: tuple[Node, ...] = ()
    cpus: float = 0.0
    gpus: float = 0.0
    cpus_free: float = 0.0
    gpus_free: float = 0.0
    problem: str = ""


class GatewayError(Exception):
    """Base of what a gateway raises."""


class UnreachableError(GatewayError):
    """The cluster doesn't answer; the same call may work later."""


class RefusedError(GatewayError):
    """The cluster answers that it won't."""


class ClusterGateway(Protocol):
    """A cluster that runs drivers. Every call raises UnreachableError where it doesn't answer."""

    async def submit(self, submission: Submission) -> None:
        """Starts a driver; one that was started under this id before is left as it is.

        Raises:
            RefusedError: The cluster won't have it.
        """
        ...

    async def state(self, submission_id: str) -> Driver | None:
        """Returns how the driver fares; None where the cluster doesn't know it."""
        ...

    async def stop(self, submission_id: str) -> None:
        """Asks the driver to end, and kills it after a while. Does not wait."""
        ...

    async def logs(self, submission_id: str) -> str | None:
        """Returns the driver's whole log so far; None where the cluster doesn't know it."""
        ...

    def tail(self, submission_id: str) -> AsyncGenerator[str, None]:
        """Yields the driver's log from its beginning, in pieces, until the driver ends."""
        ...

    async def status(self) -> ClusterState:
        """Returns what the cluster has."""
        ...

    def close(self) -> None:
        """Gives up what it holds; drivers run on."""
        ...
