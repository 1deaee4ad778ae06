"""Threads of the libraries that compute for scikit-learn and NumPy, limited for a while."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Limits BLAS and OpenMP to so many threads as long as this lasts.

    To look for these libraries takes milliseconds, more than many a prediction: it is done
    anew only once modules were imported, which is how libraries are loaded.
    """
    with _found(len(sys.modules)).limit(limits=threads):
        yield


@functools.lru_cache(maxsize=1)
def _found(modules: int) -> ThreadpoolController:
    return ThreadpoolController()
