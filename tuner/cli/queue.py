"""`tuner queue` and `tuner quota`: who gets what of the cluster, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.access import ALL
from tuner.cli.exits import Commands
from tuner.cli.options import Address, Format, Output, connect
from tuner.errors import invalid

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuner.queue import Namespace, Queue, QueueEntry

app = typer.Typer(cls=Commands, no_args_is_help=True, help="Show and set what namespaces may take.")

NONE = "none"
"""What is typed to have no quota."""


def queue(
    ctx: typer.Context,
    output: Output = Format.TABLE,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Whose jobs; - for all that you may see.")
    ] = ALL,
    address: Address = None,
) -> None:
    """Show what runs and what waits: shares, places, and why."""
    from tuner.cli.output import emit_list

    with connect(ctx, address) as client:
        found = client.queue(namespace)
    rows = [_entry_row(entry) for entry in found.entries]
    emit_list(output, rows, lambda: _queue_table(found, rows), "job")


@app.command("show")
def show(
    ctx: typer.Context,
    namespace: Annotated[
        str, typer.Argument(metavar="NAMESPACE", help="Whose; all where omitted.")
    ] = "",
    output: Output = Format.TABLE,
    address: Address = None,
) -> None:
    """Show namespaces: their weights and quotas, and what they use."""
    from tuner.cli.output import emit_list

    with connect(ctx, address) as client:
        found = [client.namespace(namespace)] if namespace else list(client.namespaces())
    rows = [_namespace_row(one) for one in found]
    emit_list(output, rows, lambda: _namespaces_table(found), "namespace")


@app.command("set")
def set_quota(
    ctx: typer.Context,
    namespace: Annotated[str, typer.Argument(metavar="NAMESPACE", show_default=False)],
    weight: Annotated[
        float | None,
        typer.Option(help="Its share beside others that want more than there is."),
    ] = None,
    max_slots: Annotated[
        str | None, typer.Option(metavar="N|none", help="Slots held at once.")
    ] = None,
    max_running_jobs: Annotated[
        str | None, typer.Option(metavar="N|none", help="Jobs that run at once.")
    ] = None,
    device_hours: Annotated[
        str | None, typer.Option(metavar="H|none", help="Device-hours in any 30 days.")
    ] = None,
    max_jobs: Annotated[
        str | None, typer.Option(metavar="N|none", help="Jobs that exist, ended ones too.")
    ] = None,
    output: Output = Format.TABLE,
    address: Address = None,
) -> None:
    """Set a namespace's weight and quotas; what isn't named stays as it is. For operators."""
    from tuner.cli.output import emit_one

    changes: dict[str, Any] = {}
    if weight is not None:
        if not weight:
            raise invalid("--weight", "can't be 0; give more, or --max-slots 0 to stop a namespace")
        changes["weight"] = weight
    for name, option, text in (
        ("max_slots", "--max-slots", max_slots),
        ("max_running_jobs", "--max-running-jobs", max_running_jobs),
        ("max_jobs", "--max-jobs", max_jobs),
    ):
        if text is not None:
            changes[name] = _count(text, option)
    if device_hours is not None:
        changes["max_device_hours"] = _hours(device_hours)
    if not changes:
        raise invalid("quota", "nothing to set; give --weight, --max-slots or another option")
    with connect(ctx, address) as client:
        before = client.namespace(namespace).quota
        now = client.set_quota(namespace, replace(before, **changes))
    emit_one(output, _namespace_row(now), lambda: _namespaces_table([now]), "namespace")


def _count(text: str, option: str) -> int | None:
    if text == NONE:
        return None
    if not text.isdecimal():
        raise invalid(option, f"{text!r} is no whole number; give 0 or more, or {NONE}")
    return int(text)


def _hours(text: str) -> float | None:
    if text == NONE:
        return None
    try:
        return float(text)
    except ValueError:
        raise invalid("--device-hours", f"{text!r} is no number; give one, or {NONE}") from None


def _entry_row(entry: QueueEntry) -> dict[str, Any]:
    namespace, job = entry.job.split("/")[1::2]
    return {
        "job": job,
        "namespace": namespace,
        "display_name": entry.display_name,
        "owner": entry.owner,
        "state": entry.state.value,
        "priority": entry.priority,
        "position": entry.position,
        "share": entry.share,
        "slots_held": entry.slots_held,
        "packets_waiting": entry.packets_waiting,
        "create_time": entry.create_time.isoformat() if entry.create_time else None,
        "reason": entry.reason,
    }


def _queue_table(queue: Queue, rows: list[dict[str, Any]]) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from tuner.cli.views import STATE_STYLES

    lines: list[RenderableType] = []
    if rows:
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("", justify="right", no_wrap=True)
        widest = max(len(row["job"]) for row in rows)
        table.add_column("job", no_wrap=True, min_width=widest)
        table.add_column("in", max_width=14, no_wrap=True, overflow="ellipsis")
        table.add_column("state", no_wrap=True)
        for name in ("prio", "slots", "waits"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("why")
        for row in rows:
            table.add_row(
                f"#{row['position']}" if row["position"] else "",
                row["job"],
                row["namespace"],
                Text(row["state"].lower(), style=STATE_STYLES.get(row["state"], "")),
                str(row["priority"]),
                f"{row['slots_held']}/{row['share']}" if row["share"] else "",
                str(row["packets_waiting"] or ""),
                row["reason"],
            )
        lines.append(table)
    else:
        lines.append(Text("Nothing runs and nothing waits."))
    if queue.reserved or queue.reserved_idle_share:
        lines.append(
            Text(
                f"{queue.reserved:g} of {queue.capacity:g} devices or cores are kept idle for wide "
                f"slots now; {queue.reserved_idle_share:.1%} in the last hour"
            )
        )
    if queue.leader:
        since = f" since {queue.leader_since:%Y-%m-%d %H:%M} UTC" if queue.leader_since else ""
        lines.append(Text(f"{queue.leader} schedules{since}"))
    else:
        lines.append(Text("no coordinator schedules at the moment"))
    return Group(*lines)


def _namespace_row(namespace: Namespace) -> dict[str, Any]:
    quota = namespace.quota
    return {
        "namespace": namespace.name,
        "weight": quota.weight,
        "running_jobs": namespace.running_jobs,
        "max_running_jobs": quota.max_running_jobs,
        "slots_held": namespace.slots_held,
        "max_slots": quota.max_slots,
        "device_hours": namespace.device_hours,
        "max_device_hours": quota.max_device_hours,
        "max_jobs": quota.max_jobs,
    }


def _namespaces_table(found: list[Namespace]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not found:
        return Text("No namespace has jobs or quotas yet.")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("namespace", no_wrap=True)
    for name in ("weight", "running jobs", "slots", "device-hours of 30 days", "most jobs"):
        table.add_column(name, justify="right")
    for one in found:
        quota = one.quota
        table.add_row(
            one.name,
            f"{quota.weight:g}",
            _of(one.running_jobs, quota.max_running_jobs),
            _of(one.slots_held, quota.max_slots),
            _of(round(one.device_hours, 2), quota.max_device_hours),
            "" if quota.max_jobs is None else str(quota.max_jobs),
        )
    return table


def _of(used: float, most: float | None) -> str:
    return f"{used:g}" if most is None else f"{used:g} of {most:g}"
