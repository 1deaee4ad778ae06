"""Every data source by its name in the catalog."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

from tuner import catalog
from tuner.datasets.base import Data, DataError, Source

_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "digits": ("tuner.datasets.digits", "Digits"),
        "npz": ("tuner.datasets.npz", "Npz"),
        "idx": ("tuner.datasets.idx", "Idx"),
    }
)


def names() -> tuple[str, ...]:
    """Returns the names of all sources."""
    return tuple(_CLASSES)


def load(source: str, path: Path | None = None, files: Mapping[str, Path] | None = None) -> Data:
    """Reads a data set.

    Args:
        source: A source of the catalog.
        path: The file or folder on this machine; None where the source needs
            none or the files were uploaded.
        files: Uploaded files by the names they had at their owner's.

    Raises:
        DataError: There is no such source, it can't be read, or makes no sense.
    """
    if source not in _CLASSES:
        raise DataError(f"there is no data source {source!r}; there are {', '.join(_CLASSES)}")
    files = files or {}
    if catalog.SOURCES[source].path != "none" and path is None and not files:
        raise DataError(f"{source}: neither a {catalog.SOURCES[source].path} nor files were given")
    module, name = _CLASSES[source]
    reader = cast(Source, getattr(importlib.import_module(module), name)())
    return reader.load(path, files)
