"""Worlds by name."""

from __future__ import annotations

from tuner.errors import invalid
from tuner.search.simulation import hpobench, known
from tuner.search.simulation.hpobench import Spread
from tuner.search.simulation.world import World

TABLES = (
    *(f"hpobench/{name}" for name in hpobench.DATA_SETS),
    *(f"simulated/{name}" for name in known.FIVE),
)
"""What policies are compared on."""


def axes(table: str) -> tuple[str, ...]:
    """Returns the axes of a table. Raises as `find_world` does."""
    if table.startswith("hpobench/") and table in TABLES:
        return hpobench.AXES
    return (find_world(table).axis,)


def find_world(
    table: str, axis: str = "", spread: Spread = Spread.POOLED, *, raw: bool = False
) -> World:
    """Returns a world.

    Args:
        table: One of `TABLES`, or "simulated/" and any of `known.TRUTHS`.
        axis: One of its axes; its first where omitted.
        spread: Of HPOBench's tables: where the scatter of draws comes from.
        raw: Whether measuring replays real seeds.

    Raises:
        TunerError: INVALID_ARGUMENT where there is no such table or axis, or nothing
            to replay; FAILED_PRECONDITION where the tables aren't installed.
    """
    family, _, name = table.partition("/")
    if family == "simulated" and name in known.TRUTHS:
        if raw:
            raise invalid("--raw", f"{table} has no real seeds to replay")
        world = known.load(name)
        if axis not in ("", world.axis):
            raise invalid("--axis", f"{table} has no axis {axis!r}; it has {world.axis}")
        return world
    if table not in TABLES:
        raise invalid("--table", f"there is no table {table!r}; there are {', '.join(TABLES)}")
    if axis not in ("", *hpobench.AXES):
        raise invalid("--axis", f"{table} has no axis {axis!r}; it has {', '.join(hpobench.AXES)}")
    return hpobench.load(name, axis or hpobench.AXES[0], spread, raw=raw)
