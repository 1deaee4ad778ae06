"""Whether a job's data may be read, as far as the coordinator can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from services.coordinator.artifacts import Artifacts
from tuner import catalog
from tuner.errors import Status, TunerError, Violation, invalid
from tuner.spec import BlobFile, Dataset

FIELD = "spec.dataset"

# How the files of a data set's own test part begin.
TEST_PREFIX = "t10k-"


def check_dataset(dataset: Dataset, roots: Sequence[Path], artifacts: Artifacts) -> None:
    """Judges where the data comes from. What is in it is for the runner to judge.

    Args:
        dataset: The spec's part.
        roots: Folders below which paths of the cluster may be read.
        artifacts: Where uploaded files are.

    Raises:
        TunerError: INVALID_ARGUMENT where it can't be had; FAILED_PRECONDITION
            where it could, once the files are uploaded.
    """
    if dataset.files:
        _check_names(dataset)
        _check_uploaded(dataset.files, artifacts)
    elif dataset.path:
        _check_path(dataset.path, roots)


def _check_names(dataset: Dataset) -> None:
    field = f"{FIELD}.files"
    source = catalog.SOURCES[dataset.source]
    names = [file.name for file in dataset.files]
    for name, count in Counter(names).items():
        if count > 1:
            raise invalid(field, f"{name!r} is given {count} times; give each file once")
    if source.path == "file" and len(names) != 1:
        raise invalid(field, f"{dataset.source!r} is one file, but {len(names)} are given")
    if source.files:
        _check_folder(source, names)


def _check_folder(source: catalog.Source, names: Sequence[str]) -> None:
    field = f"{FIELD}.files"
    bare = [name.removesuffix(".gz") for name in names]
    for name, count in Counter(bare).items():
        if name not in source.files:
            raise invalid(field, f"{name!r} isn't one of {', '.join(source.files)}")
        if count > 1:
            raise invalid(field, f"{name!r} is given gzipped and not; give one of them")
    for name in source.files:
        # Data may come without a test part; half a part is none.
        part = name.partition("-")[0]
        optional = name.startswith(TEST_PREFIX) and not any(n.startswith(part) for n in bare)
        if name not in bare and not optional:
            raise invalid(field, f"{name!r} is missing; it may be gzipped ({name}.gz)")


def _check_uploaded(files: Sequence[BlobFile], artifacts: Artifacts) -> None:
    violations = []
    for index, file in enumerate(files):
        field = f"{FIELD}.files[{index}]"
        if not artifacts.has(file.sha256):
            problem = f"the content of {file.name!r} isn't here yet; send it by UploadBlob first"
            violations.append(Violation(field, problem))
        elif (size := artifacts.size(file.sha256)) != file.size_bytes:
            problem = f"{file.name!r} has {size} bytes, not {file.size_bytes}"
            violations.append(Violation(f"{field}.size_bytes", problem))
    if violations:
        raise TunerError(
            Status.FAILED_PRECONDITION,
            "BLOB_MISSING",
            "the data set's files must be uploaded before the job is created",
            violations,
        )


def _check_path(path: str, roots: Sequence[Path]) -> None:
    field = f"{FIELD}.path"
    upload = "a client that can see the files uploads them"
    where = f"below {', '.join(map(str, roots))}" if roots else "nowhere: no data root is set"
    if "\0" in path:
        raise invalid(field, "has a zero byte in it", "DATA_OUTSIDE_ROOTS")
    if not Path(path).is_absolute():
        raise invalid(
            field,
            f"{path!r} is no absolute path of the cluster; data may be {where}; {upload}",
            "DATA_OUTSIDE_ROOTS",
        )
    # Resolved, so that neither ".." nor a link leads out of a root.
    resolved = Path(path).resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise invalid(
            field,
            f"{path!r} is not below a data root; data may be {where}; {upload}",
            "DATA_OUTSIDE_ROOTS",
        )
