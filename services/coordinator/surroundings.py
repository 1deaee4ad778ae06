"""What the scheduler sees: the cluster, the namespaces, and every job with its runner's load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import structlog

from services.coordinator.core import Core
from services.coordinator.gateway import GatewayError
from services.coordinator.scheduling.model import Account, Job, Shape, World
from services.coordinator.store.accounts import DAYS_OF_DEVICE_HOURS
from services.coordinator.store.rows import JobRow
from services.coordinator.store.shares import Load
from tuner.jobs import JobState
from tuner.wire.names import JobName

log = structlog.get_logger(__name__)

CLUSTER_SECONDS = 3.0
"""How often the cluster is asked what it has."""

FIRST_ANSWER_SECONDS = 10.0
"""How long the first look waits for the cluster."""

LOOK_BACK_SECONDS = 10.0
"""How often it is read what was used, and where packets were lost."""

BAD_NODE_PACKETS = 3
"""A node that has lost so many packets of late is kept off."""

BAD_NODE_MINUTES = 10
"""And of late means within so many minutes."""

LEAVING = (JobState.PAUSING, JobState.STOPPING, JobState.CANCELLING)


class Surroundings:
    """Keeps asking the cluster, and puts together what the policy decides upon.

    Attributes:
        problem: Why the cluster can't be reached; empty while it can.
    """

    def __init__(self, core: Core) -> None:
        """Asks nothing before `start`."""
        self._core = core
        self._task: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()
        self._nodes: dict[str, Shape] | None = None
        self._accounts: dict[str, Account] = {}
        self._bad_nodes: frozenset[str] = frozenset()
        self._used: dict[str, float] = {}
        self._next_look_back = 0.0
        # Goes on evenly when the clock is set.
        self._epoch = time.time() - time.monotonic()
        self.problem = ""

    def start(self) -> None:
        """Begins to ask the cluster."""
        self._task = asyncio.create_task(self._watch_cluster(), name="surroundings")

    async def stop(self) -> None:
        """Asks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def world(
        self, rows: Iterable[JobRow], loads: Mapping[JobName, Load], inside: set[JobName]
    ) -> World:
        """Returns the present.

        Args:
            rows: Jobs that wait, run or are on their way out.
            loads: What their runners last said.
            inside: Jobs that have been let out of the queue.

        Raises:
            UnavailableError: The database can't be reached.
        """
        if not self._asked.is_set():
            try:
                async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                log.warning("the cluster doesn't say what it has")
                self._asked.set()
        await asyncio.to_thread(self._read)
        return World(
            time=self._epoch + time.monotonic(),
            nodes=self._nodes,
            jobs=tuple(_job(row, loads.get(row.name, Load()), inside) for row in rows),
            accounts=self._accounts,
            bad_nodes=self._bad_nodes,
        )

    def _read(self) -> None:
        store, now = self._core.store, datetime.now(UTC)
        if time.monotonic() >= self._next_look_back:
            self._used = store.usage(now - timedelta(days=DAYS_OF_DEVICE_HOURS))
            lost = store.lost_by_node(now - timedelta(minutes=BAD_NODE_MINUTES))
            bad = frozenset(node for node, packets in lost.items() if packets >= BAD_NODE_PACKETS)
            for node in sorted(bad - self._bad_nodes):
                log.warning("node is kept off", node=node, packets_lost=lost[node])
            self._bad_nodes = bad
            self._next_look_back = time.monotonic() + LOOK_BACK_SECONDS
        self._accounts = {
            name: Account(quota, self._used.get(name, 0.0) / 3600)
            for name, quota in store.quotas().items()
        }

    async def _watch_cluster(self) -> None:
        while True:
            try:
                cluster = await self._core.gateway.status()
            except GatewayError as error:
                if not self.problem:
                    log.warning("cluster silent; shares stay as they are", reason=str(error))
                self.problem = str(error)
            except Exception as error:
                # An answer that nobody foresaw must not be the last one that was asked for.
                if not self.problem:
                    log.exception("what the cluster answers can't be read; shares stay")
                self.problem = f"its answer can't be read ({type(error).__name__})"
            else:
                self.problem = ""
                self._nodes = {
                    node.id: Shape(node.cpus, node.gpus) for node in cluster.nodes if node.alive
                }
            self._asked.set()
            await asyncio.sleep(CLUSTER_SECONDS)


def _job(row: JobRow, load: Load, inside: set[JobName]) -> Job:
    wanted = row.spec.resources
    admitted = row.name in inside
    return Job(
        name=str(row.name),
        namespace=row.name.namespace,
        shape=Shape(wanted.cpus, wanted.gpus),
        priority=row.spec.priority,
        created=row.create_time.timestamp(),
        # One that ran before has waited since it was sent back, which its row doesn't tell.
        waits_since=row.create_time.timestamp() if row.attempt == 0 else None,
        limit=wanted.slots,
        admitted=admitted,
        leaving=row.state in LEAVING,
        share=row.share if admitted else None,
        held=load.held,
        busy=load.busy,
        waiting=load.waiting,
    )
