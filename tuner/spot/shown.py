"""What a spot test found, for a terminal, as a page, and as one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.curve import Difference
from tuner.jobs import DatasetFacts
from tuner.report.facts import data_line
from tuner.report.objects import comparison_to_dict, curve_to_dict
from tuner.report.plain import finite, whole
from tuner.spot import words
from tuner.spot.findings import Decision, Family, Findings

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {
    Decision.WORTH: "bold green",
    Decision.UNKNOWN: "bold magenta",
    Decision.NOT_WORTH: "bold yellow",
    Decision.UNABLE: "dim",
}


def to_dict(
    findings: Findings, job: str, facts: DatasetFacts | None, following: str | None
) -> dict[str, Any]:
    """Returns it as one object that JSON can hold. Its keys are stable.

    Args:
        findings: What was found.
        job: The job's id.
        facts: What its data turned out to be; None where it was never read.
        following: The spec of the search that comes next, as YAML.
    """
    spec = findings.spec
    return {
        "job": job,
        "headline": words.headline(findings),
        "metric": spec.metric,
        "margin": spec.margin,
        "conditions": words.conditions(findings, facts),
        "families": [_family(family, findings) for family in findings.families],
        "remarks": words.remarks(findings, facts),
        "comparison": comparison_to_dict(findings.comparison),
        "search": following,
    }


def _family(family: Family, findings: Findings) -> dict[str, Any]:
    row = family.level
    return {
        "learner": family.learner,
        "decision": family.decision.value,
        "why": words.why(family, findings.spec),
        "score": finite(row.score) if row else None,
        "low": finite(row.low) if row else None,
        "high": finite(row.high) if row else None,
        "level": whole(row.level) if row and family.curve.axis else None,
        "behind": _lead(family.behind),
        "capacity": words.capacity(family.curve),
        "latency_ms": finite(row.latency_ms) if row else None,
        "model_bytes": finite(row.model_bytes) if row else None,
        "baseline": family.baseline,
        "failures": {outcome.value: n for outcome, n in (family.failures or {}).items()},
        "curve": curve_to_dict(family.curve),
    }


def _lead(lead: Difference | None) -> dict[str, Any] | None:
    if lead is None:
        return None
    return {
        "estimate": finite(lead.estimate),
        "low": finite(lead.low),
        "high": finite(lead.high),
        "replicates": lead.replicates,
    }


def markdown(
    findings: Findings, job: str, facts: DatasetFacts | None, following: str | None
) -> str:
    """Returns it as a page; arguments as for `to_dict`."""
    lines = [f"# {findings.spec.name}", "", words.headline(findings), ""]
    lines += [words.conditions(findings, facts), ""]
    lines += [f"Data: {data_line(facts)}. Job {job}.", ""] if facts else []
    for decision in () if findings.problem else Decision:
        families = findings.decided(decision)
        if not families:
            continue
        lines += [f"## {words.HEADINGS[decision]}", ""]
        for family in families:
            lines += [f"- {line}" if not i else f"  {line}" for i, line in _said(family, findings)]
        lines.append("")
    remarks = words.remarks(findings, facts)
    lines += [*(f"- {line}" for line in remarks), ""] if remarks else []
    if following:
        lines += ["## The real search", "", "```yaml", following.rstrip("\n"), "```", ""]
    return "\n".join(lines)


def table(findings: Findings, facts: DatasetFacts | None) -> RenderableType:
    """Returns it in words for a rich console: headings, and below them the families."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = [Text(words.headline(findings), style="bold")]
    if not findings.problem:
        parts.append(Text(words.conditions(findings, facts), style="dim"))
    for decision in () if findings.problem else Decision:
        families = findings.decided(decision)
        if families:
            parts += [Text(""), Text(words.HEADINGS[decision], style=_STYLES[decision])]
        for family in families:
            parts += [
                Padding(
                    Text(line, style="dim" if i else ""), (0, 0, 0, 4 if i else 2), expand=False
                )
                for i, line in _said(family, findings)
            ]
    remarks = words.remarks(findings, facts)
    if remarks:
        parts.append(Text(""))
        parts += [Text(f"- {line}") for line in remarks]
    return Group(*parts)


def _said(family: Family, findings: Findings) -> list[tuple[int, str]]:
    """Returns the lines of a family: its score and the reason, then what more is known."""
    score, why = words.score(family), words.why(family, findings.spec)
    first = (
        f"{words.name(family)}  {score}: {why}" if family.level else f"{words.name(family)}: {why}"
    )
    rest = [words.capacity(family.curve), words.footprint(family.level)]
    return list(enumerate([first, *(line for line in rest if line)]))
