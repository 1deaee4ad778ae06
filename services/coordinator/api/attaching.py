"""What a runner attaches to its job: files, and what the data turned out to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from services.coordinator.api.blobs import CHUNK_BYTES
from services.coordinator.artifacts import Artifacts
from services.coordinator.core import Core
from tuner.errors import Status, TunerError, invalid
from tuner.jobs import Artifact, DatasetFacts
from tuner.v1 import record_pb2
from tuner.v1 import runner_service_pb2 as pb
from tuner.wire.artifacts import check_name
from tuner.wire.jobs import facts_from_wire
from tuner.wire.names import JobName

MOST_NOTES = 100
NOTE_CHARACTERS = 2_000
DIGEST_CHARACTERS = 200


async def attach(
    requests: AsyncIterator[pb.AttachArtifactRequest], core: Core
) -> pb.AttachArtifactResponse:
    """Answers AttachArtifact: the content first, then the row that refers to it.

    Raises:
        TunerError: INVALID_ARGUMENT where header, name, size or content is wrong;
            RESOURCE_EXHAUSTED where the file is too large; UNAVAILABLE where a job that
            had the same content was deleted in between.
        StaleError: The attempt has ended.
    """
    first = await anext(requests)  # the gate has seen to it that there is one
    if not first.HasField("header"):
        raise invalid("header", "is missing; it must be in the first message")
    header, attempt = first.header, first.attempt
    check_name(header.name, "header.name")
    limit = core.settings.max_blob_bytes
    if header.size_bytes > limit:
        raise TunerError(
            Status.RESOURCE_EXHAUSTED,
            "BLOB_TOO_LARGE",
            f"{header.name} has {header.size_bytes} bytes; {limit} are allowed",
        )
    existed = await asyncio.to_thread(core.artifacts.has, header.sha256)
    if not existed:
        await _store(first, requests, core.artifacts)
    artifact = Artifact(header.name, header.sha256, header.size_bytes)
    if existed and artifact.size_bytes != (
        size := await asyncio.to_thread(core.artifacts.size, header.sha256)
    ):
        raise invalid("header.size_bytes", f"is {artifact.size_bytes}, but the content has {size}")
    await asyncio.to_thread(
        core.store.attach, JobName.parse(attempt.job), attempt.attempt, attempt.epoch, artifact
    )
    # Once the row is there the content stays; until then another job's end may have taken it.
    if not await asyncio.to_thread(core.artifacts.has, header.sha256):
        raise TunerError(
            Status.UNAVAILABLE, "BLOB_GONE", f"{header.name} was removed meanwhile; send it again"
        )
    return pb.AttachArtifactResponse(existed=existed)


async def _store(
    first: pb.AttachArtifactRequest,
    rest: AsyncIterator[pb.AttachArtifactRequest],
    artifacts: Artifacts,
) -> None:
    header = first.header
    with await asyncio.to_thread(artifacts.open_upload, header.sha256, header.size_bytes) as upload:
        await asyncio.to_thread(upload.write, _chunk(first))
        async for request in rest:
            if request.HasField("header"):
                raise invalid("header", "came twice; send chunks after the first message")
            await asyncio.to_thread(upload.write, _chunk(request))
        await asyncio.to_thread(upload.commit)


def _chunk(request: pb.AttachArtifactRequest) -> bytes:
    chunk: bytes = request.chunk
    if len(chunk) > CHUNK_BYTES:
        raise invalid("chunk", f"has {len(chunk)} bytes; send at most {CHUNK_BYTES} at once")
    return chunk


def judged_facts(message: record_pb2.DatasetFacts) -> DatasetFacts:
    """Returns what the data turned out to be.

    Raises:
        TunerError: INVALID_ARGUMENT where it can't be, or is too long to be kept.
    """
    facts = facts_from_wire(message)
    if not 0 < len(facts.digest) <= DIGEST_CHARACTERS:
        raise invalid("facts.digest", f"must have 1 to {DIGEST_CHARACTERS} characters")
    if not 0 < facts.test_examples < facts.examples:
        problem = f"{facts.test_examples} of {facts.examples} examples can't be the test"
        raise invalid("facts.test_examples", problem)
    if len(facts.notes) > MOST_NOTES:
        raise invalid("facts.notes", f"{len(facts.notes)} notes; give at most {MOST_NOTES}")
    for index, note in enumerate(facts.notes):
        if len(note) > NOTE_CHARACTERS:
            raise invalid(f"facts.notes[{index}]", f"has more than {NOTE_CHARACTERS} characters")
    return facts
