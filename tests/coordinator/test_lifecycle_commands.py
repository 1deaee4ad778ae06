"""The commands and the client that move jobs, against a coordinator: what they do and say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine

import pytest
from click.testing import Result
from coordinator_harness import House, a_step

from tuner import Client, TunerError
from tuner.client import JobState
from tuner.errors import Status
from tuner.record import Conclusion, PlanStep, StepKind
from tuner.spec import Search

Tuner = Callable[..., Coroutine[None, None, Result]]


async def test_a_job_is_paused_resumed_and_stopped_and_each_command_says_so(
    house: House, tuner: Tuner
) -> None:
    job = await house.create("mine")
    runner = await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await runner.step(a_step())
    said = (await tuner("pause", "mine")).stderr
    assert "mine is pausing" in said
    assert "tuner resume mine" in said
    await runner.finish("PAUSED")
    assert "mine is paused" in (await tuner("pause", "mine")).stderr
    assert "mine goes on from its record" in (await tuner("resume", "mine")).stderr
    runner = await house.enrol(job.name, 2)
    await house.reaches(job.name, "RUNNING")
    assert "is running; there is nothing to resume" in (await tuner("resume", "mine")).stderr
    assert "mine is stopping" in (await tuner("stop", "mine")).stderr
    await runner.step(
        PlanStep(
            "simulated/depth", 2, StepKind.CONCLUDE, "so far", "t", conclusion=Conclusion.STOPPED
        )
    )
    await runner.finish("COMPLETED")
    for verb in ("pause", "resume", "stop", "cancel"):
        done = await tuner(verb, "mine")
        assert done.exit_code == 0
        assert f"mine is already succeeded; there is nothing to {verb}" in done.stderr


async def test_what_has_not_begun_is_cancelled_by_stopping_it(house: House, tuner: Tuner) -> None:
    house.gateway.unreachable = "no route"
    await house.create("mine")
    assert "mine is cancelled: it had not begun" in (await tuner("stop", "mine")).stderr
    assert "already cancelled; there is nothing to stop" in (await tuner("stop", "mine")).stderr
    assert "mine goes on" in (await tuner("resume", "mine")).stderr
    assert "mine is cancelled; what was measured" in (await tuner("cancel", "mine")).stderr
    house.gateway.unreachable = ""


async def test_an_extension_is_followed_to_its_end_and_tells_how_it_ended(
    house: House, tuner: Tuner
) -> None:
    job = await house.create("mine")
    runner = await house.enrol(job.name)
    await runner.conclude()
    await runner.finish("COMPLETED")
    waiting = asyncio.create_task(
        tuner("extend", "mine", "--replicates", 30, "--levels", "16,32", "--wait")
    )
    runner = await house.enrol(job.name, 2)
    await house.cancel(job.name)
    await runner.finish("CANCELLED")
    done = await waiting
    assert "mine is extended and queued; its record goes on" in done.stderr
    assert "extended by ada: at most 30 replicates" in done.stderr
    assert "6 declared levels of 4" in done.stderr
    # What came before the extension isn't told again.
    assert "that is that" not in done.stderr
    assert done.exit_code == 3


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--replicates", 4], 2, "--replicates: is 4, and the job may have 20 already"),
        (["--levels", "depth=4"], 2, "--levels: 4 is a level of simulated/depth already"),
        (["--levels", "svm=4"], 2, "--levels: 'svm' is no search and no axis"),
        (["--levels", "deep"], 2, "--levels: 'deep' is no list; write 64,128"),
        (["--levels", "4", "--levels", "depth=8"], 2, "--levels: some name a search"),
        (["--levels", "16"], 2, "--levels: are of which search?"),
        (["--device-hours", 1], 2, "--device-hours: the job has no limit"),
        (["--hours", -1], 2, "--hours: is -1"),
        (["--trials", 3], 2, "--trials: the job has no limit"),
        ([], 2, "nothing is asked for; give --replicates, --levels"),
        (["--trials", 0], 2, "nothing is asked for; give --replicates, --levels"),
    ],
)
async def test_a_bad_extension_is_told_by_its_options(
    house: House, tuner: Tuner, options: list[object], code: int, said: str
) -> None:
    searches = tuple(
        Search("simulated", axis=axis, levels=[1, 2, 4]) for axis in ("depth", "trees")
    )
    job = await house.create("mine", searches=searches)
    await house.cancel(job.name)
    done = await tuner("extend", "mine", *options)
    assert done.exit_code == code
    assert said in done.stderr


async def test_a_running_job_is_not_extended_and_says_what_to_do(
    house: House, tuner: Tuner
) -> None:
    job = await house.create("mine")
    await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    done = await tuner("extend", "mine", "--replicates", 30)
    assert done.exit_code == 1
    assert "pause it first" in done.stderr


async def test_a_clone_is_the_same_job_with_a_record_of_its_own(house: House, tuner: Tuner) -> None:
    job = await house.create("mine", name="first", seed=7)
    done = await tuner("clone", "mine", "--name", "second", "--seed", 8, "-o", "json")
    row = json.loads(done.stdout)
    clone = await house.get(f"namespaces/default/jobs/{row['id']}")
    assert clone.name != job.name
    assert (clone.spec.display_name, clone.spec.seed) == ("second", 8)
    same = type(clone.spec)()
    same.CopyFrom(clone.spec)
    same.display_name, same.seed = "first", 7
    assert same == job.spec
    assert (await tuner("clone", "mine")).stdout.startswith("first-")
    bad = await tuner("clone", "mine", "--margin", 2)
    assert bad.exit_code == 2
    assert "margin: " in bad.stderr


async def test_a_handle_moves_its_job_and_knows_where_it_stands(house: House) -> None:
    made = await house.create("mine")

    def act() -> None:
        with Client(house.coordinator.address) as client:
            job = client.get_job("mine")
            assert job.pause().state is JobState.PAUSED is job.state
            looked = job.extend(levels=[16], replicates=30, validate_only=True)
            assert looked.spec.searches[0].levels[-1] == 16
            assert job.spec.searches[0].levels[-1] == 8
            job.extend(levels={"depth": [16]}, replicates=30)
            assert job.state is JobState.QUEUED
            assert job.spec.searches[0].levels[-1] == 16
            with pytest.raises(TunerError) as caught:
                job.extend(replicates=4)
            assert caught.value.status in (Status.INVALID_ARGUMENT, Status.FAILED_PRECONDITION)
            assert job.clone(job_id="twin").spec == job.spec
            assert job.stop().state is JobState.CANCELLED is job.state
            assert job.resume().state is JobState.QUEUED
            assert job.cancel().state in (JobState.CANCELLED, JobState.CANCELLING)

    house.gateway.unreachable = "no route"
    await asyncio.to_thread(act)
    house.gateway.unreachable = ""
    await house.reaches(made.name, "CANCELLED")
