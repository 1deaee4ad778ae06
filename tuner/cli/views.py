"""How a job is shown, outside of its results."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tuner.report.facts import data_line, facts_to_dict
from tuner.report.naming import dataset_name, seconds

if TYPE_CHECKING:
    from tuner.jobs import JobStatus

STATE_STYLES = {
    "SUCCEEDED": "green",
    "CONCLUDED": "green",
    "FAILED": "red",
    "CANCELLED": "yellow",
    "CANCELLING": "yellow",
    "STOPPING": "yellow",
    "PAUSING": "yellow",
    "PAUSED": "yellow",
    "RUNNING": "cyan",
}


def job_row(status: JobStatus) -> dict[str, Any]:
    """Returns a job under stable keys."""
    return {
        "id": status.id,
        "name": status.name,
        "display_name": status.spec.name,
        "state": status.state.value,
        "state_reason": status.reason,
        "dataset": dataset_name(status.spec.dataset),
        "searches": [s.key for s in status.spec.searches],
        "owner": status.owner,
        "create_time": _iso(status.create_time),
        "start_time": _iso(status.start_time),
        "end_time": _iso(status.end_time),
        "attempt": status.attempt,
        "queue_position": status.queue_position,
        "spent_device_seconds": status.billed_device_seconds,
        "data": facts_to_dict(status.dataset),
    }


def jobs_table(rows: Sequence[dict[str, Any]]) -> RenderableType:
    """Returns one row a job."""
    if not rows:
        return Text("No jobs yet; `tuner submit FILE` makes one.")
    table = Table(box=box.SIMPLE_HEAD)
    # An id that is cut short can't be copied; the others give way.
    widest = max((len(str(row["id"])) for row in rows), default=0)
    table.add_column("id", no_wrap=True, min_width=widest)
    table.add_column("name", max_width=24, no_wrap=True, overflow="ellipsis")
    table.add_column("state", no_wrap=True)
    table.add_column("data", max_width=20, no_wrap=True, overflow="ellipsis")
    table.add_column("searches", max_width=26, no_wrap=True, overflow="ellipsis")
    table.add_column("spent", justify="right", no_wrap=True)
    table.add_column("age", justify="right", no_wrap=True)
    for row in rows:
        state = row["state"].lower()
        if row["queue_position"]:
            state += f" #{row['queue_position']}"
        table.add_row(
            row["id"],
            row["display_name"],
            Text(state, style=STATE_STYLES.get(row["state"], "")),
            row["dataset"],
            " ".join(row["searches"]),
            seconds(row["spent_device_seconds"]),
            _age(row["create_time"]),
        )
    return table


def job_table(status: JobStatus) -> RenderableType:
    """Returns a job and its searches."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    for name, value in job_row(status).items():
        if value not in ("", None, [], 0):
            if name == "data":
                continue  # said below, in words
            shown = " ".join(value) if isinstance(value, list) else str(value)
            facts.add_row(name.replace("_", " "), shown)
    if status.dataset is not None:
        facts.add_row("data", data_line(status.dataset))
        for note in status.dataset.notes:
            facts.add_row("note", note)
    searches = Table(box=box.SIMPLE_HEAD)
    for name in ("search", "state", "why"):
        searches.add_column(name)
    for search in status.searches:
        style = STATE_STYLES.get(search.state.value, "")
        searches.add_row(search.key, Text(search.state.value.lower(), style=style), search.reason)
    return Group(facts, searches)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _age(created: str | None) -> str:
    if created is None:
        return "–"
    passed = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if passed >= size:
            return f"{passed / size:.0f} {unit}"
    return f"{max(passed, 0):.0f} s"
