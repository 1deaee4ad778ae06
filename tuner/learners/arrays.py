"""Named arrays on disk, as safetensors: nothing is run when they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

Arrays = Mapping[str, npt.NDArray[np.generic]]


def write(file: Path, arrays: Arrays) -> None:
    """Writes arrays of any shape, each under its name."""
    save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, file)


def read(file: Path, axes: Mapping[str, int]) -> dict[str, npt.NDArray[np.generic]]:
    """Returns the arrays that were written there.

    Args:
        file: Where.
        axes: Their names, and how many axes each has.

    Raises:
        ValueError: The file is damaged, or holds other arrays than these.
    """
    arrays = read_any(file)
    found = {name: array.ndim for name, array in arrays.items()}
    if found != dict(axes):
        raise ValueError(f"{file} holds {_told(found)}; {_told(axes)} are needed")
    return arrays


def read_any(file: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Returns the arrays that were written there, whichever they are.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        return dict(load_file(file))
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{file} can't be read as safetensors: {error}") from error


def _told(axes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({axes[name]} axes)" for name in sorted(axes)) or "nothing"
