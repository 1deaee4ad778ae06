"""Every data source by its name in the catalog."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import cast

from tuner import catalog
from tuner.datasets.base import Data, DataError, Request, Source

_CLASSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "digits": ("tuner.datasets.digits", "Digits"),
        "breast_cancer": ("tuner.datasets.bundled", "BreastCancer"),
        "wine": ("tuner.datasets.bundled", "Wine"),
        "iris": ("tuner.datasets.bundled", "Iris"),
        "xor": ("tuner.datasets.xor", "Xor"),
        "npz": ("tuner.datasets.npz", "Npz"),
        "idx": ("tuner.datasets.idx", "Idx"),
        "csv": ("tuner.datasets.csv", "Csv"),
        "parquet": ("tuner.datasets.parquet", "Parquet"),
        "images": ("tuner.datasets.images", "Images"),
        "openml": ("tuner.datasets.openml", "OpenMl"),
        "torchvision": ("tuner.datasets.torchvision", "Torchvision"),
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
        DataError: There is no such source, it can't be read, makes no sense, or hasn't
            what shall be predicted.
    """
    if source not in _CLASSES:
        raise DataError(f"there is no data source {source!r}; there are {', '.join(_CLASSES)}")
    request, entry = request or Request(), catalog.SOURCES[source]
    if request.task not in entry.tasks:
        raise DataError(
            f"{source}: holds classes; task: {request.task} predicts numbers, which it hasn't"
        )
    usual = {name: known.default for name, known in entry.options.items() if known.default}
    request = replace(request, options={**usual, **request.options})
    wanted = entry.path
    if wanted in ("file", "folder") and request.path is None and not request.files:
        raise DataError(f"{source}: neither a {wanted} nor files were given")
    module, name = _CLASSES[source]
    reader = cast(Source, getattr(importlib.import_module(module), name)())
    return reader.load(request)
