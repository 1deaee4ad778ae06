"""torch's global state, borrowed for one fit and given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from tuner.learners.base import Device

_T = TypeVar("_T")


@contextmanager
def settings_for(device: Device) -> Iterator[None]:
    """Sets the device's thread count and cuDNN's repeatable kernels, and restores what was set.

    On the CPU all operations that networks use here are repeatable for a given
    number of threads. On an accelerator this asks for cuDNN's repeatable
    convolutions in full float32; the sums of pooling may still differ in their
    last bits.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(device.threads)
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def within_memory(run: Callable[[], _T], device: Device) -> _T:
    """Runs a fit and gives the accelerator's memory back to others afterwards.

    Raises:
        MemoryError: The accelerator's memory, or the machine's, is exhausted.
    """
    try:
        return run()
    except torch.OutOfMemoryError as error:
        problem = str(error)
    except RuntimeError as error:
        if "DefaultCPUAllocator" not in str(error):
            raise
        problem = str(error)
    finally:
        if device.name != "cpu":
            torch.cuda.empty_cache()
    # Raised out here because a handled error's frames would hold on to the fit's tensors.
    raise MemoryError(problem)
