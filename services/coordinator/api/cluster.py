"""Calls about what there is: the cluster, the learners, a job's logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import tuner
from services.coordinator.api.interceptor import Context
from services.coordinator.core import Core
from services.coordinator.driver_logs import DriverLogs
from services.coordinator.gateway import ClusterState, GatewayError
from services.coordinator.scheduler import RUNNING, WAITING
from services.coordinator.threads import reading
from tuner.catalog import LEARNERS
from tuner.jobs import ClusterStatus
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.catalog import learner_to_wire
from tuner.wire.jobs import cluster_to_wire
from tuner.wire.names import JobName
from tuner.wire.pages import make_token, page_size, read_position

# With lines of 16,384 characters at most, far below what a message may hold.
LINES_A_MESSAGE = 50


class ClusterCalls:
    """The part of TunerService that is about the cluster."""

    def __init__(self, core: Core, logs: DriverLogs) -> None:
        """Takes the parts, and what reads drivers' logs."""
        self._core = core
        self._logs = logs

    async def GetClusterStatus(
        self, request: pb.GetClusterStatusRequest, context: Context
    ) -> pb.ClusterStatus:
        """Answers GetClusterStatus. A cluster that can't be reached is an answer too."""
        try:
            cluster = await self._core.gateway.status()
            problem = cluster.problem
        except GatewayError as error:
            cluster, problem = ClusterState(), str(error)
        rows = await reading(self._core.store.jobs_in, [*RUNNING, *WAITING])
        running = sum(row.state in RUNNING for row in rows)
        status = ClusterStatus(
            dashboard_address=self._core.settings.dashboard_for_people,
            nodes=cluster.nodes,
            cpus=cluster.cpus,
            gpus=cluster.gpus,
            cpus_free=cluster.cpus_free,
            gpus_free=cluster.gpus_free,
            jobs_running=running,
            jobs_queued=len(rows) - running,
            server_version=tuner.__version__,
            problem=problem,
        )
        return cluster_to_wire(status)

    async def ListLearners(
        self, request: pb.ListLearnersRequest, context: Context
    ) -> pb.ListLearnersResponse:
        """Answers ListLearners."""
        listed = [learner for learner in LEARNERS.values() if learner.listed]
        start = read_position(request.page_token, "learners")
        end = start + page_size(request.page_size)
        return pb.ListLearnersResponse(
            learners=[learner_to_wire(learner) for learner in listed[start:end]],
            next_page_token=make_token(str(end), "learners") if end < len(listed) else "",
        )

    async def TailLogs(
        self, request: pb.TailLogsRequest, context: Context
    ) -> AsyncIterator[pb.TailLogsResponse]:
        """Answers TailLogs: every attempt's log, in order."""
        name = JobName.parse(request.name)
        async with aclosing(self._logs.read(name, request.follow)) as pieces:
            async for attempt, lines in pieces:
                for i in range(0, len(lines), LINES_A_MESSAGE):
                    yield pb.TailLogsResponse(lines=lines[i : i + LINES_A_MESSAGE], attempt=attempt)
