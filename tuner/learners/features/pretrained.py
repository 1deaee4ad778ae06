"""Networks that were trained on another data set, each trained once in a process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tuner.datasets import registry
from tuner.datasets.base import Data, Features
from tuner.learners.base import Device
from tuner.learners.features.layers import Layers
from tuner.learners.fits import UnsuitableDataError

_KEPT = 8
"""Networks that are kept; a search over depth has about so many."""

SEED = 0
"""Of the weights and shuffles of a network that all replicates share."""


@dataclass(frozen=True)
class Pretrained:
    """A network and what it cost.

    Attributes:
        layers: Its convolutions.
        seconds: What its training took, whenever that was.
    """

    layers: Layers
    seconds: float


_cache: OrderedDict[tuple[object, ...], Pretrained] = OrderedDict()


def source_of(name: str) -> Data:
    """Returns a data set of the catalog that needs no path, with its own test part left out."""
    return registry.load(name)


def refuse_if_known(x: Features, source: Data, name: str) -> None:
    """Refuses a job whose own images the network would be trained on: it would know the test.

    Args:
        x: The job's training images.
        source: What the network is trained on.
        name: What it is called.

    Raises:
        UnsuitableDataError: An image with anything on it is in both.
    """
    if x.shape[1:] != source.x.shape[1:]:
        return
    known = {image.tobytes() for image in np.ascontiguousarray(source.x)}
    spread = np.ptp(x.reshape(len(x), -1), axis=1)
    seen = sum(image.tobytes() in known for image in np.ascontiguousarray(x[spread > 0]))
    if seen:
        raise UnsuitableDataError(
            f"pretrained: {seen} of the {len(x)} training images are {name}'s own, so a network "
            f'trained on all of {name} would know the test. Give "own", or other data'
        )


def trained_once(
    key: tuple[object, ...], train: Callable[[], Layers], device: Device
) -> Pretrained:
    """Returns the network of that key, trained now or before: it is the same bits.

    Args:
        key: All that its weights follow from, but the device.
        train: Trains it; whatever it raises leaves nothing behind.
        device: Where. Another number of threads may give other bits, so it is another network.
    """
    whole = (*key, device.name, device.threads)
    if whole not in _cache:
        clock = time.perf_counter()
        layers = train()
        _cache[whole] = Pretrained(layers, time.perf_counter() - clock)
        if len(_cache) > _KEPT:
            _cache.popitem(last=False)
    _cache.move_to_end(whole)
    return _cache[whole]


def forget() -> None:
    """Empties what is kept."""
    _cache.clear()
