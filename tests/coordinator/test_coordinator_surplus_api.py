"""What ran ahead: handed to the next attempt, and seen by nobody before a step claims it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coordinator_harness import AUTH, House, Runner, a_step, refusal

from tuner.record import Measurement
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.record import measurement_from_wire, measurement_to_wire


async def run_ahead(runner: Runner, rows: Sequence[Measurement]) -> rpb.RecordMeasurementsResponse:
    request = rpb.RecordMeasurementsRequest(
        attempt=runner.attempt, surplus=[measurement_to_wire(row) for row in rows]
    )
    return await runner.stub.RecordMeasurements(request, metadata=runner.metadata)


async def assigned(runner: Runner) -> tuple[list[str], list[Measurement]]:
    """Returns the measurements' ids and the surplus that the runner is told of."""
    request = rpb.GetAssignmentRequest(attempt=runner.attempt)
    messages = [m async for m in runner.stub.GetAssignment(request, metadata=runner.metadata)]
    assert max(len(m.surplus) for m in messages) <= 500
    return (
        [m.id for message in messages for m in message.measurements],
        [measurement_from_wire(m) for message in messages for m in message.surplus],
    )


async def test_a_runner_is_told_of_surplus_until_it_is_recorded(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.step(a_step())
    rows = [runner.row(1, i) for i in range(600)]
    answer = await run_ahead(runner, rows)
    assert (answer.recorded, answer.repeated_count, answer.conflicting) == (0, 0, 0)
    measurements, surplus = await assigned(runner)
    assert measurements == []
    assert {m.id: m for m in surplus} == {m.id: m for m in rows}
    await runner.record(*(replace(m, packet="simulated/depth:2:0") for m in rows[:2]))
    measurements, surplus = await assigned(runner)
    assert set(measurements) == {m.id for m in rows[:2]}
    assert {m.id for m in surplus} == {m.id for m in rows[2:]}


async def test_nobody_else_sees_surplus(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    await runner.record(*(runner.row(level, i) for level in (1, 2) for i in range(4)))
    curves = pb.ListCurvesRequest(parent=job.name)
    before = await house.stub.ListCurves(curves, metadata=AUTH)
    last = (await house.get(job.name)).last_sequence
    await run_ahead(runner, [runner.row(level, i, 0.9) for level in (2, 4) for i in range(4, 9)])
    assert await house.stub.ListCurves(curves, metadata=AUTH) == before
    assert (await house.get(job.name)).last_sequence == last
    trials = await house.stub.ListTrials(pb.ListTrialsRequest(parent=job.name), metadata=AUTH)
    assert sum(len(trial.measurements) for trial in trials.trials) == 8
    request = pb.ListMeasurementsRequest(parent=job.name)
    listed = await house.stub.ListMeasurements(request, metadata=AUTH)
    assert len(listed.measurements) == 8


async def test_surplus_that_cannot_be_the_jobs_is_refused(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    error = await refusal(run_ahead(runner, [runner.row(), replace(runner.row(2), id="0" * 64)]))
    assert error.violations[0].field == "surplus[1].id"
    error = await refusal(run_ahead(runner, [runner.row(replicate=i) for i in range(1001)]))
    assert "at most 1000" in error.violations[0].problem
    assert await assigned(runner) == ([], [])
