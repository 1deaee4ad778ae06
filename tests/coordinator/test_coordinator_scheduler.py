"""From submission to end: admission, attempts, cancellation, on a cluster that is scripted."""

from __future__ import annotations

import asyncio

import pytest
from coordinator_harness import House, refusal, until

from services.coordinator import vigil
from services.coordinator.gateway import Driver, DriverState
from tuner.errors import Status
from tuner.record import Conclusion
from tuner.spec import Search
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName

QUICK = {"lease_seconds": 0.5, "heartbeat_seconds": 0.1}


async def test_a_job_runs_to_success(house: House) -> None:
    job = await house.create(name="mine")
    submission = await house.submission(job.name)
    assert submission.id.startswith(f"default.{job.name.split('/')[-1]}.1.")
    assert submission.metadata == {
        "name": "mine",
        "job": job.name,
        "owner": "ada",
        "searches": "simulated/depth",
    }
    runner = await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    beat = await runner.heartbeat()
    assert (beat.directive, beat.slots) == (rpb.DIRECTIVE_SHARE, 8)
    assert beat.reason == "share 8 of 8"
    await runner.conclude()
    await runner.finish("COMPLETED")
    job = await house.get(job.name)
    assert job.state == pb.JOB_STATE_SUCCEEDED
    assert (job.state_reason, job.attempt) == ("", 1)
    assert job.HasField("start_time")
    assert job.HasField("end_time")
    # Its last word again, as after an answer that got lost, changes nothing.
    await runner.finish("COMPLETED")
    assert (await refusal(runner.heartbeat())).reason == "STALE_ATTEMPT"
    assert len(house.gateway.submissions) == 1


async def test_jobs_start_in_the_order_in_which_they_came_so_many_at_once(house: House) -> None:
    await house.restart(max_running_jobs=1)
    jobs = [await house.create() for _ in range(3)]
    runner = await house.enrol(jobs[0].name)
    queued = [await house.reaches(job.name, "QUEUED") for job in jobs[1:]]
    assert [job.queue_position for job in queued] == [1, 2]
    assert "running" in queued[0].state_reason
    assert len(house.gateway.submissions) == 1
    await runner.conclude()
    await runner.finish("COMPLETED")
    await house.reaches(jobs[1].name, "RUNNING")
    assert (await house.get(jobs[2].name)).queue_position == 1
    assert (await house.get(jobs[1].name)).queue_position == 0


async def test_one_failed_search_is_told_and_all_failed_is_failure(house: House) -> None:
    searches = (
        Search("simulated", axis="depth", levels=[1, 2, 4]),
        Search("simulated", axis="trees", levels=[1, 2, 4]),
    )
    job = await house.create(searches=searches, baseline="perceptron")
    runner = await house.enrol(job.name)
    await runner.conclude("simulated/depth")
    await runner.conclude("simulated/trees", Conclusion.FAILED)
    error = await refusal(runner.finish("COMPLETED"))
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "SEARCHES_UNFINISHED")
    assert "perceptron" in error.message
    await runner.conclude("perceptron")
    await runner.finish("COMPLETED")
    done = await house.reaches(job.name, "SUCCEEDED")
    assert done.state_reason == "1 of 3 searches failed: simulated/trees: that is that"

    job = await house.create(baseline="perceptron")
    runner = await house.enrol(job.name)
    await runner.conclude("simulated/depth", Conclusion.FAILED)
    await runner.conclude("perceptron")
    await runner.finish("COMPLETED")
    done = await house.reaches(job.name, "FAILED")
    assert "simulated/depth: that is that" in done.state_reason


async def test_bad_data_fails_the_job_at_once_with_the_field(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.finish("INVALID", "dataset.path", "has no array x")
    done = await house.reaches(job.name, "FAILED")
    assert done.state_reason == "dataset.path: has no array x"
    assert len(house.gateway.submissions) == 1


async def test_a_driver_that_dies_is_replaced_and_finds_the_record(house: House) -> None:
    job = await house.create()
    first = await house.enrol(job.name)
    await first.record(first.row())
    house.gateway.log[house.gateway.submissions[0].id] = "first words\n"
    house.gateway.end(house.gateway.submissions[0].id, DriverState.FAILED, "exit code -9")
    second = await house.enrol(job.name, number=2)
    assert (second.attempt.attempt, second.attempt.epoch > first.attempt.epoch) == (2, True)
    error = await refusal(first.record(first.row(2)))
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "STALE_ATTEMPT")
    request = rpb.GetAssignmentRequest(attempt=second.attempt)
    messages = [m async for m in second.stub.GetAssignment(request, metadata=second.metadata)]
    assert [m.id for message in messages for m in message.measurements] == [first.row().id]
    ended = house.store.attempts(JobName.parse(job.name))[0]
    assert ended.outcome == "LOST"
    assert "exit code -9" in ended.reason
    await second.conclude()
    await second.finish("COMPLETED")
    assert (await house.get(job.name)).state == pb.JOB_STATE_SUCCEEDED


async def test_a_crash_that_is_told_is_tried_again_once_the_driver_has_ended(
    house: House,
) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.finish("CRASHED", message="out of luck")
    await house.submission(job.name, 2)
    assert house.outcomes(job) == ["CRASHED", ""]
    assert not house.gateway.stopped


async def test_attempts_that_record_nothing_are_bounded(house: House) -> None:
    await house.restart(max_attempts=2)
    job = await house.create()
    for number in (1, 2):
        runner = await house.enrol(job.name, number)
        await runner.finish("CRASHED", message="out of luck")
    done = await house.reaches(job.name, "FAILED")
    assert done.state_reason == "2 attempts in a row recorded nothing: CRASHED: out of luck"


async def test_progress_resets_the_bound(house: House) -> None:
    await house.restart(max_attempts=2)
    job = await house.create()
    for number in (1, 2, 3, 4):
        runner = await house.enrol(job.name, number)
        if number < 4:
            await runner.record(runner.row(replicate=number))
        await runner.finish("CRASHED", message="out of luck")
    await house.submission(job.name, 5)
    assert await house.state(job.name) == "RUNNING"


async def test_a_silent_runner_loses_its_lease_and_is_stopped(house: House) -> None:
    await house.restart(**QUICK)
    job = await house.create()
    runner = await house.enrol(job.name)
    deadline = asyncio.get_running_loop().time() + 1.5
    while asyncio.get_running_loop().time() < deadline:
        await runner.heartbeat()
        await asyncio.sleep(0.1)
    assert house.outcomes(job) == [""]
    await house.submission(job.name, 2)
    assert house.outcomes(job)[0] == "EXPIRED"
    assert house.gateway.stopped == [house.gateway.submissions[0].id]
    assert (await refusal(runner.heartbeat())).reason == "STALE_ATTEMPT"


async def test_a_driver_that_never_enrols_is_given_up(house: House) -> None:
    await house.restart(max_attempts=1, enrolment_seconds=0.1)
    job = await house.create()
    done = await house.reaches(job.name, "FAILED")
    assert house.outcomes(job) == ["NOT_ENROLLED"]
    assert "advertises" in done.state_reason


async def test_a_stolen_code_costs_the_attempt_not_the_job(house: House) -> None:
    job = await house.create()
    await house.enrol(job.name)
    code = house.gateway.submissions[0].code
    await refusal(house.runners.Enrol(rpb.EnrolRequest(job=job.name, code=code)))
    await house.enrol(job.name, number=2)
    assert house.outcomes(job) == ["COMPROMISED", ""]


async def test_a_cluster_that_is_away_keeps_the_job_queued_and_says_so(house: House) -> None:
    house.gateway.unreachable = "no route"
    job = await house.create()

    async def told() -> bool:
        return "no route" in (await house.get(job.name)).state_reason

    await until(told)
    assert await house.state(job.name) == "QUEUED"
    house.gateway.unreachable = ""
    done = await house.reaches(job.name, "RUNNING")
    assert done.state_reason == ""


async def test_a_refusal_fails_the_job_with_the_clusters_words(house: House) -> None:
    await house.restart(max_attempts=2)
    house.gateway.refusal = "no such runtime environment"
    job = await house.create()
    done = await house.reaches(job.name, "FAILED")
    assert "no such runtime environment" in done.state_reason
    assert house.outcomes(job) == ["REFUSED", "REFUSED"]


async def test_a_driver_that_finds_no_place_is_waited_for_and_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vigil, "WAITING_SECONDS", 0.1)
    job = await house.create()
    submission = await house.submission(job.name)
    house.gateway.drivers[submission.id] = Driver(DriverState.PENDING, "no resources for it")

    async def reason() -> str:
        return (await house.get(job.name)).state_reason

    async def told() -> bool:
        return (await reason()).startswith(vigil.WAITING)

    await until(told)
    assert "`runner`" in await reason()
    assert "no resources for it" in await reason()
    house.gateway.drivers[submission.id] = Driver(DriverState.RUNNING)
    await house.enrol(job.name)

    async def silent() -> bool:
        return not await reason()

    await until(silent)
    assert await house.state(job.name) == "RUNNING"


async def test_a_running_job_is_cancelled_by_its_runner(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await runner.record(runner.row())
    answer = await house.cancel(job.name)
    assert answer.state == pb.JOB_STATE_CANCELLING
    assert (await runner.heartbeat()).directive == rpb.DIRECTIVE_CANCEL
    assert (await house.cancel(job.name)).state == pb.JOB_STATE_CANCELLING
    # What finished meanwhile is kept.
    assert (await runner.record(runner.row(2))).recorded == 1
    await runner.finish("CANCELLED")
    done = await house.get(job.name)
    assert done.state == pb.JOB_STATE_CANCELLED
    assert done.state_reason == "cancelled by ada"
    assert done.searches[0].state == 5
    again = await house.cancel(job.name)
    assert (again.state, again.state_reason) == (done.state, done.state_reason)
    assert not house.gateway.stopped


async def test_a_runner_that_doesnt_listen_is_stopped(house: House) -> None:
    await house.restart(cancel_grace_seconds=0.3)
    house.gateway.stop_ends = False
    job = await house.create()
    runner = await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await house.cancel(job.name)
    await house.reaches(job.name, "CANCELLED")
    assert house.gateway.stopped[0] == house.gateway.submissions[0].id
    assert (await refusal(runner.record(runner.row()))).reason == "STALE_ATTEMPT"
    house.gateway.end(house.gateway.submissions[0].id, DriverState.STOPPED)


async def test_a_waiting_job_is_cancelled_at_once(house: House) -> None:
    await house.restart(max_running_jobs=1)
    first, second = await house.create(), await house.create()
    await house.reaches(first.name, "RUNNING")
    await house.reaches(second.name, "QUEUED")
    assert (await house.cancel(second.name)).state == pb.JOB_STATE_CANCELLED
    assert [str(s.job) for s in house.gateway.submissions] == [first.name]


async def test_a_job_is_cancelled_while_the_cluster_is_away(house: House) -> None:
    job = await house.create()
    await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await house.restart(cancel_grace_seconds=0.1)
    house.gateway.unreachable = "no route"
    await house.cancel(job.name)
    await house.reaches(job.name, "CANCELLED")
    house.gateway.unreachable = ""
    await until(lambda: house.gateway.stopped)


async def test_a_restarted_coordinator_goes_on_with_the_same_attempt(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await runner.record(runner.row())
    await house.restart()
    runner.stub = house.runners
    await runner.heartbeat()
    assert (await runner.record(runner.row(), runner.row(2))).repeated_count == 1
    await runner.conclude()
    await runner.finish("COMPLETED")
    await house.reaches(job.name, "SUCCEEDED")
    assert len(house.gateway.submissions) == 1


async def test_a_restarted_coordinator_grants_a_whole_lease(house: House) -> None:
    await house.restart(lease_seconds=2, heartbeat_seconds=0.1)
    job = await house.create()
    runner = await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await house.coordinator.stop()
    await house.channel.close(None)
    # Away for longer than a lease: nobody could have heard the runner.
    await asyncio.sleep(2.2)
    await house.start()
    runner.stub = house.runners
    await asyncio.sleep(1.2)
    await runner.heartbeat()
    assert house.outcomes(job) == [""]


async def test_a_death_during_the_coordinators_absence_is_found_out(house: House) -> None:
    job = await house.create()
    await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await house.coordinator.stop()
    await house.channel.close(None)
    house.gateway.end(house.gateway.submissions[0].id)
    await house.start()
    await house.enrol(job.name, number=2)


async def test_a_submission_that_got_lost_with_the_coordinator_is_made_anew(
    house: House,
) -> None:
    """The code died with the coordinator, so the attempt can't be enrolled any more."""
    house.gateway.unreachable = "no route"
    job = await house.create()
    await until(lambda: house.outcomes(job) == [""])
    await house.restart()
    house.gateway.unreachable = ""
    runner = await house.enrol(job.name, number=1)
    assert runner.attempt.attempt == 2
    assert house.outcomes(job)[0] == "LOST"
    await house.reaches(job.name, "RUNNING")


@pytest.mark.parametrize("word", ["COMPLETED", "CANCELLED"])
async def test_a_last_word_that_wasnt_acted_on_is_acted_on_after_a_restart(
    house: House, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await runner.conclude()
    await house.coordinator.stop()
    await house.channel.close(None)
    from services.coordinator.store import open_store

    store = open_store(house.settings.store_url)
    store.end_attempt(
        JobName.parse(job.name), runner.attempt.attempt, runner.attempt.epoch, word, "so it was"
    )
    store.close()
    house.gateway.end(house.gateway.submissions[0].id, DriverState.SUCCEEDED)
    await house.start()
    done = await house.reaches(job.name, "SUCCEEDED" if word == "COMPLETED" else "CANCELLED")
    assert done.state_reason == ("" if word == "COMPLETED" else "so it was")


async def test_a_cancellation_survives_a_restart(house: House) -> None:
    job = await house.create()
    await house.enrol(job.name)
    await house.reaches(job.name, "RUNNING")
    await house.cancel(job.name)
    await house.restart(cancel_grace_seconds=0.1)
    await house.reaches(job.name, "CANCELLED")
