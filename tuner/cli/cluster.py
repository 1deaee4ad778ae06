"""Commands on the coordinator and its cluster: up, down, status, learners."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from tuner.cli.console import say
from tuner.cli.options import Address, Cpus, Format, Gpus, Output, connect

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tuner import catalog
    from tuner.jobs import ClusterStatus


def up(cpus: Cpus = None, gpus: Gpus = None) -> None:
    """Start a coordinator and a Ray head on this machine, and leave them running."""
    from tuner.cli.embedded import bring_up

    services = bring_up(cpus, gpus, say)
    say("already up:" if services.was_up else "up:")
    typer.echo(f"coordinator    {services.address}")
    typer.echo(f"Ray dashboard  {services.dashboard}")
    say(f"state and logs are in {services.home}; Ray's token is in {services.ray_token}")
    say("next: `tuner submit FILE --watch`; `tuner down` stops both")


def down() -> None:
    """Stop the coordinator and the Ray head that `tuner up` started. Records stay."""
    from tuner.cli.embedded import take_down

    stopped = take_down(say)
    say("down; the records stay" if stopped else "nothing was up")


def status(ctx: typer.Context, output: Output = Format.TABLE, address: Address = None) -> None:
    """Show the coordinator and its cluster."""
    from tuner.cli.output import emit_one

    with connect(ctx, address) as client:
        cluster = client.cluster_status()
        row: dict[str, Any] = {"coordinator": client.endpoint.address, **asdict(cluster)}
    row["nodes"] = [dict(node) for node in row["nodes"]]
    emit_one(output, row, lambda: _status_table(row["coordinator"], cluster), "coordinator")


def learners(ctx: typer.Context, output: Output = Format.TABLE, address: Address = None) -> None:
    """List the learners, their axes and what is tuned."""
    from tuner.cli.output import emit_list

    with connect(ctx, address) as client:
        found = client.learners()
    rows = [_learner_row(learner) for learner in found]
    emit_list(output, rows, lambda: _learners_table(found), "name", _axis_rows(found))


def _status_table(address: str, cluster: ClusterStatus) -> RenderableType:
    from rich.table import Table

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row("coordinator", f"{address} ({cluster.server_version or 'version unknown'})")
    facts.add_row("Ray dashboard", cluster.dashboard_address or "–")
    if cluster.problem:
        facts.add_row("problem", cluster.problem)
    facts.add_row("cores", f"{cluster.cpus_free:g} of {cluster.cpus:g} free")
    facts.add_row("GPUs", f"{cluster.gpus_free:g} of {cluster.gpus:g} free")
    alive = sum(node.alive for node in cluster.nodes)
    facts.add_row("nodes", f"{alive} of {len(cluster.nodes)} alive")
    facts.add_row("jobs", f"{cluster.jobs_running} running, {cluster.jobs_queued} queued")
    return facts


def _learner_row(learner: catalog.Learner) -> dict[str, Any]:
    return {
        "name": learner.name,
        "description": learner.description,
        "baseline": learner.baseline,
        "tasks": list(learner.tasks),
        "axes": [{**asdict(a), "default_levels": list(a.default_levels)} for a in learner.axes],
        "hyperparameters": {
            name: {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(known).items()}
            for name, known in learner.hyperparameters.items()
        },
    }


def _axis_rows(learners: list[catalog.Learner]) -> list[dict[str, Any]]:
    rows = []
    for learner in learners:
        for axis in learner.axes:
            facts = asdict(axis)
            rows.append({"learner": learner.name, "axis": facts.pop("name"), **facts})
        if not learner.axes:
            rows.append({"learner": learner.name, "axis": ""})
    return rows


def _learners_table(learners: list[catalog.Learner]) -> RenderableType:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("learner", no_wrap=True)
    table.add_column("axis", no_wrap=True)
    table.add_column("usual levels", no_wrap=True)
    table.add_column("judged on", no_wrap=True)
    table.add_column("what it is")
    for learner in learners:
        name = f"{learner.name} (baseline)" if learner.baseline else learner.name
        if not learner.axes:
            table.add_row(name, "–", "–", "–", learner.description)
        for index, axis in enumerate(learner.axes):
            table.add_row(
                "" if index else name,
                axis.name,
                " ".join(map(str, axis.default_levels)),
                axis.metric,
                axis.description if index else f"{learner.description}; {axis.description}",
            )
    return table
