"""Files on their way in and out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from services.coordinator.artifacts import Artifacts
from tuner.errors import Status, TunerError, invalid
from tuner.v1 import tuner_service_pb2 as pb

CHUNK_BYTES = 1024 * 1024
"""Largest chunk of a file, either way."""


async def take_in(
    requests: AsyncIterator[pb.UploadBlobRequest], artifacts: Artifacts, limit: int
) -> pb.UploadBlobResponse:
    """Answers UploadBlob. A file that is there already isn't read again.

    Args:
        requests: The header, then the chunks.
        artifacts: Where the file goes.
        limit: Its largest size in bytes.

    Raises:
        TunerError: INVALID_ARGUMENT where header, size or content is wrong;
            RESOURCE_EXHAUSTED where it is too large.
    """
    first = await anext(requests, None)
    if first is None or first.WhichOneof("part") != "header":
        raise invalid("header", "is missing; it must be the first message")
    sha256, size = first.header.sha256, first.header.size_bytes
    if size > limit:
        raise TunerError(
            Status.RESOURCE_EXHAUSTED,
            "BLOB_TOO_LARGE",
            f"the file has {size} bytes; {limit} are allowed. Put it below a data root of the "
            "cluster and name its path there",
        )
    if await asyncio.to_thread(artifacts.has, sha256):
        size = await asyncio.to_thread(artifacts.size, sha256)
        return pb.UploadBlobResponse(sha256=sha256, size_bytes=size, existed=True)
    with await asyncio.to_thread(artifacts.open_upload, sha256, size) as upload:
        async for request in requests:
            if request.WhichOneof("part") != "chunk":
                raise invalid("header", "came twice; send chunks after the first message")
            if len(request.chunk) > CHUNK_BYTES:
                raise invalid(
                    "chunk", f"has {len(request.chunk)} bytes; send at most {CHUNK_BYTES} at once"
                )
            await asyncio.to_thread(upload.write, request.chunk)
        await asyncio.to_thread(upload.commit)
    return pb.UploadBlobResponse(sha256=sha256, size_bytes=size, existed=False)


async def hand_out(artifacts: Artifacts, sha256: str) -> AsyncGenerator[bytes, None]:
    """Yields a file in chunks. Raises TunerError, NOT_FOUND."""
    file = await asyncio.to_thread(artifacts.open, sha256)
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
