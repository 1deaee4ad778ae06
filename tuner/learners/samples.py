"""The axis `samples`: any learner on the first so many examples of each fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tuner import catalog
from tuner.datasets.base import Fold
from tuner.datasets.dividing import stratified_order
from tuner.learners.base import Device, Learner, Result
from tuner.record import Setting, make_setting, seed_of


def evaluate(
    learner: Learner,
    axis: str,
    settings: Sequence[Setting],
    levels: Sequence[int],
    folds: Sequence[Fold],
    device: Device,
    spoil: Callable[[Fold], Fold] | None = None,
) -> Iterator[Result]:
    """Runs a packet of any axis; what isn't `samples` goes to the learner as it is.

    On `samples` a level is the size of the training set: each fold's first examples in an
    order that its seed gives. So a larger set holds the smaller ones, and every class is
    there in about the share that it has, from one example a class on. A tuning fold that
    has fewer examples than the level trains on all that it has.

    Args:
        learner: The learner.
        axis: The searched axis.
        settings: Complete hyperparameters without the searched axis; on `samples` its
            capacities are among them.
        levels: Rising levels of the axis.
        folds: The replicates' data.
        device: Where to run.
        spoil: What is done to each training part, once it is as small as its level; nothing
            where omitted.
    """
    if axis != catalog.SAMPLES.name:
        spoilt = [spoil(fold) for fold in folds] if spoil else folds
        yield from learner.evaluate(axis, settings, levels, spoilt, device)
        return
    for level in levels:
        cut = [first_examples(fold, level) for fold in folds]
        cut = [spoil(fold) for fold in cut] if spoil else cut
        for (inner, capacity), some in _by_capacity(learner, settings).items():
            inside = [_without(setting, inner) for setting in some]
            whole = dict(zip(inside, some, strict=True))
            for result in learner.evaluate(inner, inside, [capacity], cut, device):
                member = replace(result.member, level=level, setting=whole[result.member.setting])
                yield replace(result, member=member)


def first_examples(fold: Fold, count: int) -> Fold:
    """Returns the fold with only so many training examples, or as it is if it has no more."""
    if count >= len(fold.x):
        return fold
    chosen = stratified_order(fold.y, fold.classes, seed_of(fold.seed, "samples"))[:count]
    return replace(fold, x=fold.x[chosen], y=fold.y[chosen])


def _by_capacity(
    learner: Learner, settings: Sequence[Setting]
) -> dict[tuple[str, int], list[Setting]]:
    """Returns the settings by the capacity that the learner is asked for in place of samples."""
    inner = learner.entry.usual_axis
    found: dict[tuple[str, int], list[Setting]] = {}
    for setting in settings:
        capacity = int(dict(setting)[inner]) if inner else 1
        found.setdefault((inner, capacity), []).append(setting)
    return found


def _without(setting: Setting, name: str) -> Setting:
    return make_setting({key: value for key, value in setting if key != name})
