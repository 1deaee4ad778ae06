"""`tuner get`: jobs, trials, curves, a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli.exits import Commands
from tuner.cli.options import Address, Format, JobArgument, Namespace, Output, connect

if TYPE_CHECKING:
    from rich.table import Table

    from tuner.jobs import Trial

app = typer.Typer(cls=Commands, no_args_is_help=True, help="Show jobs, trials and curves.")

OneSearch = Annotated[str, typer.Option("--search", help="Only this search, by its key.")]


@app.command("jobs")
def get_jobs(
    ctx: typer.Context,
    output: Output = Format.TABLE,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Whose jobs; - for everybody's.")
    ] = "default",
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 100,
    address: Address = None,
) -> None:
    """List jobs, newest first."""
    import itertools

    from tuner.cli.output import emit_list
    from tuner.cli.views import job_row, jobs_table

    with connect(ctx, address) as client:
        rows = [job_row(job.status) for job in itertools.islice(client.jobs(namespace), limit)]
    emit_list(output, rows, lambda: jobs_table(rows), "id")


@app.command("job")
def get_job(
    ctx: typer.Context,
    job: JobArgument,
    output: Output = Format.TABLE,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Show one job: where it stands, and its spec."""
    from tuner.cli.output import emit_one
    from tuner.cli.views import job_row, job_table

    with connect(ctx, address, namespace) as client:
        status = client.get_job(job).status
    row = job_row(status)
    if output in (Format.JSON, Format.YAML):
        row["spec"] = status.spec.model_dump(mode="json")
    emit_one(output, row, lambda: job_table(status), "id")


@app.command("trials")
def get_trials(
    ctx: typer.Context,
    job: JobArgument,
    search: OneSearch = "",
    output: Output = Format.TABLE,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """List the candidates of a job with their scores."""
    from tuner.cli.output import emit_list

    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        metrics = {s.key: s.metric for s in found.spec.all_searches()}
        rows = [_trial_row(trial, metrics[trial.search]) for trial in found.trials(search)]
    emit_list(output, rows, lambda: _trials_table(rows), "trial")


@app.command("curves")
def get_curves(
    ctx: typer.Context,
    job: JobArgument,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            help="Score anew under this metric, from stored predictions; or under a condition as "
            "measured: error@pgd:0.1, @pgd:0.1 for each search's own metric, @clean.",
        ),
    ] = "",
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            help="Least gain per doubling worth having, in the metric's units; the job's where "
            "omitted.",
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        bool,
        typer.Option(
            "--examples",
            help="Take the verdict over other test examples, too, not seeds alone; not under a "
            "condition.",
        ),
    ] = False,
    output: Output = Format.TABLE,
    namespace: Namespace = "default",
    address: Address = None,
) -> None:
    """Show the returns curves of a job: levels, scores, gains, costs, verdicts."""
    from tuner import catalog
    from tuner.cli.console import say
    from tuner.cli.output import emit_list
    from tuner.client.result import Result
    from tuner.report import curve_to_dict, table

    with connect(ctx, address, namespace) as client:
        found = client.get_job(job)
        if metric or margin is not None or examples:
            # How searches compare is said of the job's own question alone.
            result = Result(found.status, found.curves(metric, margin, examples))
        else:
            result = found.snapshot()
    order = [s.key for s in result.job.spec.all_searches()]
    rows = [curve_to_dict(result.curves[key]) for key in order if key in result.curves]
    lacking = [key for key in order if key not in result.curves]
    _, condition = catalog.split_metric(catalog.canonical_metric(metric))
    if lacking and condition:
        say(f"not measured under {condition}, and left out: {', '.join(lacking)}")
    by_level = [{"key": row["key"], **level} for row in rows for level in row["levels"]]
    emit_list(output, rows, lambda: table(result), "key", by_level)


def _trial_row(trial: Trial, metric: str) -> dict[str, Any]:
    phases = {m.phase.value.lower().replace("_", "-") for m in trial.measurements}
    scores = [m.scores[metric] for m in trial.measurements if metric in m.scores]
    completed = sum(m.outcome.value == "COMPLETED" for m in trial.measurements)
    return {
        "trial": f"{trial.search}:{trial.level}:{trial_digest(trial)}",
        "search": trial.search,
        "level": trial.level,
        "phase": "+".join(sorted(phases, reverse=True)),
        "metric": metric,
        "score": sum(scores) / len(scores) if scores else None,
        "measurements": len(trial.measurements),
        "failed": len(trial.measurements) - completed,
        "measured": trial.measured,
        "billed_device_seconds": sum(m.billed_device_seconds for m in trial.measurements),
        "hyperparameters": dict(trial.setting),
    }


def trial_digest(trial: Trial) -> str:
    """Returns eight digits that name a trial's hyperparameters."""
    from tuner.record import Phase, measurement_id

    # Any fixed job, phase and replicate will do: only the hyperparameters are to count.
    return measurement_id("", trial.search, Phase.TUNING, trial.level, trial.setting, 0)[:8]


def _trials_table(rows: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    from tuner.report.naming import number, seconds

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("search", no_wrap=True)
    for name in ("level", "score", "runs", "spent"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("phase", no_wrap=True)
    table.add_column("hyperparameters")
    for row in rows:
        failed = f"+{row['failed']}✗" if row["failed"] else ""
        table.add_row(
            row["search"],
            str(row["level"]),
            number(row["score"]),
            f"{row['measurements'] - row['failed']}{failed}",
            seconds(row["billed_device_seconds"]),
            row["phase"],
            ", ".join(
                f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}"
                for k, v in row["hyperparameters"].items()
            ),
            style="bold" if row["measured"] else None,
        )
    return table
