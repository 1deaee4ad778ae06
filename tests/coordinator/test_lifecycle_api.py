"""Verbs on jobs: pause, resume, stop and extend, whatever else happens to the job meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from coordinator_harness import House, Runner, a_step, refusal, until

from services.coordinator.endings import Ended
from services.coordinator.gateway import DriverState
from services.coordinator.store import open_store
from tuner.errors import Status
from tuner.jobs import JobExtended, JobState, JobStateChanged, RunnerEnded, SearchStateChanged
from tuner.record import Conclusion, PlanStep, StepKind
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import JobName
from tuner.wire.spec import spec_from_wire

SEARCH = "simulated/depth"


def whats(house: House, job: pb.Job, *kinds: type) -> list[object]:
    events = house.store.events(JobName.parse(job.name), 0, 10_000)
    return [event.what for event in events if isinstance(event.what, kinds)]


def concluded(number: int, conclusion: Conclusion = Conclusion.ANSWERED) -> PlanStep:
    return PlanStep(
        SEARCH, number, StepKind.CONCLUDE, "that is that", "test", conclusion=conclusion
    )


async def succeeded(house: House, **changes: object) -> tuple[pb.Job, Runner]:
    job, runner = await house.running(**changes)
    await runner.conclude()
    await runner.finish("COMPLETED")
    return await house.reaches(job.name, "SUCCEEDED"), runner


async def spec_of(runner: Runner) -> object:
    request = rpb.GetAssignmentRequest(attempt=runner.attempt)
    async for message in runner.stub.GetAssignment(request, metadata=runner.metadata):
        return spec_from_wire(message.spec)
    return None


async def test_a_running_job_pauses_once_its_runner_has_finished_what_it_does(
    house: House,
) -> None:
    job, runner = await house.running()
    await runner.step(a_step())
    assert (await house.pause(job.name)).state == pb.JOB_STATE_PAUSING
    assert (await runner.heartbeat()).directive == rpb.DIRECTIVE_PAUSE
    assert (await house.pause(job.name)).state == pb.JOB_STATE_PAUSING
    # What was under way is finished and kept.
    assert (await runner.record(runner.row())).recorded == 1
    await runner.finish("PAUSED")
    paused = await house.get(job.name)
    assert (paused.state, paused.state_reason) == (pb.JOB_STATE_PAUSED, "paused by ada")
    assert paused.searches[0].state == 2
    assert house.outcomes(job) == ["PAUSED"]
    assert not house.gateway.stopped

    answer = await house.resume(job.name)
    assert (answer.state, answer.state_reason) == (pb.JOB_STATE_QUEUED, "resumed by ada")
    second = await house.enrol(job.name, number=2)
    await house.reaches(job.name, "RUNNING")
    assert await second.step(concluded(2)) is False
    await second.finish("COMPLETED")
    assert (await house.get(job.name)).state == pb.JOB_STATE_SUCCEEDED


async def test_a_waiting_job_is_paused_at_once_and_keeps_nobody_waiting(house: House) -> None:
    await house.restart(max_running_jobs=1)
    first, runner = await house.running()
    second, third = await house.create(), await house.create()
    await house.reaches(second.name, "QUEUED")
    assert (await house.pause(second.name)).state == pb.JOB_STATE_PAUSED
    await runner.conclude()
    await runner.finish("COMPLETED")
    await house.reaches(third.name, "RUNNING")
    assert await house.state(second.name) == "PAUSED"
    assert first.name != second.name


async def test_a_job_paused_before_its_runner_enrolled_lets_it_go(house: House) -> None:
    job = await house.create()
    await house.submission(job.name)
    await house.reaches(job.name, "RUNNING")
    await house.pause(job.name)
    await house.reaches(job.name, "PAUSED")
    await until(lambda: house.gateway.stopped)
    code = house.gateway.submissions[0].code
    error = await refusal(house.runners.Enrol(rpb.EnrolRequest(job=job.name, code=code)))
    assert error.reason == "STALE_ATTEMPT"


async def test_a_pausing_job_that_is_resumed_goes_on_with_the_same_runner(house: House) -> None:
    job, runner = await house.running()
    await house.pause(job.name)
    assert (await house.resume(job.name)).state == pb.JOB_STATE_RUNNING
    assert (await runner.heartbeat()).directive in (rpb.DIRECTIVE_SHARE, rpb.DIRECTIVE_CONTINUE)
    await runner.conclude()
    await runner.finish("COMPLETED")
    assert (await house.get(job.name)).state == pb.JOB_STATE_SUCCEEDED
    assert len(house.gateway.submissions) == 1


async def test_a_pausing_job_whose_runner_dies_is_paused(house: House) -> None:
    job, _runner = await house.running()
    await house.pause(job.name)
    house.gateway.end(house.gateway.submissions[0].id, DriverState.FAILED, "exit code -9")
    paused = await house.reaches(job.name, "PAUSED")
    assert "exit code -9" in paused.state_reason
    await asyncio.sleep(0.2)
    assert len(house.gateway.submissions) == 1


async def test_a_job_that_makes_way_goes_back_to_the_queue_with_its_reason(house: House) -> None:
    job, runner = await house.running()
    await runner.step(a_step())
    await runner.record(runner.row())
    await runner.finish("PAUSED", message="its slots went to namespaces/default/jobs/urgent")
    assert JobStateChanged("QUEUED", "its slots went to namespaces/default/jobs/urgent") in whats(
        house, job, JobStateChanged
    )
    # Nobody else waits, so it is admitted again, and at once.
    second = await house.enrol(job.name, number=2)
    await house.reaches(job.name, "RUNNING")
    await second.step(concluded(2))
    await second.finish("COMPLETED")
    assert house.outcomes(job) == ["PAUSED", "COMPLETED"]


async def test_a_job_found_waiting_with_a_runner_makes_way_like_any_other(house: House) -> None:
    await house.restart(max_running_jobs=1)
    job, runner = await house.running()
    await house.stop()
    # As one that died between the submission and telling that the job runs has left it.
    store = open_store(house.settings.store_url)
    store.set_job_state(JobName.parse(job.name), JobState.QUEUED, "", [JobState.RUNNING])
    store.close()
    await house.start()
    runner.stub = house.runners
    await house.reaches(job.name, "RUNNING")
    urgent = await house.create(priority=10)
    await house.reaches(urgent.name, "QUEUED")
    await runner.finish("PAUSED")
    await house.enrol(urgent.name)
    assert await house.state(job.name) == "QUEUED"
    assert house.outcomes(job) == ["PAUSED"]


async def test_making_way_often_is_no_failure(house: House) -> None:
    await house.restart(max_attempts=1)
    job = await house.create()
    for number in (1, 2, 3):
        runner = await house.enrol(job.name, number)
        await house.reaches(job.name, "RUNNING")
        await runner.finish("PAUSED")
    runner = await house.enrol(job.name, 4)
    await runner.conclude()
    await runner.finish("COMPLETED")
    await house.reaches(job.name, "SUCCEEDED")


async def test_a_running_job_that_is_stopped_concludes_on_what_is_known(house: House) -> None:
    job, runner = await house.running()
    await runner.step(a_step())
    assert (await house.conclude(job.name)).state == pb.JOB_STATE_STOPPING
    assert (await runner.heartbeat()).directive == rpb.DIRECTIVE_STOP
    assert (await house.conclude(job.name)).state == pb.JOB_STATE_STOPPING
    await runner.step(concluded(2, Conclusion.STOPPED))
    await runner.finish("COMPLETED")
    done = await house.get(job.name)
    assert (done.state, done.state_reason) == (pb.JOB_STATE_SUCCEEDED, "stopped by ada")
    again = await house.conclude(job.name)
    assert (again.state, again.last_sequence) == (done.state, done.last_sequence)


async def test_a_paused_job_that_is_stopped_is_given_a_runner_to_conclude(house: House) -> None:
    await house.restart(max_running_jobs=1)
    job, runner = await house.running()
    await runner.step(a_step())
    await house.pause(job.name)
    await runner.finish("PAUSED")
    await house.running()
    # The only place is taken, and a conclusion needs none.
    assert (await house.conclude(job.name)).state == pb.JOB_STATE_STOPPING
    second = await house.enrol(job.name, number=2)
    assert (await second.heartbeat()).directive == rpb.DIRECTIVE_STOP
    # It dies, and another concludes.
    house.gateway.end(house.gateway.submissions[-1].id)
    third = await house.enrol(job.name, number=3)
    await third.step(concluded(2, Conclusion.STOPPED))
    await third.finish("COMPLETED")
    done = await house.get(job.name)
    assert (done.state, done.state_reason) == (pb.JOB_STATE_SUCCEEDED, "stopped by ada")


async def test_what_has_no_record_has_no_conclusion_and_is_cancelled(house: House) -> None:
    await house.restart(max_running_jobs=1)
    await house.running()
    waiting, paused = await house.create(), await house.create()
    await house.pause(paused.name)
    for job in (waiting, paused):
        answer = await house.conclude(job.name)
        assert (answer.state, answer.state_reason) == (pb.JOB_STATE_CANCELLED, "stopped by ada")


async def test_a_stopping_or_paused_job_can_be_cancelled(house: House) -> None:
    job, runner = await house.running()
    await runner.step(a_step())
    await house.conclude(job.name)
    assert (await house.cancel(job.name)).state == pb.JOB_STATE_CANCELLING
    await runner.finish("CANCELLED")
    assert await house.state(job.name) == "CANCELLED"

    job = await house.create()
    await house.pause(job.name)
    await house.reaches(job.name, "PAUSED")
    assert (await house.cancel(job.name)).state == pb.JOB_STATE_CANCELLED


async def test_a_cancelled_job_is_resumed_on_its_record(house: House) -> None:
    job, runner = await house.running(baseline="perceptron")
    await runner.step(a_step())
    await runner.record(runner.row())
    await runner.conclude("perceptron")
    await house.cancel(job.name)
    await runner.finish("CANCELLED")
    cancelled = await house.reaches(job.name, "CANCELLED")
    assert cancelled.HasField("end_time")
    await house.resume(job.name)
    second = await house.enrol(job.name, number=2)
    resumed = await house.reaches(job.name, "RUNNING")
    assert not resumed.HasField("end_time")
    assert resumed.start_time == cancelled.start_time
    # The one that was broken off is open again, and the one that had concluded stays so.
    assert whats(house, job, SearchStateChanged)[-1] == SearchStateChanged(SEARCH, "RUNNING", "")
    assert {s.key: s.state for s in resumed.searches} == {SEARCH: 2, "perceptron": 3}
    await second.step(concluded(2))
    await second.finish("COMPLETED")
    assert await house.state(job.name) == "SUCCEEDED"


async def test_a_failed_job_that_is_resumed_has_all_its_attempts_again(house: House) -> None:
    await house.restart(max_attempts=2)
    job = await house.create()
    for number in (1, 2):
        await (await house.enrol(job.name, number)).finish("CRASHED", message="out of luck")
    await house.reaches(job.name, "FAILED")
    await house.resume(job.name)
    await (await house.enrol(job.name, 3)).finish("CRASHED", message="out of luck")
    runner = await house.enrol(job.name, 4)
    await runner.conclude()
    await runner.finish("COMPLETED")
    await house.reaches(job.name, "SUCCEEDED")


async def test_bad_data_that_was_mended_can_be_tried_again(house: House) -> None:
    job, runner = await house.running()
    await runner.finish("INVALID", "dataset.path", "has no array x")
    await house.reaches(job.name, "FAILED")
    await house.resume(job.name)
    runner = await house.enrol(job.name, 2)
    await runner.conclude()
    await runner.finish("COMPLETED")
    await house.reaches(job.name, "SUCCEEDED")


async def test_a_last_word_that_comes_again_does_not_end_the_resumed_job(house: House) -> None:
    await house.restart(max_running_jobs=1)
    job, runner = await house.running()
    await runner.finish("INVALID", "dataset.path", "has no array x")
    await house.reaches(job.name, "FAILED")
    # The resumed job waits for its turn, so that the old attempt is still its last.
    other = await house.create()
    await house.reaches(other.name, "RUNNING")
    await house.resume(job.name)
    await runner.finish("INVALID", "dataset.path", "has no array x")
    assert await house.state(job.name) == "QUEUED"


@pytest.mark.parametrize("conclusion", [Conclusion.ANSWERED, Conclusion.FAILED])
async def test_nothing_to_go_on_with_changes_nothing(house: House, conclusion: Conclusion) -> None:
    job, runner = await house.running()
    await runner.conclude(conclusion=conclusion)
    await runner.finish("COMPLETED")
    done = await house.get(job.name)
    for verb in (house.pause, house.resume, house.conclude, house.cancel):
        answer = await verb(job.name)
        assert (answer.state, answer.last_sequence) == (done.state, done.last_sequence)
    assert done.state == (
        pb.JOB_STATE_SUCCEEDED if conclusion is Conclusion.ANSWERED else pb.JOB_STATE_FAILED
    )


async def test_a_concluded_job_is_extended_and_goes_on_with_the_new_spec(house: House) -> None:
    job, _runner = await succeeded(house)
    levels = [pb.MoreLevels(search="depth", levels=[16])]
    answer = await house.extend(job.name, max_replicates=30, levels=levels)
    assert answer.state == pb.JOB_STATE_QUEUED
    assert not answer.HasField("end_time")
    (event,) = whats(house, job, JobExtended)
    assert isinstance(event, JobExtended)
    assert (event.by, len(event.changes)) == ("ada", 2)
    assert event.spec.searches[0].levels == (1, 2, 4, 8, 16)
    runner = await house.enrol(job.name, number=2)
    assert await spec_of(runner) == event.spec == spec_from_wire((await house.get(job.name)).spec)
    assert (await house.get(job.name)).searches[0].state == 2
    # The steps go on where they had concluded.
    await runner.step(a_step(number=3))
    await runner.step(concluded(4))
    await runner.finish("COMPLETED")
    assert await house.state(job.name) == "SUCCEEDED"


async def test_an_extension_is_made_once_a_request(house: House) -> None:
    job, _runner = await succeeded(house, budget={"device_hours": 1.0})
    for _ in range(3):
        answer = await house.extend(job.name, "the-same-request", more_device_hours=2.0)
        assert answer.spec.budget.device_hours == 3.0
    error = await refusal(house.extend(job.name, "the-same-request", more_device_hours=1.0))
    assert error.status is Status.ALREADY_EXISTS
    assert len(whats(house, job, JobExtended)) == 1


async def test_what_was_submitted_is_still_recognised_after_an_extension(house: House) -> None:
    job, _runner = await succeeded(house, request_id="the-first-request")
    await house.extend(job.name, max_replicates=30)
    assert (await house.create(request_id="the-first-request")).name == job.name
    error = await refusal(house.create(request_id="the-first-request", margin=0.5))
    assert error.status is Status.ALREADY_EXISTS


async def test_only_what_rests_is_extended(house: House) -> None:
    job, runner = await house.running()
    error = await refusal(house.extend(job.name, max_replicates=30))
    assert (error.status, error.reason) == (Status.FAILED_PRECONDITION, "NOT_AT_REST")
    assert "pause it first" in error.message
    await house.pause(job.name)
    await runner.finish("PAUSED")
    looked = await house.extend(job.name, max_replicates=30, validate_only=True)
    assert (looked.state, looked.spec.measuring.max_replicates) == (pb.JOB_STATE_PAUSED, 30)
    assert (await house.get(job.name)).spec.measuring.max_replicates == 20
    await house.extend(job.name, max_replicates=30)
    runner = await house.enrol(job.name, 2)
    assert (await spec_of(runner)).measuring.max_replicates == 30


async def test_a_bad_extension_is_told_by_its_fields_and_does_nothing(house: House) -> None:
    job, _runner = await succeeded(house)
    before = (await house.get(job.name)).last_sequence
    error = await refusal(
        house.extend(job.name, max_replicates=4, levels=[pb.MoreLevels(search="cnn", levels=[3])])
    )
    assert error.status is Status.INVALID_ARGUMENT
    assert [v.field for v in error.violations] == ["max_replicates", "levels[0].search"]
    error = await refusal(house.extend(job.name, "short", max_replicates=30))
    assert [v.field for v in error.violations] == ["request_id"]
    assert (await house.get(job.name)).last_sequence == before


async def test_watchers_of_a_reopened_job_see_its_whole_story(house: House) -> None:
    job, _runner = await succeeded(house)
    await house.extend(job.name, max_replicates=30)
    second = await house.enrol(job.name, 2)

    async def finish() -> None:
        await second.step(concluded(3))
        await second.finish("COMPLETED")

    events, _ = await asyncio.gather(house.watch(job.name), finish())
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    states = [e.job_state_changed.state for e in events if e.HasField("job_state_changed")]
    assert states.count(pb.JOB_STATE_SUCCEEDED) == 2
    assert states[-1] == pb.JOB_STATE_SUCCEEDED


async def test_the_reason_of_a_retry_is_told_while_it_waits(house: House) -> None:
    await house.restart(retry_backoff_seconds=1.0)
    job, _runner = await house.running()
    house.gateway.end(house.gateway.submissions[0].id, DriverState.FAILED, "exit code -9")

    async def told() -> bool:
        reason = (await house.get(job.name)).state_reason
        return reason.startswith("attempt 2 after LOST: ") and "exit code -9" in reason

    await until(told)
    await house.submission(job.name, 2)

    async def silent() -> bool:
        return (await house.get(job.name)).state_reason == ""

    await until(silent)
    (ended,) = whats(house, job, RunnerEnded)
    assert isinstance(ended, RunnerEnded)
    assert (ended.attempt, ended.outcome) == (1, Ended.LOST)


async def test_a_cluster_that_comes_back_empty_has_lost_the_driver(house: House) -> None:
    job, first = await house.running()
    await first.record(first.row())
    submission = house.gateway.submissions[0].id
    house.gateway.unreachable = "no route"
    del house.gateway.drivers[submission]
    house.gateway.unreachable = ""
    second = await house.enrol(job.name, number=2)
    assert house.outcomes(job) == ["LOST", ""]
    assert "doesn't know the driver" in house.store.attempts(JobName.parse(job.name))[0].reason
    await second.conclude()
    await second.finish("COMPLETED")
    assert await house.state(job.name) == "SUCCEEDED"


async def test_a_restart_finds_jobs_that_pause_stop_or_rest(house: House) -> None:
    pausing, runner = await house.running()
    await house.pause(pausing.name)
    stopping, second = await house.running()
    await second.step(a_step())
    await house.conclude(stopping.name)
    resting = await house.create()
    await house.pause(resting.name)
    await house.restart()
    runner.stub = second.stub = house.runners
    assert (await runner.heartbeat()).directive == rpb.DIRECTIVE_PAUSE
    assert (await second.heartbeat()).directive == rpb.DIRECTIVE_STOP
    await runner.finish("PAUSED")
    await second.step(concluded(2, Conclusion.STOPPED))
    await second.finish("COMPLETED")
    assert await house.state(pausing.name) == "PAUSED"
    assert await house.state(stopping.name) == "SUCCEEDED"
    assert await house.state(resting.name) == "PAUSED"


async def test_the_budget_of_hours_is_that_of_attempts_and_not_of_rests(house: House) -> None:
    job, runner = await house.running()
    await house.pause(job.name)
    await runner.finish("PAUSED")
    await asyncio.sleep(1.0)
    await house.resume(job.name)
    second = await house.enrol(job.name, 2)
    request = rpb.GetAssignmentRequest(attempt=second.attempt)
    messages = [m async for m in second.stub.GetAssignment(request, metadata=second.metadata)]
    lives = [a.end_time - a.create_time for a in house.store.attempts(JobName.parse(job.name))[:1]]
    spent = messages[0].elapsed_seconds
    assert lives[0].total_seconds() <= spent < lives[0].total_seconds() + 0.9
