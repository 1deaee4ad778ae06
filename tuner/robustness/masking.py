"""Signs that attacks by gradients fail because gradients are masked, not because a model is robust.

A model whose gradients lead nowhere looks robust to whoever follows them, and isn't. The
signs are those of Athalye, Carlini & Wagner (2018), "Obfuscated gradients give a false sense
of security", section 3.1: one step does better than many, attacks that see nothing but
answers do better than those that see gradients, an attack without bounds doesn't succeed
everywhere, and a larger ball is safer than a smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import fisher_exact

from tuner.catalog import Condition

LEVEL = 0.01
"""Of the test whether one attack is stronger than another."""

STUCK = 0.1
"""Share of examples of which more don't stay right in the whole range of values by chance.

Of unmasked models of every family, on tables and images, none did; a loss may still have local
maxima.
"""

MATTERS = 0.01
"""Share of all examples below which those that gradients can't move change no error by much."""

_INSTEAD = "trust transfer and decision instead"


def notes(errors: Mapping[str, float], examples: int) -> dict[str, str]:
    """Returns what the errors of one model under several attacks say about each other.

    Projected gradient descent has all that the others have: more steps than one, and the
    model's own gradients. Where another attack of the same strength, or its own of a smaller
    one, gets more examples wrong beyond noise, its gradients are masked.

    Noise is judged by Fisher's exact test, one-sided at 1 %, as if each attack had seen
    examples of its own. They were the same for all, so that it errs on the side of silence.

    Args:
        errors: Shares of examples that are wrong, by condition: "pgd:0.1". What is no
            attack is passed over.
        examples: How many there were, the same for all.

    Returns:
        Notes, by the conditions that can't be trusted; nothing of the others.
    """
    found: dict[str, str] = {}
    known = [(Condition.parse(name), name) for name in errors]
    attacks = [(c, name) for c, name in known if c.known.group == "attack"]
    for condition, name in attacks:
        if condition.perturbation != "pgd":
            continue
        stronger = [
            f"{other} ({errors[other]:.1%})"
            for rival, other in attacks
            if other != name
            and (
                rival.strength == condition.strength
                or (rival.perturbation == "pgd" and rival.strength < condition.strength)
            )
            and _more(errors[other], errors[name], examples)
        ]
        if stronger:
            found[name] = (
                f"{' and '.join(stronger)} got more wrong than {name} ({errors[name]:.1%}), so "
                "gradients are masked or mislead: this error is too low, trust the largest."
            )
    return found


def of_flat(flat: int, right: int) -> str:
    """Returns what to say where gradients are exactly zero; empty where none is.

    Args:
        flat: Examples at which the gradient is zero everywhere,
        right: of so many that the model still gets right.
    """
    if not flat:
        return ""
    return (
        f"The gradient is exactly zero at {flat} of the {right} examples that stayed right: "
        f"an attack by gradients can't move them; {_INSTEAD}."
    )


def of_whole_range(stuck: int, tried: int, right: int, examples: int) -> str:
    """Returns what to say where the whole range of values doesn't suffice; empty where it does.

    Args:
        stuck: Examples that stayed right though every value could become any that there is,
        tried: of so many,
        right: which were picked from so many that stayed right,
        examples: of all that were attacked.
    """
    if stuck <= STUCK * tried or stuck / tried * right <= MATTERS * examples:
        return ""
    return (
        f"Gradients are masked: with the whole range of values to move in, {stuck} of {tried} "
        f"examples stayed right. This error is too low; {_INSTEAD}."
    )


def of_one_answer(examples: int) -> str:
    """Returns what to say of a model that answers alike, undisturbed and in the whole range."""
    return (
        f"The model gives all {examples} undisturbed examples the same answer, and keeps to it "
        "in the whole range of values: it ignores its inputs, and what it gets right by that "
        "isn't robustness."
    )


def _more(theirs: float, ours: float, examples: int) -> bool:
    """Tells whether the first error is larger than the second beyond noise."""
    wrong = [round(error * examples) for error in (theirs, ours)]
    if wrong[0] <= wrong[1]:
        return False
    table = np.array([[count, examples - count] for count in wrong])
    return bool(fisher_exact(table, alternative="greater").pvalue < LEVEL)
