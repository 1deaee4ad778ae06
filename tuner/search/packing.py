"""Packets: what a device is sent at once. How a learner runs it is the learner's business."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

from tuner.record import Packet, Phase, Setting
from tuner.search.selection import Group

_T = TypeVar("_T")


@dataclass(frozen=True)
class Work:
    """A setting on a replicate, at levels that one packet scores."""

    setting: Setting
    levels: Group
    replicate: int


def pack(
    search: str,
    step: int,
    phase: Phase,
    work: Iterable[Work],
    fuse: int = 1,
    fused: Collection[str] = (),
) -> list[Packet]:
    """Returns a step's packets, in the order of their first work.

    Args:
        search: The search's key.
        step: The step's number.
        phase: What the packets are for.
        work: What is to be done; at least all of one setting, level and replicate once.
        fuse: Most fits that a packet may hold; 1 where nothing is fused.
        fused: Hyperparameters in which the fits of a packet may differ.
    """

    def fixed(setting: Setting) -> Setting:
        return tuple((name, value) for name, value in setting if name not in fused)

    todo = list(work)
    # Settings of one shape on a replicate; what is alone there, with its other replicates.
    shapes = _grouped(((w.levels, w.replicate, fixed(w.setting)), w) for w in todo)
    alone = [some[0] for some in shapes.values() if len(some) == 1]
    crowds = [some for some in shapes.values() if len(some) > 1]
    crowds += _grouped(((w.levels, w.setting), w) for w in alone).values()
    position = {w: i for i, w in enumerate(todo)}
    bundles = []
    for crowd in crowds:
        size = max(fuse // len(crowd[0].levels), 1)
        bundles += [crowd[i : i + size] for i in range(0, len(crowd), size)]
    bundles.sort(key=lambda bundle: position[bundle[0]])
    return [
        Packet(
            f"{search}:{step}:{i}",
            phase,
            _distinct(w.setting for w in bundle),
            bundle[0].levels,
            _distinct(w.replicate for w in bundle),
        )
        for i, bundle in enumerate(bundles)
    ]


def _grouped(keyed: Iterable[tuple[object, Work]]) -> dict[object, list[Work]]:
    found: dict[object, list[Work]] = {}
    for key, work in keyed:
        found.setdefault(key, []).append(work)
    return found


def _distinct(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
