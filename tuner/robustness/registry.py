"""Every perturbation by its name in the catalog."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from tuner.robustness.base import Disturb, Spoil

# Imported only when asked for: noise needs no torch.
_DISTURB: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "fgsm": ("tuner.robustness.gradients", "fgsm"),
        "pgd": ("tuner.robustness.gradients", "pgd"),
        "transfer": ("tuner.robustness.transfer", "transfer"),
        "decision": ("tuner.robustness.rays", "decision"),
        "shift": ("tuner.robustness.corruptions", "shift"),
        "noise": ("tuner.robustness.corruptions", "noise"),
        "blur": ("tuner.robustness.corruptions", "blur"),
        "contrast": ("tuner.robustness.corruptions", "contrast"),
        "missing": ("tuner.robustness.corruptions", "missing"),
    }
)

_SPOIL: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "label_noise": ("tuner.robustness.training", "label_noise"),
        "imbalance": ("tuner.robustness.training", "imbalance"),
    }
)


def names() -> tuple[str, ...]:
    """Returns the names of all perturbations."""
    return (*_DISTURB, *_SPOIL)


def disturbs_inputs(name: str) -> bool:
    """Tells whether it disturbs what is predicted, and not what is trained on."""
    return name in _DISTURB


def disturb(name: str) -> Disturb:
    """Returns the attack or corruption of that name. Raises KeyError where there is none."""
    module, function = _DISTURB[name]
    return cast(Disturb, getattr(importlib.import_module(module), function))


def spoil(name: str) -> Spoil:
    """Returns what spoils a training set. Raises KeyError where there is none of that name."""
    module, function = _SPOIL[name]
    return cast(Spoil, getattr(importlib.import_module(module), function))
