"""Kept models that a spec starts from: found here, and described by their content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tuner.client.packing import Packed
from tuner.errors import invalid
from tuner.spec import BlobFile, JobSpec, KeptModel, Search

ABOUT = "model.json"

_PARTS = (".json", ".safetensors", ".skops")
"""How the names of a model's files end; its card, which is for people, is none of it."""


def with_local_models(
    spec: JobSpec, described: Callable[[Packed], BlobFile]
) -> tuple[JobSpec, dict[BlobFile, Packed]]:
    """Returns the spec with its models described by content, and what each archive holds.

    Of a folder's path nothing but its own name stays in the spec.

    Args:
        spec: The spec.
        described: Returns what an archive's content is.

    Raises:
        TunerError: INVALID_ARGUMENT, field `searches[N].model`: there is no such folder, or
            no model in it.
    """
    blobs: dict[BlobFile, Packed] = {}
    searches: list[Search] = []
    for index, search in enumerate(spec.searches):
        model = search.model
        if model is not None and model.archive is None:
            content = packed_model(model.folder, f"searches[{index}].model")
            blob = described(content)
            blobs[blob] = content
            kept = KeptModel(folder=content.folder.name, archive=blob)
            search = search.model_copy(update={"model": kept})
        searches.append(search)
    return (spec.model_copy(update={"searches": tuple(searches)}) if blobs else spec), blobs


def packed_model(name: str, field: str) -> Packed:
    """Returns a model's files, without its card.

    Raises:
        TunerError: INVALID_ARGUMENT: the folder isn't there, or holds no model.
    """
    folder = Path(name).expanduser().resolve()
    if not folder.is_dir():
        problem = f"there is no folder {name!r} in {Path.cwd()}; give one that `tuner export` made"
        raise invalid(field, problem, "BAD_MODEL")
    files = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in _PARTS and path.is_file()
    )
    if ABOUT not in files:
        problem = f"{folder} holds no model: no {ABOUT} is in it; `tuner export` writes one"
        raise invalid(field, problem, "BAD_MODEL")
    return Packed(folder, tuple(files), field)
