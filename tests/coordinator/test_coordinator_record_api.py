"""What a runner records and what people read of it."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
from dataclasses import replace

import pytest
from coordinator_harness import AUTH, House, Runner, a_step, refusal

from services.coordinator.asked import Other
from services.coordinator.curves import Curves
from services.coordinator.store.rows import JobRow
from tuner.curve import Curve, VerdictOutcome
from tuner.errors import Status
from tuner.record import Conclusion, Measurement, Phase
from tuner.spec import Search
from tuner.v1 import returns_pb2
from tuner.v1 import runner_service_pb2 as rpb
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.comparison import comparison_from_wire
from tuner.wire.curve import curve_from_wire
from tuner.wire.names import JobName
from tuner.wire.record import measurement_from_wire, step_from_wire

TWO = (
    Search("simulated", axis="depth", levels=[1, 2, 4, 8]),
    Search("simulated", axis="trees", levels=[1, 2, 4]),
)


async def pages(call, make, field: str) -> list:
    """Returns every item of a paged list, and proves that no page is over-full."""
    items, token = [], ""
    while True:
        page = await call(make(token), metadata=AUTH)
        found = list(getattr(page, field))
        items += found
        token = page.next_page_token
        if not token:
            return items
        assert found


async def test_recording_is_idempotent_and_says_so(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    rows = [runner.row(level, replicate) for level in (1, 2) for replicate in range(3)]
    first = await runner.record(*rows)
    assert (first.recorded, first.repeated_count, first.conflicting) == (6, 0, 0)
    again = await runner.record(*rows, runner.row(4, 0))
    assert (again.recorded, again.repeated_count, again.conflicting) == (1, 6, 0)
    differs = await runner.record(replace(rows[0], scores={"error": 0.9}))
    assert (differs.recorded, differs.conflicting) == (0, 1)


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda m: replace(m, id="0" * 64), "measurements[1].id"),
        (lambda m: replace(m, search="svm/c"), "measurements[1].search"),
        (lambda m: replace(m, level=3), "measurements[1].level"),
    ],
)
async def test_rows_that_cannot_be_the_jobs_are_refused(house: House, spoil, field: str) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    error = await refusal(runner.record(runner.row(), spoil(runner.row(2))))
    assert error.status is Status.INVALID_ARGUMENT
    assert error.violations[0].field == field
    answer = await house.stub.ListMeasurements(
        pb.ListMeasurementsRequest(parent=job.name), metadata=AUTH
    )
    assert not answer.measurements


async def test_too_many_rows_and_foreign_attempts_are_refused(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    error = await refusal(runner.record(*(runner.row(replicate=i) for i in range(1001))))
    assert "1000" in error.violations[0].problem
    request = rpb.RecordMeasurementsRequest(attempt=runner.attempt)
    packet = request.packet_attempts.add(packet="p", number=1, runner_attempt=9, outcome=1)
    packet.start_time.GetCurrentTime()
    error = await refusal(runner.stub.RecordMeasurements(request, metadata=runner.metadata))
    assert error.violations[0].field == "packet_attempts[0].end_time"
    packet.end_time.GetCurrentTime()
    error = await refusal(runner.stub.RecordMeasurements(request, metadata=runner.metadata))
    assert error.violations[0].field == "packet_attempts[0].runner_attempt"


async def test_a_plan_that_diverges_is_aborted(house: House) -> None:
    job = await house.create()
    runner = await house.enrol(job.name)
    assert await runner.step(a_step()) is False
    assert await runner.step(a_step()) is True
    error = await refusal(runner.step(a_step(decision="something else")))
    assert (error.status, error.reason) == (Status.ABORTED, "PLAN_DIVERGED")
    error = await refusal(runner.step(a_step(number=3)))
    assert error.reason == "WRONG_STATE"


async def test_the_assignment_is_the_spec_and_then_everything_so_far(house: House) -> None:
    job = await house.create(searches=TWO, resources={"slots": 3})
    runner = await house.enrol(job.name)
    rows = [runner.row(1, replicate) for replicate in range(700)]
    await runner.step(a_step())
    await runner.record(*rows)
    request = rpb.GetAssignmentRequest(attempt=runner.attempt)
    messages = [m async for m in runner.stub.GetAssignment(request, metadata=runner.metadata)]
    assert messages[0].spec == (await house.get(job.name)).spec
    assert messages[0].slots == 3
    assert messages[0].elapsed_seconds >= 0
    assert not any(m.HasField("spec") for m in messages[1:])
    assert [step_from_wire(s) for m in messages for s in m.plan_steps] == [a_step()]
    assert [m.id for message in messages for m in message.measurements] == [r.id for r in rows]
    assert max(len(m.measurements) for m in messages) == 500


async def test_a_runner_fetches_its_own_jobs_files_alone(house: House) -> None:
    content = bytes(range(256)) * 9000
    digest = hashlib.sha256(content).hexdigest()
    with house.coordinator.core.artifacts.open_upload(digest, len(content)) as blob:
        blob.write(content)
        blob.commit()
    file = {"name": "x.npz", "sha256": digest, "size_bytes": len(content)}
    job = await house.create(dataset={"source": "npz", "files": [file]})
    runner = await house.enrol(job.name)
    request = rpb.FetchBlobRequest(attempt=runner.attempt, sha256=digest)
    chunks = [m.chunk async for m in runner.stub.FetchBlob(request, metadata=runner.metadata)]
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 1024 * 1024
    request.sha256 = "0" * 64
    error = await refusal(runner.stub.FetchBlob(request, metadata=runner.metadata))
    assert error.violations[0].field == "sha256"


async def recorded(house: House) -> tuple[pb.Job, Runner, list[Measurement]]:
    job = await house.create(searches=TWO)
    runner = await house.enrol(job.name)
    rows = [
        runner.row(level, replicate, 0.1 / level + 0.001 * replicate, rate=rate, phase=phase)
        for phase, rate in ((Phase.TUNING, 0.1), (Phase.TUNING, 0.01), (Phase.MEASURING, 0.01))
        for level in (1, 2, 4)
        for replicate in range(2 if phase is Phase.TUNING else 4)
    ]
    rows += [runner.row(1, 0, search="simulated/trees")]
    await runner.record(*rows)
    return job, runner, rows


async def test_trials_are_candidates_with_all_their_measurements(house: House) -> None:
    job, _, rows = await recorded(house)

    def make(token: str) -> pb.ListTrialsRequest:
        return pb.ListTrialsRequest(parent=job.name, page_size=2, page_token=token)

    trials = await pages(house.stub.ListTrials, make, "trials")
    assert len(trials) == 7
    assert sorted(m.id for t in trials for m in t.measurements) == sorted(r.id for r in rows)
    measured = [t for t in trials if t.measured]
    assert len(measured) == 4
    assert {len(t.measurements) for t in measured if t.search == "simulated/depth"} == {6}
    one = await house.stub.ListTrials(
        pb.ListTrialsRequest(parent=job.name, search="simulated/trees"), metadata=AUTH
    )
    assert len(one.trials) == 1
    request = pb.ListTrialsRequest(parent=job.name, search="cnn/depth")
    error = await refusal(house.stub.ListTrials(request, metadata=AUTH))
    assert error.violations[0].field == "search"


async def test_measurements_and_steps_come_page_by_page_in_order(house: House) -> None:
    job, runner, rows = await recorded(house)
    for number in range(1, 6):
        await runner.step(a_step(number=number))

    def make(token: str) -> pb.ListMeasurementsRequest:
        return pb.ListMeasurementsRequest(parent=job.name, page_size=5, page_token=token)

    found = await pages(house.stub.ListMeasurements, make, "measurements")
    assert [m.id for m in found] == [row.id for row in rows]
    assert measurement_from_wire(found[0]).scores == rows[0].scores

    def make_steps(token: str) -> pb.ListPlanStepsRequest:
        return pb.ListPlanStepsRequest(parent=job.name, page_size=2, page_token=token)

    steps = await pages(house.stub.ListPlanSteps, make_steps, "plan_steps")
    assert [s.number for s in steps] == [1, 2, 3, 4, 5]
    swapped = pb.ListPlanStepsRequest(
        parent=job.name,
        page_token=(await house.stub.ListMeasurements(make(""), metadata=AUTH)).next_page_token,
    )
    error = await refusal(house.stub.ListPlanSteps(swapped, metadata=AUTH))
    assert error.reason == "INVALID_PAGE_TOKEN"


async def test_curves_follow_the_record(house: House) -> None:
    job, runner, _ = await recorded(house)

    async def curves() -> list[returns_pb2.Curve]:
        def make(token: str) -> pb.ListCurvesRequest:
            return pb.ListCurvesRequest(parent=job.name, page_size=1, page_token=token)

        return await pages(house.stub.ListCurves, make, "curves")

    began = (await house.get(job.name)).last_sequence
    before = await curves()
    assert [c.search for c in before] == ["simulated/depth", "simulated/trees"]
    depth = curve_from_wire(before[0])
    assert [level.level for level in depth.levels] == [1, 2, 4]
    assert depth.at(1).replicates == 4
    assert depth.at(1).score == pytest.approx(0.1015)
    assert depth.unmeasured == (8,)
    # The scheduler may tell of shares at any time.
    assert began <= depth.sequence <= (await house.get(job.name)).last_sequence
    await runner.record(runner.row(8, 0))
    await runner.conclude("simulated/trees", Conclusion.FAILED)
    after = await curves()
    assert curve_from_wire(after[0]).at(8).replicates == 1
    assert after[1].state == returns_pb2.SEARCH_STATE_FAILED
    assert after[1].state_reason == "that is that"


async def test_a_curve_that_many_ask_for_is_made_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _, _ = await recorded(house)
    made: list[str] = []
    make = Curves._make

    async def counted(self: Curves, row: JobRow, key: str, other: Other | None) -> Curve:
        made.append(key)
        return await make(self, row, key, other)

    monkeypatch.setattr(Curves, "_make", counted)
    curves = Curves(house.store, house.coordinator.core.artifacts)
    row = await asyncio.to_thread(house.store.get_job, JobName.parse(job.name))
    found = await asyncio.gather(*(curves.curve(row, "simulated/depth") for _ in range(5)))
    curves.close()
    assert made == ["simulated/depth"]
    assert all(curve is found[0] for curve in found)


async def priced(house: House, *levels: int) -> tuple[pb.Job, Runner]:
    """A job at a price, each level a tenth of the error below it, with six replicates."""
    job = await house.create(searches=TWO, worth={"gain": 0.01, "device_hours": 40})
    runner = await house.enrol(job.name)
    await runner.record(
        *(
            runner.row(level, i, 0.1**place + 1e-4 * ((3 * i + level) % 5), search=search.key)
            for search in TWO
            for place, level in enumerate(levels)
            for i in range(6)
        )
    )
    return job, runner


async def curves_of(house: House, job: pb.Job) -> dict[str, Curve]:
    request = pb.ListCurvesRequest(parent=job.name)
    answer = await house.stub.ListCurves(request, metadata=AUTH)
    return {message.search: curve_from_wire(message) for message in answer.curves}


async def test_a_priced_curve_takes_the_costs_that_its_last_step_fixed(house: House) -> None:
    job, runner = await priced(house, 1, 2, 4)
    search = "simulated/trees"
    # What 1e-3 is worth at this price, and far more than .1 is.
    cheap, dear = 4 * 3600.0, 4e7
    await runner.step(replace(a_step(search, 1), costs=((1, 1.0), (2, dear), (4, 2 * dear))))
    first = (await curves_of(house, job))[search]
    assert first.verdict is not None
    assert first.verdict.answer == (VerdictOutcome.PLATEAUED, 1)
    await runner.step(replace(a_step(search, 2), costs=((1, 1.0), (2, 2.0), (4, cheap))))
    # Steps that fix none leave standing what was fixed.
    await runner.step(a_step(search, 3))
    last = (await curves_of(house, job))[search]
    assert last.verdict is not None
    assert last.verdict.answer == (VerdictOutcome.RISING, None)
    assert last.worth == "0.01 error per 40 device-hours"
    assert last.worth in last.verdict.reason


async def test_a_priced_curve_without_costs_shows_scores_and_no_verdict(house: House) -> None:
    job, runner = await priced(house, 1, 2, 4)
    await runner.step(replace(a_step("simulated/trees", 1), costs=((1, 1.0), (2, 2.0))))
    found = await curves_of(house, job)
    for search, lacking in (("simulated/depth", "1, 2 and 4"), ("simulated/trees", "4")):
        curve = found[search]
        assert [level.replicates for level in curve.levels] == [6, 6, 6]
        assert curve.at(2).score == pytest.approx(0.1, abs=0.001)
        assert curve.at(2).gain is not None
        assert curve.verdict is not None
        assert curve.verdict.outcome is VerdictOutcome.INCONCLUSIVE
        assert curve.verdict.not_excluded == (1, 2, 4)
        assert f"{lacking} cost isn't known yet" in curve.verdict.reason
        assert curve.comparisons == ()
    request = pb.CompareSearchesRequest(parent=job.name)
    answer = await house.stub.CompareSearches(request, metadata=AUTH)
    assert not answer.HasField("comparison")


async def test_priced_searches_are_compared_at_the_levels_that_their_costs_leave(
    house: House,
) -> None:
    job, runner = await priced(house, 1, 2, 4)
    for search, dear in (("simulated/depth", 1e9), ("simulated/trees", 1.0)):
        costs = ((1, 1.0), (2, 2 * dear), (4, 3 * dear))
        await runner.step(replace(a_step(search, 1), costs=costs))
    request = pb.CompareSearchesRequest(parent=job.name)
    answer = await house.stub.CompareSearches(request, metadata=AUTH)
    found = comparison_from_wire(answer.comparison)
    assert {c.search: c.level for c in found.contenders} == {
        "simulated/depth": 1,
        "simulated/trees": 4,
    }


@pytest.mark.parametrize(
    ("costs", "field"),
    [
        (((1, 1.0), (2, float("nan"))), "step.costs[1].device_seconds"),
        (((1, float("inf")),), "step.costs[0].device_seconds"),
        (((1, -1.0),), "step.costs[0].device_seconds"),
        (((1, 1.0), (1, 2.0)), "step.costs[1].level"),
        (((2, 1.0), (1, 2.0)), "step.costs[1].level"),
    ],
)
async def test_a_step_whose_costs_no_curve_could_be_judged_by_is_refused(
    house: House, costs: tuple[tuple[int, float], ...], field: str
) -> None:
    job = await house.create(searches=TWO)
    runner = await house.enrol(job.name)
    error = await refusal(runner.step(replace(a_step(), costs=costs)))
    assert [v.field for v in error.violations] == [field]
    assert await runner.step(a_step()) is False


async def test_a_runner_up_is_billed_and_is_no_measured_trial(house: House) -> None:
    job, runner, _ = await recorded(house)
    second = [runner.row(2, i, 0.5, rate=0.1, phase=Phase.RUNNER_UP) for i in range(4)]
    before = (await curves_of(house, job))["simulated/depth"]
    await runner.record(*second)
    after = (await curves_of(house, job))["simulated/depth"]
    assert after.at(2).billed_device_seconds == before.at(2).billed_device_seconds + 4 * 0.5
    assert (after.at(2).score, after.verdict) == (before.at(2).score, before.verdict)
    assert any("hangs on tuning" in note for note in after.notes)
    answer = await house.stub.ListTrials(pb.ListTrialsRequest(parent=job.name), metadata=AUTH)
    (trial,) = [t for t in answer.trials if second[0].id in {m.id for m in t.measurements}]
    assert not trial.measured
    assert len(trial.measurements) == 2 + 4


async def test_searches_are_compared_only_on_what_is_measured(house: House) -> None:
    job = await house.create(searches=TWO)
    request = pb.CompareSearchesRequest(parent=job.name)
    answer = await house.stub.CompareSearches(request, metadata=AUTH)
    assert not answer.HasField("comparison")
    request.metric = "beauty"
    error = await refusal(house.stub.CompareSearches(request, metadata=AUTH))
    assert error.violations[0].field == "metric"
    assert "brier" in error.violations[0].problem
    request = pb.CompareSearchesRequest(parent="namespaces/default/jobs/none")
    error = await refusal(house.stub.CompareSearches(request, metadata=AUTH))
    assert error.status is Status.NOT_FOUND


async def test_searches_are_compared_on_the_record_as_it_stands(house: House) -> None:
    job, runner, _ = await recorded(house)

    async def compared(**changes) -> pb.CompareSearchesResponse:
        request = pb.CompareSearchesRequest(parent=job.name, **changes)
        return await house.stub.CompareSearches(request, metadata=AUTH)

    # The two share one replicate, which bounds nothing.
    few = comparison_from_wire((await compared()).comparison)
    assert few.metric == "error"
    assert few.margin == 0.01
    assert {c.search for c in few.contenders} == {"simulated/depth", "simulated/trees"}
    assert few.good_enough is None
    await runner.record(
        *(runner.row(1, i, 0.5 + 0.002 * i, search="simulated/trees") for i in range(1, 4))
    )
    more = comparison_from_wire((await compared(rope=True)).comparison)
    (difference,) = more.differences
    assert (difference.better, difference.worse) == ("simulated/depth", "simulated/trees")
    assert difference.practically_equal is not None
    assert difference.replicates == 4
    again = comparison_from_wire((await compared()).comparison)
    assert again.differences[0].practically_equal is None
    # Nobody has scored them on this.
    assert not (await compared(metric="brier")).HasField("comparison")


async def test_a_curves_dead_process_is_replaced(house: House) -> None:
    job, runner, _ = await recorded(house)
    request = pb.ListCurvesRequest(parent=job.name)
    await house.stub.ListCurves(request, metadata=AUTH)
    children = multiprocessing.active_children()
    assert children
    for process in children:
        process.kill()
        process.join()
    await runner.record(runner.row(8, 0))
    assert (await house.stub.ListCurves(request, metadata=AUTH)).curves
