"""What a simulation found, the limits that it is held to, and the table that shows it."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

ALPHA = 0.05
"""The share of verdicts that may be wrong, and of sets of intervals that may miss."""

LIMIT_QUANTILE = 0.99
"""An exact method stays within its limit with this chance: 67 of 1,000 at 5 %."""


@dataclass(frozen=True)
class Share:
    """How often something was so.

    Attributes:
        count: So often,
        of: of so many.
        least: Fewer than this fail its gate.
        most: More than this do. One of the two at most; without, nothing is asked.
    """

    count: int
    of: int
    least: int | None = None
    most: int | None = None

    @property
    def room(self) -> float | None:
        """How far within its limit it lies, as a share; negative outside, None without one."""
        if self.least is not None:
            return (self.count - self.least) / self.of
        return None if self.most is None else (self.most - self.count) / self.of

    @property
    def failed(self) -> bool:
        """Whether it lies outside its limit."""
        return self.room is not None and self.room < 0

    @property
    def bound(self) -> str:
        """Its limit in percent; empty where nothing is asked."""
        if self.least is not None:
            return f"at least {100 * self.least / self.of:.1f} %"
        return "" if self.most is None else f"at most {100 * self.most / self.of:.1f} %"

    def __str__(self) -> str:
        """In percent; bold and marked where it fails its gate."""
        if not self.of:
            return "–"
        text = f"{100 * self.count / self.of:.1f} %"
        return f"**{text} !**" if self.failed else text


def limit(of: int, rows: int = 1) -> int:
    """Returns how often something that happens with chance alpha may have happened.

    An exact method stays within it on so many rows at once with the chance above.
    """
    return int(stats.binom.ppf(1 - (1 - LIMIT_QUANTILE) / rows, of, ALPHA))


def rare(count: int, of: int, *, gated: bool) -> Share:
    """Returns the share of what may happen with chance alpha at most."""
    return Share(count, of, most=limit(of) if gated else None)


def covered(count: int, of: int, *, gated: bool, rows: int = 1) -> Share:
    """Returns the share of what has to hold with chance 1 - alpha at least."""
    return Share(count, of, least=of - limit(of, rows) if gated else None)


def stream(seed: int, name: str) -> np.random.Generator:
    """Returns the random numbers of a simulation: its own, whichever others there are."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


Figure = Share | float | str


@dataclass(frozen=True)
class Row:
    """What one simulation found.

    Attributes:
        section: What kind of simulation it was.
        case: What was simulated.
        design: How it was looked at.
        figures: What was found, by the name of its column.
    """

    section: str
    case: str
    design: str
    figures: Mapping[str, Figure]

    @property
    def failed(self) -> list[str]:
        """The figures that fail their gates."""
        return [n for n, v in self.figures.items() if isinstance(v, Share) and v.failed]

    def as_json(self) -> dict[str, object]:
        """Returns it with counts, as plain data."""
        figures = {
            name: {"count": v.count, "of": v.of, "least": v.least, "most": v.most}
            if isinstance(v, Share)
            else v
            for name, v in self.figures.items()
        }
        return {
            "section": self.section,
            "case": self.case,
            "design": self.design,
            "figures": figures,
            "failed": self.failed,
        }


def worst(rows: Sequence[Row]) -> list[Row]:
    """Returns, for every section with gates, each gated figure nearest to its limit."""
    found = []
    for section in dict.fromkeys(row.section for row in rows):
        gated: dict[str, list[tuple[float, Row, Share]]] = {}
        for row in (row for row in rows if row.section == section):
            for name, share in row.figures.items():
                if isinstance(share, Share) and share.room is not None:
                    gated.setdefault(name, []).append((share.room, row, share))
        for name, each in gated.items():
            _, row, share = min(each, key=lambda one: one[0])
            figures: dict[str, Figure] = {
                "figure": name,
                "worst": share,
                "limit": share.bound,
                "gated rows": str(len(each)),
                "failed": str(sum(room < 0 for room, _, _ in each)),
            }
            found.append(Row("The gates", f"{section}: {row.case}", row.design, figures))
    return found


def markdown(rows: Iterable[Row]) -> str:
    """Returns a table a section."""
    return "\n".join(
        f"### {section}\n\n{_table(list(of_section))}\n"
        for section, of_section in itertools.groupby(rows, lambda row: row.section)
    )


def _table(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row.figures))
    lines = [["case", "design", *columns], ["---"] * (2 + len(columns))]
    lines += [
        [row.case, row.design, *(_cell(row.figures.get(name, "")) for name in columns)]
        for row in rows
    ]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(figure: Figure) -> str:
    return f"{figure:.3g}" if isinstance(figure, float) else str(figure)
