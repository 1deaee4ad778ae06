"""One division of examples in two: stratified, at random, by groups, or at a point in time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from tuner.datasets.base import Data, DataError, Labels

Indices = npt.NDArray[np.int64]

Divide = Callable[[Data, Indices, float, int, str], tuple[Indices, Indices]]
"""(data, examples, share, seed, field) -> (first part, second part of about that share)."""


def stratified(
    data: Data, indices: Indices, share: float, seed: int, field: str
) -> tuple[Indices, Indices]:
    """Divides so that each class has the same share of both parts.

    Raises:
        DataError: A class is too rare, or a part too small. Whether it is follows from
            sizes alone, so one seed answers for all.
    """
    labels = data.y[indices]
    names = data.classes
    counts = np.bincount(labels, minlength=len(names))
    first, second = _sizes(indices, share)
    parts = f"{len(indices)} examples into {first} and {second}"
    # A stratified part gets each class's share rounded down at least, and sklearn wants two.
    needed = max(2, math.ceil(len(indices) / max(first, 1)))
    rarest = int(counts.argmin())
    if min(first, second) < len(names):
        raise DataError(
            f"{field}: would divide {parts}; each part needs at least {len(names)}, one for "
            f"each class. Change {field} or add examples"
        )
    if counts[rarest] < needed:
        raise DataError(
            f"{field}: class {names[rarest]!r} has {counts[rarest]} when dividing {parts}; it "
            f"needs at least {needed}. Add examples of it, leave it out, or change {field}"
        )
    kept, other = train_test_split(
        indices, train_size=first, test_size=second, stratify=labels, random_state=seed
    )
    return kept, other


def stratified_order(y: Labels, classes: int, seed: int) -> Indices:
    """Returns the places of all examples so that every beginning is close to stratified.

    The examples of a class, shuffled, are spread evenly over [0, 1): one of each class comes
    before any second one. Values are shuffled only.

    Args:
        y: Shape (examples,).
        classes: Number of classes; 0 where they are values.
        seed: Of the shuffle.
    """
    shuffled = np.random.default_rng(seed).permutation(len(y))
    if not classes:
        return shuffled
    labels = y[shuffled]
    places = np.empty(len(y))
    for label in range(classes):
        mine = np.flatnonzero(labels == label)
        places[mine] = np.arange(len(mine)) / max(len(mine), 1)
    return shuffled[np.argsort(places, kind="stable")]


def at_random(
    data: Data, indices: Indices, share: float, seed: int, field: str
) -> tuple[Indices, Indices]:
    """Divides a shuffled order; one example of each class, where there are any, is in the first.

    Raises:
        DataError: A part would have fewer than two examples, or the first fewer than classes.
    """
    first, second = _sizes(indices, share)
    needed = max(2, len(data.classes))
    if first < needed or second < 2:
        raise DataError(
            f"{field}: would divide {len(indices)} examples into {first} and {second}; the first "
            f"needs at least {needed}, the second 2. Change {field} or add examples"
        )
    shuffled = np.random.default_rng(seed).permutation(indices)
    if data.classes:
        ahead = np.unique(data.y[shuffled], return_index=True)[1]
        shuffled = np.concatenate([shuffled[np.sort(ahead)], np.delete(shuffled, ahead)])
    return shuffled[:first], shuffled[first:]


def by_group(
    data: Data, indices: Indices, share: float, seed: int, field: str
) -> tuple[Indices, Indices]:
    """Divides so that no group is on both sides.

    Groups are met in a seeded order and go to the second part while it has room, but never
    the last one in which a class is left. First each class, the rarest before the others,
    gets a group that holds it, so that the second part has every class where that can be.

    Raises:
        DataError: There are fewer than two groups, or none can be spared. Whether one
            can follows from the groups alone, so one seed answers for all.
    """
    if data.groups is None:
        raise DataError(f"{field}: the data has no groups; choose another split.method")
    codes, members = np.unique(data.groups[indices], return_inverse=True)
    if len(codes) < 2:
        raise DataError(
            f"{field}: {len(indices)} examples of {len(codes)} group can't be divided by group; "
            "at least two groups are needed in each part that is divided"
        )
    labels = np.zeros(len(indices), dtype=np.int64)
    if data.classes:
        labels = data.y[indices].astype(np.int64)
    table = np.zeros((len(codes), int(labels.max()) + 1), dtype=np.int64)
    np.add.at(table, (members, labels), 1)
    table = table[:, table.any(axis=0)]
    order = np.random.default_rng(seed).permutation(len(codes))
    chosen = _spared(table, order, share * len(indices))
    if not chosen.any():
        raise DataError(
            f"{field}: each of the {len(codes)} groups is the only one with some class, so none "
            "can be set aside; every class must be in at least two groups"
        )
    second = chosen[members]
    return indices[~second], indices[second]


def _spared(
    table: npt.NDArray[np.int64], order: npt.NDArray[np.int64], room: float
) -> npt.NDArray[np.bool_]:
    """Returns which groups go to the second part.

    Args:
        table: Shape (groups, classes): examples of each.
        order: The groups, shuffled.
        room: Examples that the second part is to have.
    """
    sizes, holds = table.sum(axis=1), table > 0
    left = holds.sum(axis=0)
    chosen = np.zeros(len(table), dtype=bool)
    taken = 0

    def take(group: int, limit: float) -> bool:
        nonlocal taken, left
        if chosen[group] or taken + sizes[group] > limit or (left - holds[group] < 1).any():
            return False
        chosen[group] = True
        taken += int(sizes[group])
        left = left - holds[group]
        return True

    # A class counts for more than the size: one group may pass the room by half of itself.
    for label in np.argsort(left, kind="stable"):
        if not (chosen & holds[:, label]).any():
            fitting = [g for g in order if holds[g, label]]
            if not any(take(g, room + sizes[g] / 2) for g in fitting):
                any(take(g, 2 * room) for g in sorted(fitting, key=lambda g: sizes[g]))
    for group in order:
        take(group, room + sizes[group] / 2)
    if not chosen.any():  # every group is larger than the room: the smallest will do
        any(take(g, math.inf) for g in sorted(order, key=lambda g: sizes[g]))
    return chosen


def in_time(
    data: Data, indices: Indices, share: float, seed: int, field: str
) -> tuple[Indices, Indices]:
    """Divides at a point in time: all of the second part is later than all of the first.

    The point is the one nearest to the share that parts no examples of one time; the seed
    changes nothing. Both parts come in the order of time.

    Raises:
        DataError: All are of one time, or what comes first lacks a class.
    """
    if data.times is None:
        raise DataError(f"{field}: the data has no times; choose another split.method")
    ordered = indices[np.argsort(data.times[indices], kind="stable")]
    cuts = np.flatnonzero(np.diff(data.times[ordered])) + 1
    if not len(cuts):
        raise DataError(
            f"{field}: {len(indices)} examples are all of one time, so none is later than others"
        )
    cut = int(cuts[np.abs(cuts - (1 - share) * len(ordered)).argmin()])
    first, second = ordered[:cut], ordered[cut:]
    missing = np.setdiff1d(np.arange(len(data.classes)), data.y[first])
    if len(missing):
        raise DataError(
            f"{field}: class {data.classes[int(missing[0])]!r} isn't among the {len(first)} "
            f"examples before the last {len(second)}; what is trained on must hold every class. "
            f"Change {field}, leave the class out, or choose another split.method"
        )
    return first, second


def _sizes(indices: Indices, share: float) -> tuple[int, int]:
    second = round(share * len(indices))
    return len(indices) - second, second
