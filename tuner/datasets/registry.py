"""Every data source by its name in the catalog."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from tuner import catalog
from tuner.datasets.base import Data, DataError, Request, Source

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


def load(source: str, request: Request | None = None) -> Data:
    """Reads a data set.

    Args:
        source: A source of the catalog.
        request: What is asked of it; nothing where it needs nothing.

    Raises:
        DataError: There is no such source, it can't be read, or makes no sense.
    """
    if source not in _CLASSES:
        raise DataError(f"there is no data source {source!r}; there are {', '.join(_CLASSES)}")
    request = request or Request()
    wanted = catalog.SOURCES[source].path
    if wanted in ("file", "folder") and request.path is None and not request.files:
        raise DataError(f"{source}: neither a {wanted} nor files were given")
    module, name = _CLASSES[source]
    reader = cast(Source, getattr(importlib.import_module(module), name)())
    return reader.load(request)
