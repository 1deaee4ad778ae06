"""Policies and worlds by name, and anybody's own policy as module:Class."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from tuner.errors import TunerError, invalid
from tuner.search.climb import Climb
from tuner.search.simulation.optimizers import JointGp, JointTpe
from tuner.search.simulation.plans import Bisection, FixedSweep, Grid, OptunaLevels, Sweep
from tuner.search.simulation.run import Factory

POLICIES: Mapping[str, Factory] = MappingProxyType(
    {
        "climb": Climb,
        "sweep": Sweep,
        "sweep-fixed": FixedSweep,
        "bisection": Bisection,
        "grid": Grid,
        "optuna-levels": OptunaLevels,
        "tpe": JointTpe,
        "gp": JointGp,
    }
)
"""What comes with the simulator."""


def find_policy(name: str) -> Factory:
    """Returns what makes a policy.

    Args:
        name: A name of `POLICIES`, or module:Class of one's own: anything that is
            called with a spec and the search's key, as `Climb` is.

    Raises:
        TunerError: INVALID_ARGUMENT where there is no such policy.
    """
    if name in POLICIES:
        return POLICIES[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise _unknown(name, f"there are {', '.join(POLICIES)}, or your own as module:Class")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        raise _unknown(name, f"there is no module {error.name!r} here") from error
    if not callable(found):
        raise _unknown(name, f"{module} has no {attribute!r} that makes a policy")
    return cast(Factory, found)


def _unknown(name: str, problem: str) -> TunerError:
    return invalid("--policy", f"{name!r} is no policy; {problem}")
