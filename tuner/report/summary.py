"""Several jobs together: which family is best where, and the cheapest that is good enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.report import naming
from tuner.report.plain import finite, whole
from tuner.report.ranking import Rank, Ranking, rank
from tuner.report.robustness import Effect, effects

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuner.client.result import Result

ABREAST = 6
"""So many jobs stand beside each other."""


@dataclass(frozen=True)
class Entry:
    """One job among several.

    Attributes:
        name: What it is called here: by its name or its data set, no two alike.
        result: What it found.
        ranking: Its searches ranked; None where no two could be compared.
    """

    name: str
    result: Result
    ranking: Ranking | None

    @property
    def best(self) -> tuple[str, ...]:
        """The families that are best, or can't be told apart from the best; the best first."""
        ranks = self.ranking.best if self.ranking is not None else ()
        return tuple(dict.fromkeys(family(rank) for rank in ranks))

    @property
    def good_enough(self) -> Rank | None:
        """The cheapest search that is good enough; None where none is shown to be."""
        return self.ranking.good_enough if self.ranking is not None else None

    @property
    def breaks_most(self) -> Effect | None:
        """What costs the cheapest good enough the most; None where nothing was measured."""
        chosen = self.good_enough
        known = [e for e in effects(self.result) if e.drop is not None]
        of_it = [e for e in known if chosen is not None and e.search == chosen.search]
        return max(of_it, key=lambda effect: effect.drop or 0.0, default=None)

    def of(self, name: str) -> Rank | None:
        """Returns the best search of a family; None where it has none in the ranking."""
        ranks = self.ranking.ranks if self.ranking is not None else ()
        return next((rank for rank in ranks if family(rank) == name), None)


def entries(results: Iterable[Result]) -> list[Entry]:
    """Returns the jobs, each under a name of its own."""
    found: list[Entry] = []
    for result in results:
        spec = result.job.spec
        name = plain = spec.name or naming.dataset_name(spec.dataset)
        number = 1
        while any(entry.name == name for entry in found):
            number += 1
            name = f"{plain} ({number})"
        found.append(Entry(name, result, rank(result)))
    return found


def family(rank: Rank) -> str:
    """Returns the learner of a rank, one's own without its module."""
    return rank.learner.rpartition(":")[2] or rank.search


def families(jobs: Sequence[Entry]) -> list[str]:
    """Returns all families that are ranked anywhere, those first that are best in most jobs."""
    names = dict.fromkeys(
        family(rank)
        for entry in jobs
        for rank in (entry.ranking.ranks if entry.ranking is not None else ())
    )
    return sorted(names, key=lambda name: -sum(name in entry.best for entry in jobs))


def best_everywhere(jobs: Sequence[Entry]) -> list[str]:
    """Returns the family that has the best mean in every job; none or one."""
    firsts = {entry.best[0] for entry in jobs if entry.best}
    return list(firsts) if len(firsts) == 1 else []


def never_worse(jobs: Sequence[Entry]) -> list[str]:
    """Returns the families that are told apart from the best in none of the jobs."""
    ranked = [entry for entry in jobs if entry.ranking is not None]
    return [name for name in families(jobs) if all(name in entry.best for entry in ranked)]


def sentences(jobs: Sequence[Entry]) -> list[str]:
    """Returns which family is best everywhere, if any is, and which are best in each job."""
    ranked = [entry for entry in jobs if entry.ranking is not None]
    if not ranked:
        return ["In none of the jobs two families could be compared."]
    said = []
    if len(ranked) > 1:
        which = best_everywhere(jobs)
        said.append(
            f"{which[0]} has the best mean everywhere."
            if which
            else "None is best everywhere: the best mean is now one's, now another's."
        )
        if others := [name for name in never_worse(jobs) if name not in which]:
            verb = "is" if len(others) == 1 else "are"
            said.append(f"{naming.conjoined(others)} {verb} never told apart from the best.")
    for entry in ranked:
        first, *others = entry.best
        alike = f"; {naming.conjoined(others)} can't be told apart from it" if others else ""
        said.append(f"{entry.name}: {first} has the best mean{alike}.")
    unranked = [entry.name for entry in jobs if entry.ranking is None]
    if unranked:
        said.append(f"Nothing could be compared in {naming.conjoined(unranked)}.")
    return said


def summary_to_dict(results: Sequence[Result]) -> dict[str, Any]:
    """Returns the summary as one object that JSON can hold. Its keys are stable."""
    jobs = entries(results)
    return {
        "jobs": [_entry(entry) for entry in jobs],
        "best_everywhere": best_everywhere(jobs),
        "never_worse": never_worse(jobs),
        "sentences": sentences(jobs),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    chosen, effect = entry.good_enough, entry.breaks_most
    return {
        "name": entry.name,
        "job": entry.result.job.name,
        "state": entry.result.state.value,
        "best": list(entry.best),
        "good_enough": None
        if chosen is None
        else {
            "search": chosen.search,
            "learner": chosen.learner,
            "level": None if chosen.level is None else whole(chosen.level),
            "score": finite(chosen.score),
            "cost_ratio": finite(chosen.ratio),
        },
        "breaks_most": None
        if effect is None
        else {"condition": effect.condition, "drop": finite(effect.drop)},
        "spent_device_seconds": entry.result.spent_device_seconds,
    }


KEY = (
    "In each job those that share a letter can't be told apart; ✓ is the cheapest good enough. Of "
    "several searches of a family the best one is shown."
)

HEADERS = ("job", "cheapest good enough", "score", "cost", "× cheapest", "breaks it most", "spent")
"""Of the table with a row a job."""


def job_rows(jobs: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Returns the table's rows: the cheapest good enough in each job, and what breaks it."""
    rows: list[tuple[str, ...]] = []
    for entry in jobs:
        chosen, effect = entry.good_enough, entry.breaks_most
        level = f" at {naming.level(chosen.level)}" if chosen and chosen.level is not None else ""
        state = entry.result.state
        ended = "" if state.value == "SUCCEEDED" else f" ({state.value.lower()})"
        rows.append(
            (
                f"{entry.name}{ended}",
                f"{chosen.search}{level}" if chosen else "none is shown to be",
                naming.number(chosen.score) if chosen else "–",
                naming.seconds(chosen.cost) if chosen else "–",
                naming.times(chosen.ratio) if chosen else "–",
                f"{effect.condition} {naming.number(effect.drop, 3, plus=True)}" if effect else "–",
                naming.seconds(entry.result.spent_device_seconds),
            )
        )
    return rows


def family_rows(jobs: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Returns a row a family: its score in each job, its letters there, ✓ where it is chosen."""
    rows: list[tuple[str, ...]] = []
    for name in families(jobs):
        cells = []
        for entry in jobs:
            place = entry.of(name)
            chosen = entry.good_enough
            mark = " ✓" if chosen is not None and family(chosen) == name else ""
            cells.append(f"{naming.number(place.score)} {place.letters}{mark}" if place else "–")
        rows.append((name, *cells))
    return rows


def markdown(results: Sequence[Result]) -> str:
    """Returns the summary as a page."""
    from tuner.report.cells import table

    jobs = entries(results)
    lines = [f"# Summary of {len(jobs)} jobs", "", *(f"- {line}" for line in sentences(jobs))]
    if rows := family_rows(jobs):
        lines += [
            "",
            KEY,
            "",
            *table(("family", *(j.name for j in jobs)), rows, "l" * (len(jobs) + 1)),
        ]
    lines += ["", *table(HEADERS, job_rows(jobs), "llrrrlr")]
    return "\n".join(lines) + "\n"


def tables(results: Sequence[Result]) -> RenderableType:
    """Returns the summary, for a rich console of 100 columns."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    from tuner.report.standings import titled

    jobs = entries(results)
    parts: list[RenderableType] = []
    for start in range(0, len(jobs), ABREAST):
        some = jobs[start : start + ABREAST]
        rows = family_rows(some)
        if not rows:
            continue
        table = titled("Which family is best where")
        for name in ("family", *(entry.name for entry in some)):
            table.add_column(name)
        for row in rows:
            table.add_row(*row)
        parts += [table, Padding(Text(KEY), (0, 0, 0, 2)), Text("")]
    table = titled("The cheapest that is good enough")
    for place, name in enumerate(HEADERS):
        table.add_column(name, justify="right" if place in (2, 3, 4, 6) else "left")
    for row in job_rows(jobs):
        table.add_row(*row)
    said = [Padding(Text(line), (0, 0, 0, 2)) for line in sentences(jobs)]
    return Group(*parts, table, *said)
