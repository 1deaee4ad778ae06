"""Submits a job from Python, follows it and prints its curves.

tuner up                          # or name a coordinator with TUNER_ADDRESS and TUNER_TOKEN
python examples/submit.py         # --quick for a smaller job
"""

import argparse
import sys

from tuner import Client, JobSpec, Measuring, Search, Tuning
from tuner.client import JobStateChanged
from tuner.curve import Curve
from tuner.record import PlanStep


def make_spec(quick: bool) -> JobSpec:
    if quick:
        few = {"tuning": Tuning(trials=2, generation=2), "measuring": Measuring(max_replicates=4)}
        cnn = Search("cnn", axis="depth", levels=[1, 2], space={"epochs": 1, "filters": 4})
        trees = Search("forest", axis="trees", levels=[1, 4, 16, 64])
        return JobSpec(name="quick", dataset="digits", margin=0.1, searches=[cnn, trees], **few)
    return JobSpec(
        name="from-python",
        dataset="digits",
        margin=0.02,  # a doubling has to save two points of error, or .02 of the Brier score
        searches=[
            Search("cnn", axis="depth", levels=[1, 2, 4, 8]),
            Search("forest", axis="trees", levels=[1, 4, 16, 64, 256, 1024]),
        ],
        tuning=Tuning(trials=6, generation=3),
    )


def show(curve: Curve) -> None:
    print(f"\n{curve.search}, judged on {curve.metric}:")
    for row in curve.levels:
        gain = f"{row.gain.per_doubling:+.4f} a doubling" if row.gain else ""
        cost = row.standalone_device_seconds or 0.0
        print(f"{row.level:>8} {row.score or 0:.4f} ({row.replicates} runs, {cost:.3g} s)  {gain}")
    if curve.verdict:
        print(f"  {curve.verdict.outcome}: {curve.verdict.reason}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Submits a job and prints its curves.")
    parser.add_argument("--quick", action="store_true", help="a smaller job")
    arguments = parser.parse_args()

    with Client() as client:
        job = client.submit(make_spec(arguments.quick))
        print(f"submitted {job.name}")
        for event in job.watch():  # goes on by itself where the connection is lost
            if isinstance(event.what, PlanStep):
                print(f"{event.what.search}: {event.what.decision}")
            elif isinstance(event.what, JobStateChanged):
                print(f"{job.id} is {event.what.state.lower()} {event.what.reason}")
        result = job.result()
    for curve in result.curves.values():
        show(curve)
    print(f"\n{result.spent_device_seconds:.0f} s of a device were spent, tuning included")
    return 0 if result.state == "SUCCEEDED" else 1


if __name__ == "__main__":
    sys.exit(main())
