"""Local data files, found, judged and uploaded by their content."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tuner import catalog
from tuner.client.models import with_local_models
from tuner.client.own_code import with_own_code
from tuner.client.packing import Packed, packed
from tuner.client.transport import Transport
from tuner.errors import TunerError, invalid
from tuner.spec import BlobFile, Dataset, JobSpec
from tuner.spec.roots import ARCHIVE, is_url
from tuner.v1 import tuner_service_pb2 as pb

CHUNK_BYTES = 1 << 20
_SLOWEST_BYTES_A_SECOND = 1 << 20

Content = Path | Packed
"""What is uploaded: a file, or a folder as one archive."""


def with_local_files(spec: JobSpec) -> tuple[JobSpec, dict[BlobFile, Content]]:
    """Returns the spec with its local data and models described by content, and where they are.

    Raises:
        TunerError: INVALID_ARGUMENT, field `dataset`, where the data is neither
            here nor a path on the cluster; field `searches[N].model` or `code`, where there
            is no such model, or no such folder of code.
    """
    spec, models = with_local_models(spec, _described)
    spec, code = with_own_code(spec, _described)
    models |= code
    blobs = {_described(content): content for content in local_files(spec.dataset)}
    if not blobs:
        return spec, dict(models)
    dataset = spec.dataset.model_copy(update={"path": "", "files": tuple(blobs)})
    return spec.model_copy(update={"dataset": dataset}), blobs | models


def upload(transport: Transport, blobs: Mapping[BlobFile, Content]) -> None:
    """Sends each file, unless the coordinator has its content already.

    Raises:
        TunerError: What the coordinator answered, or that it didn't.
    """
    for blob, content in blobs.items():
        header = pb.BlobHeader(sha256=blob.sha256, size_bytes=blob.size_bytes)
        transport.upload(
            transport.stub.UploadBlob,
            functools.partial(_requests, header, content),
            transport.timeout + blob.size_bytes / _SLOWEST_BYTES_A_SECOND,
        )


def local_files(dataset: Dataset) -> list[Content]:
    """Returns the files of this machine that the data set means; none for a cluster's path.

    A folder of any files is one archive: thousands of small ones would each be a call.

    Raises:
        TunerError: INVALID_ARGUMENT, field `dataset`.
    """
    source = catalog.SOURCES[dataset.source]
    if not dataset.path or source.path == "name" or is_url(dataset.path):
        return []
    path = Path(dataset.path).expanduser()
    if not path.exists():
        if path.is_absolute():
            return []
        raise _bad(
            f"there is no {source.path} {dataset.path!r} in {Path.cwd()}; "
            f"give a {source.path} that is here, or an absolute path on the cluster"
        )
    if source.path == "file":
        if not path.is_file():
            raise _bad(f"{path} is no file; write {source.name}:FILE")
        return [path]
    if not path.is_dir():
        raise _bad(f"{path} is no folder; write {source.name}:FOLDER")
    if not source.files:
        return [packed(path)]
    found = {name: _present(path, name) for name in source.files}
    lacking = [name for name in source.files if name.startswith("train-") and not found[name]]
    if lacking:
        raise _bad(
            f"{path} lacks {' and '.join(lacking)}; put {'them' if len(lacking) > 1 else 'it'} "
            "there, gzipped (with .gz behind the name) or not"
        )
    return [file for file in found.values() if file]


def _present(folder: Path, name: str) -> Path | None:
    return next((f for f in (folder / name, folder / f"{name}.gz") if f.is_file()), None)


def _bad(problem: str) -> TunerError:
    return invalid("dataset", problem, "BAD_DATASET")


def _described(content: Content) -> BlobFile:
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(content):
        digest.update(chunk)
        size += len(chunk)
    name = content.name if isinstance(content, Path) else ARCHIVE
    return BlobFile(name=name, sha256=digest.hexdigest(), size_bytes=size)


def _chunks(content: Content) -> Iterator[bytes]:
    if isinstance(content, Packed):
        yield from content.chunks(CHUNK_BYTES)
        return
    try:
        with content.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise _bad(f"{content} can't be read: {error.strerror}") from error


def _requests(header: pb.BlobHeader, content: Content) -> Iterator[pb.UploadBlobRequest]:
    """Yields the header and the content; the coordinator answers early where it has both."""
    yield pb.UploadBlobRequest(header=header)
    for chunk in _chunks(content):
        yield pb.UploadBlobRequest(chunk=chunk)
