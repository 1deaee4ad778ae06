"""Learners and metrics of the user's own: found here, described, packed to be sent along."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from tuner import catalog, own_code
from tuner.client.packing import Packed
from tuner.errors import TunerError, invalid
from tuner.spec import BlobFile, Code, JobSpec
from tuner.spec.own import MOST_CODE_BYTES

_SKIPPED = ("__pycache__", "node_modules", "venv")


def entry_of(name: str, folder: str) -> catalog.Learner:
    """Returns what a learner of the user's own says of itself: its class's `entry`.

    Args:
        name: "module:Class".
        folder: The folder with the code; "" where it is installed.

    Raises:
        TunerError: INVALID_ARGUMENT, field `searches`: it can't be imported, or says nothing.
    """
    try:
        with own_code.importable(_folder(folder)) if folder else nullcontext():
            found = getattr(own_code.load(name), "entry", None)
    except own_code.OwnCodeError as error:
        raise _bad("searches", str(error)) from error
    if not isinstance(found, catalog.Learner):
        raise _bad(
            "searches",
            f"{name} has no `entry` that is a tuner.catalog.Learner; give the class one, with its "
            "axes and hyperparameters",
        )
    return found


def with_own_code(
    spec: JobSpec, described: Callable[[Packed], BlobFile]
) -> tuple[JobSpec, dict[BlobFile, Packed]]:
    """Returns the spec with its code described by content, and what the archive holds.

    Of the folder's path nothing but its own name stays in the spec.

    Args:
        spec: The spec.
        described: Returns what an archive's content is.

    Raises:
        TunerError: INVALID_ARGUMENT, field `code`: there is no such folder, it holds no
            Python, too much, links out of it, or a module that is there already.
    """
    if spec.code is None or spec.code.archive is not None:
        return spec, {}
    content = packed_code(spec.code.folder)
    blob = described(content)
    code = Code(folder=content.folder.name, archive=blob)
    return spec.model_copy(update={"code": code}), {blob: content}


def packed_code(name: str) -> Packed:
    """Returns a folder's files, but for what is hidden or made. Raises as `with_own_code`."""
    folder = _folder(name)
    files = tuple(sorted(_walked(folder, folder)))
    if not any(file.endswith(".py") for file in files):
        raise _bad("code", f"{folder} holds no Python file; give the folder with your modules")
    size = sum(tarfile.BLOCKSIZE * 2 + (folder / file).stat().st_size for file in files)
    if size > MOST_CODE_BYTES:
        raise _bad(
            "code",
            f"{folder} holds {size:,} bytes; at most {MOST_CODE_BYTES:,} are sent. Give the folder "
            "with your modules alone, and bring data as `dataset`",
        )
    if problem := own_code.clash(folder):
        raise _bad("code", f"{folder}: {problem}")
    return Packed(folder, files, "code")


def _folder(name: str) -> Path:
    folder = Path(name).expanduser().resolve()
    if not folder.is_dir():
        raise _bad("code", f"there is no folder {name!r} in {Path.cwd()}; give one that is here")
    return folder


def _walked(folder: Path, top: Path) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name in _SKIPPED or entry.suffix == ".pyc":
            continue
        if not entry.resolve().is_relative_to(top):
            raise _bad("code", f"{entry} leads out of {top}; put what it means into the folder")
        if entry.is_dir():
            if entry.is_symlink():
                raise _bad("code", f"{entry} is a link to a folder; put the folder there itself")
            yield from _walked(entry, top)
        elif entry.is_file():
            yield entry.relative_to(top).as_posix()


def _bad(field: str, problem: str) -> TunerError:
    return invalid(field, problem, "BAD_CODE")
