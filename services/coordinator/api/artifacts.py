"""Calls about the files that jobs have made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from services.coordinator.api.blobs import hand_out
from services.coordinator.api.interceptor import Context
from services.coordinator.core import Core
from services.coordinator.threads import reading
from tuner.errors import Status, TunerError
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.artifacts import artifact_to_wire
from tuner.wire.names import JobName
from tuner.wire.pages import make_token, page_size, read_token


class ArtifactCalls:
    """The part of TunerService that is about the files that jobs have made."""

    def __init__(self, core: Core) -> None:
        """Takes the parts."""
        self._core = core

    async def ListArtifacts(
        self, request: pb.ListArtifactsRequest, context: Context
    ) -> pb.ListArtifactsResponse:
        """Answers ListArtifacts."""
        name = JobName.parse(request.parent, "parent")
        limit = page_size(request.page_size)
        after = read_token(request.page_token, "artifacts", request.parent) or ""
        found = await reading(self._core.store.artifacts, name, after, limit + 1)
        page = found[:limit]
        return pb.ListArtifactsResponse(
            artifacts=map(artifact_to_wire, page),
            next_page_token=make_token(page[-1].name, "artifacts", request.parent)
            if len(found) > limit
            else "",
        )

    async def DownloadBlob(
        self, request: pb.DownloadBlobRequest, context: Context
    ) -> AsyncIterator[pb.DownloadBlobResponse]:
        """Answers DownloadBlob, for files of the job alone."""
        name = JobName.parse(request.name)
        if not await reading(self._core.store.has_artifact, name, request.sha256):
            raise TunerError(
                Status.NOT_FOUND,
                "BLOB_NOT_FOUND",
                f"{request.sha256[:100]!r} is no file of {name}; ListArtifacts lists them",
            )
        async with aclosing(hand_out(self._core.artifacts, request.sha256)) as chunks:
            async for chunk in chunks:
                yield pb.DownloadBlobResponse(chunk=chunk)
