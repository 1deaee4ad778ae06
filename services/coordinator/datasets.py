"""Whether a job's data may be read, as far as the coordinator can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.coordinator.artifacts import Artifacts
from tuner import catalog
from tuner.errors import Status, TunerError, Violation, invalid
from tuner.spec import BlobFile, Dataset, JobSpec
from tuner.spec.roots import ARCHIVE, IMAGES, is_below, is_url, problem_with_url

FIELD = "spec.dataset"

# How the files of a data set's own test part begin.
TEST_PREFIX = "t10k-"

MOST_SINGLE_FILES = 5_000
"""Files of a folder that may be uploaded one by one; more come in an archive."""


def check_dataset(dataset: Dataset, roots: Sequence[Path | str], artifacts: Artifacts) -> None:
    """Judges where the data comes from. What is in it is for the runner to judge.

    Args:
        dataset: The spec's part.
        roots: Folders and addresses below which data of the cluster may be read.
        artifacts: Where uploaded files are.

    Raises:
        TunerError: INVALID_ARGUMENT where it can't be had; FAILED_PRECONDITION
            where it could, once the files are uploaded.
    """
    if dataset.files:
        _check_names(dataset)
        fields = [f"{FIELD}.files[{index}]" for index in range(len(dataset.files))]
        check_uploaded(dict(zip(fields, dataset.files, strict=True)), artifacts)
    elif catalog.SOURCES[dataset.source].path == "name":
        return  # what stands behind the colon is no path: the source looks it up
    elif dataset.path:
        _check_path(dataset, roots)


def check_models(spec: JobSpec, artifacts: Artifacts) -> None:
    """Judges where the kept models that searches start from are.

    Raises:
        TunerError: INVALID_ARGUMENT where one wasn't packed; FAILED_PRECONDITION where it
            isn't uploaded.
    """
    archives: dict[str, BlobFile] = {}
    for index, search in enumerate(spec.searches):
        if search.model is None:
            continue
        field = f"spec.searches[{index}].model.archive"
        if search.model.archive is None:
            problem = "is missing: the client packs the model's folder and uploads it"
            raise invalid(field, problem)
        archives[field] = search.model.archive
    check_uploaded(archives, artifacts)


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
    elif source.path == "folder":
        _check_images(names)


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


def check_uploaded(files: Mapping[str, BlobFile], artifacts: Artifacts) -> None:
    """Raises TunerError, FAILED_PRECONDITION, unless the files, by their fields, are here."""
    violations = []
    for field, file in files.items():
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
            "the job's files must be uploaded before it is created",
            violations,
        )


def _check_images(names: Sequence[str]) -> None:
    """Judges what the names say; what an archive holds, the runner judges as it reads."""
    field = f"{FIELD}.files"
    if list(names) == [ARCHIVE]:
        return
    if len(names) > MOST_SINGLE_FILES:
        raise invalid(
            field,
            f"are {len(names):,} files; at most {MOST_SINGLE_FILES:,} are taken one by one: send "
            f"the folder as one uncompressed tar archive that is named {ARCHIVE}",
        )
    for name in names:
        if not name.lower().endswith(IMAGES):
            raise invalid(field, f"{name!r} is none of {', '.join(IMAGES)}; leave it out")
        if "/" not in name:
            raise invalid(field, f"{name!r} belongs to no class; name its folder: cats/{name}")


def _check_path(dataset: Dataset, roots: Sequence[Path | str]) -> None:
    path, field = dataset.path, f"{FIELD}.path"
    upload = "a client that can see the files uploads them"
    where = f"below {', '.join(map(str, roots))}" if roots else "nowhere: no data root is set"
    refused: str | None = None
    if "\0" in path:
        refused = "has a zero byte in it"
    elif is_url(path):
        problem = problem_with_url(path)
        if problem is None and catalog.SOURCES[dataset.source].path != "file":
            problem = f"is an address, but {dataset.source} reads a folder; addresses are of files"
        if problem is not None:
            refused = f"{path!r} {problem}"
    elif not Path(path).is_absolute():
        refused = f"{path!r} is no absolute path of the cluster; data may be {where}; {upload}"
    if refused is None and not is_below(path, roots):
        refused = f"{path!r} is not below a data root; data may be {where}; {upload}"
    if refused is not None:
        raise invalid(field, refused, "DATA_OUTSIDE_ROOTS")
