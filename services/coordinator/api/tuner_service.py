"""TunerService: the API for people and their programs, put together from its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.coordinator.access.guard import Guard
from services.coordinator.api.access import AccessCalls
from services.coordinator.api.artifacts import ArtifactCalls
from services.coordinator.api.blobs import take_in
from services.coordinator.api.cluster import ClusterCalls
from services.coordinator.api.interceptor import Context
from services.coordinator.api.jobs import JobCalls
from services.coordinator.api.lifecycle import LifecycleCalls
from services.coordinator.api.queue import QueueCalls
from services.coordinator.api.records import RecordCalls
from services.coordinator.api.watching import WatchCalls
from services.coordinator.core import Core
from services.coordinator.curves import Curves
from services.coordinator.driver_logs import DriverLogs
from tuner.v1 import tuner_service_pb2 as pb
from tuner.v1.tuner_service_pb2_grpc import TunerServiceServicer


class TunerService(
    JobCalls,
    LifecycleCalls,
    WatchCalls,
    RecordCalls,
    ClusterCalls,
    ArtifactCalls,
    AccessCalls,
    QueueCalls,
    TunerServiceServicer,
):
    """Every call of TunerService, each answered by the part that it is about."""

    def __init__(
        self,
        core: Core,
        curves: Curves,
        logs: DriverLogs,
        guard: Guard,
    ) -> None:
        """Takes the coordinator's parts."""
        JobCalls.__init__(self, core)
        LifecycleCalls.__init__(self, core)
        WatchCalls.__init__(self, core)
        RecordCalls.__init__(self, core, curves)
        ClusterCalls.__init__(self, core, logs)
        ArtifactCalls.__init__(self, core)
        AccessCalls.__init__(self, core, guard)
        QueueCalls.__init__(self, core)

    async def UploadBlob(
        self, request_iterator: AsyncIterator[pb.UploadBlobRequest], context: Context
    ) -> pb.UploadBlobResponse:
        """Answers UploadBlob."""
        limit = self._core.settings.max_blob_bytes
        return await take_in(request_iterator, self._core.artifacts, limit)
