"""A Ray cluster, reached by its dashboard's job and state APIs. Joins no cluster."""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

import structlog

from services.coordinator.gateway import (
    ClusterState,
    Driver,
    DriverState,
    GatewayError,
    Submission,
    UnreachableError,
)
from tuner.jobs import Node

if TYPE_CHECKING:
    from services.coordinator.ray_client import TimedClient

log = structlog.get_logger(__name__)

_Answer = TypeVar("_Answer")

# Ray lets these override the address that a client is given; ours is a setting.
_OVERRIDES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")


class RayGateway:
    """Runs drivers as Ray jobs.

    Ray's token authentication is the SDK's own: RAY_AUTH_MODE and
    RAY_AUTH_TOKEN_PATH in the coordinator's environment.
    """

    def __init__(
        self,
        dashboard: str,
        runner_python: str,
        coordinator: str,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Makes the gateway; nothing is reached before it is needed.

        Args:
            dashboard: The dashboard's address, such as "http://127.0.0.1:8265".
            runner_python: The Python of the nodes that has this package.
            coordinator: "host:port" that drivers connect to.
            more: Further variables of drivers; nothing secret, for anyone may read them.
        """
        self._dashboard = dashboard
        self._python = runner_python
        self._coordinator = coordinator
        self._more = dict(more)
        self._client: TimedClient | None = None
        self._lock = threading.Lock()
        # Threads of its own: a cluster that hangs must not hold up the store's.
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="ray-gateway")
        for name in _OVERRIDES:
            if os.environ.pop(name, None) is not None:
                log.warning("environment variable ignored", name=name, dashboard=dashboard)

    async def submit(self, submission: Submission) -> None:
        """See ClusterGateway."""

        def call(client: TimedClient) -> None:
            try:
                client.submit_job(
                    entrypoint=f"{shlex.quote(self._python)} -m services.runner",
                    submission_id=submission.id,
                    runtime_env={"env_vars": self._environment(submission)},
                    metadata=dict(submission.metadata),
                    entrypoint_num_cpus=0,
                    entrypoint_resources={"runner": 1},
                )
            except GatewayError:
                # Where the id is taken, it was submitted before and the answer got lost.
                if client.find(submission.id) is None:
                    raise

        await self._call(call)

    def _environment(self, submission: Submission) -> dict[str, str]:
        """Returns the driver's variables. Anyone who reads Ray's API reads them."""
        return {
            "TUNER_RUNNER_COORDINATOR": self._coordinator,
            "TUNER_RUNNER_JOB": str(submission.job),
            "TUNER_RUNNER_CODE": submission.code,
            # Tune ends cleanly on SIGINT alone, and needs a moment for it.
            "RAY_JOB_STOP_SIGNAL": "SIGINT",
            "RAY_JOB_STOP_WAIT_TIME_S": "30",
            "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
            "PYTHONUNBUFFERED": "1",
            **self._more,
        }

    async def state(self, submission_id: str) -> Driver | None:
        """See ClusterGateway."""
        details = await self._call(lambda client: client.find(submission_id))
        if details is None:
            return None
        # What follows is the end of the log, which is kept elsewhere.
        message = (details.message or "").partition(", last available logs")[0]
        return Driver(DriverState(details.status.value), message)

    async def stop(self, submission_id: str) -> None:
        """See ClusterGateway."""

        def call(client: TimedClient) -> None:
            if client.find(submission_id) is not None:
                client.stop_job(submission_id)

        await self._call(call)

    async def logs(self, submission_id: str) -> str | None:
        """See ClusterGateway."""

        def call(client: TimedClient) -> str | None:
            if client.find(submission_id) is None:
                return None
            return str(client.get_job_logs(submission_id))

        return await self._call(call)

    async def tail(self, submission_id: str) -> AsyncGenerator[str, None]:
        """See ClusterGateway."""
        from aiohttp import ClientError

        client = await self._call(lambda client: client)
        try:
            async for chunk in client.tail_job_logs(submission_id):
                yield chunk
        except (ClientError, RuntimeError) as error:
            raise UnreachableError(f"the log of {submission_id} broke off: {error}") from error

    async def status(self) -> ClusterState:
        """See ClusterGateway."""
        return await self._call(self._read_status)

    def _read_status(self, client: TimedClient) -> ClusterState:
        nodes = tuple(
            Node(
                id=node.node_id,
                address=node.node_ip,
                cpus=node.resources_total.get("CPU", 0.0),
                gpus=node.resources_total.get("GPU", 0.0),
                alive=node.state == "ALIVE",
            )
            for node in client.nodes()
        )
        live = [node for node in nodes if node.alive]
        used = client.usage()
        cpus, gpus = sum(n.cpus for n in live), sum(n.gpus for n in live)
        return ClusterState(
            nodes=nodes,
            cpus=cpus,
            gpus=gpus,
            cpus_free=max(0.0, cpus - used.get("CPU", 0.0)) if used is not None else 0.0,
            gpus_free=max(0.0, gpus - used.get("GPU", 0.0)) if used is not None else 0.0,
            problem="" if used is not None else "the cluster doesn't say yet what of it is in use",
        )

    def close(self) -> None:
        """Gives up its threads; calls under way end by their time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _call(self, call: Callable[[TimedClient], _Answer]) -> _Answer:
        """Runs a call of the SDK, which blocks, in a thread. Its HTTP calls time out."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: call(self._connected()))

    def _connected(self) -> TimedClient:
        """Returns the client. It asks the cluster's version when made, so it is kept."""
        # Imported late: Ray takes a second, and nothing else of the coordinator needs it.
        from services.coordinator.ray_client import TimedClient

        with self._lock:
            if self._client is None:
                self._client = TimedClient(self._dashboard)
            return self._client
