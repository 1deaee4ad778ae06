"""The files that a job has made: listed, and brought here."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import IO

from tuner.client.paging import paged
from tuner.client.transport import Backoff, Transport
from tuner.errors import Status, TunerError
from tuner.jobs import Artifact
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.artifacts import artifact_from_wire

STREAM_SECONDS = 300.0
"""Deadline of a file's stream, before what its size adds."""

SLOWEST_BYTES_A_SECOND = 1 << 20

RETRY_SECONDS = 60.0
"""How long a coordinator that went away in the middle is tried again."""


def artifacts(transport: Transport, job: str) -> list[Artifact]:
    """Returns the job's files, by name. Raises TunerError."""
    found = paged(
        lambda token: transport.call(
            transport.stub.ListArtifacts, pb.ListArtifactsRequest(parent=job, page_token=token)
        ),
        lambda response: response.artifacts,
    )
    return [artifact_from_wire(message) for message in found]


def download(transport: Transport, job: str, artifact: Artifact, path: Path) -> None:
    """Brings a file here; its folder is made, and nothing half-written is ever at its path.

    Raises:
        TunerError: NOT_FOUND where the job has no such file; INTERNAL where what came
            isn't its content.
        OSError: It can't be written there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    backoff = Backoff(RETRY_SECONDS)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        temporary = Path(file.name)
        try:
            while True:
                try:
                    _receive(transport, job, artifact, file)
                    break
                except TunerError as error:
                    if error.status is not Status.UNAVAILABLE or not backoff.pause():
                        raise
                    file.seek(0)
                    file.truncate()
            file.close()
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _receive(transport: Transport, job: str, artifact: Artifact, file: IO[bytes]) -> None:
    digest = hashlib.sha256()
    request = pb.DownloadBlobRequest(name=job, sha256=artifact.sha256)
    seconds = STREAM_SECONDS + artifact.size_bytes / SLOWEST_BYTES_A_SECOND
    for response in transport.stream(transport.stub.DownloadBlob, request, seconds):
        digest.update(response.chunk)
        file.write(response.chunk)
    if digest.hexdigest() != artifact.sha256:
        raise TunerError(
            Status.INTERNAL,
            "DIGEST_MISMATCH",
            f"what came of {artifact.name} is not its content; the coordinator's store is damaged",
        )
