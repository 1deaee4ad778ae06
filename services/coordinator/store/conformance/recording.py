"""Jobs, attempts and their record, called in any order."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from services.coordinator.store.conformance.leading import LeadingMachine, raises, writers
from services.coordinator.store.conformance.model import ModelAttempt
from services.coordinator.store.conformance.samples import (
    DEPTH,
    START,
    TREES,
    a_conclusion,
    a_measurement,
    a_step,
    a_try,
    log_of,
)
from services.coordinator.store.errors import AlreadyExistsError, StaleError, WrongStateError
from services.coordinator.store.rows import Recorded
from tuner.curve import SearchState
from tuner.jobs import (
    JobExtended,
    JobState,
    JobStateChanged,
    RunnerEnded,
    RunnerStarted,
    UnknownEvent,
    What,
)
from tuner.record import Measurement, PacketAttempt, PacketOutcome
from tuner.spec import JobSpec

OPEN = (SearchState.PENDING, SearchState.RUNNING)
ENDS = {JobState.CANCELLED: SearchState.CANCELLED, JobState.FAILED: SearchState.FAILED}

states = st.sampled_from(
    [JobState.QUEUED, *[JobState.RUNNING] * 3, JobState.PAUSED, JobState.CANCELLED, JobState.FAILED]
)
searches = st.sampled_from([TREES, DEPTH])
codes = st.sampled_from(["code 0", "code 1"])


class JobMachine(LeadingMachine):
    """One job, its attempts and its record."""

    @rule(state=states, expect=st.lists(states, min_size=1, max_size=3), who=writers)
    def set_state(self, state: JobState, expect: list[JobState], who: str) -> None:
        model, expect = self.model, [*expect, JobState.PENDING]
        allowed = model.state in expect and not model.state.ended
        store, error = self._writer(who, None if allowed else WrongStateError)
        with raises(error):
            store.set_job_state(self.name, state, "so", expect)
        if error is None:
            idle = state in (JobState.QUEUED, JobState.PAUSED)
            if state.ended or (idle and model.state not in (state, JobState.PENDING)):
                model.share = None
            model.state = state
            if state.ended or state is JobState.PAUSED:
                model.end_live(state)
            for search, stands in model.searches.items():
                if state in ENDS and stands in OPEN:
                    model.move(search, ENDS[state], "so")
            model.events.append(JobStateChanged(state, "so"))

    @rule(expect=st.lists(states, max_size=2), more=st.booleans())
    def reopen(self, expect: list[JobState], more: bool) -> None:
        model, expect = self.model, [*expect, JobState.PAUSED, JobState.FAILED]
        opened = [
            search
            for search, stands in model.searches.items()
            if stands not in OPEN and (more or stands is not SearchState.CONCLUDED)
        ]
        allowed = model.state in expect and (opened or not model.state.ended)
        spec = self.store.get_job(self.name).spec
        with raises(None if allowed else WrongStateError):
            self.store.reopen_job(self.name, "ada", "on", expect, _as_it_is if more else None)
        if allowed:
            if more:
                model.events.append(JobExtended(spec, "ada", ("nothing",)))
            for search in opened:
                begun = bool(model.steps.get(search))
                model.move(search, SearchState.RUNNING if begun else SearchState.PENDING, "")
            model.state, model.share = JobState.QUEUED, None
            model.events.append(JobStateChanged(JobState.QUEUED, "on"))

    @rule(code=codes, who=writers)
    def create_attempt(self, code: str, who: str) -> None:
        at_rest = self.model.state.ended or self.model.state is JobState.PAUSED
        store, error = self._writer(who, WrongStateError if at_rest else None)
        with raises(error):
            row = store.create_attempt(self.name, "s{attempt}", code)
            self.model.end_live("SUPERSEDED")
            self.model.attempts.append(ModelAttempt(row.epoch, code))

    @rule(code=codes)
    def enrol(self, code: str) -> None:
        live = self.model.live
        good = live is not None and live.code == code and not live.enrolled
        with raises(None if good else StaleError):
            self.store.enrol(self.name, code, "token")
        if live is not None and live.code == code:
            if good:
                number = len(self.model.attempts)
                self.model.events.append(RunnerStarted(number, f"s{number}"))
                live.enrolled = True
            else:
                self.model.end_live("COMPROMISED")

    @precondition(lambda self: self.model.attempts)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        number, epoch, good = self._caller(data)
        with raises(None if good else StaleError):
            self.store.heartbeat(self.name, number, epoch)

    @precondition(lambda self: self.model.attempts)
    @rule(data=st.data(), outcome=st.sampled_from(["COMPLETED", "CRASHED"]))
    def end_attempt(self, data: st.DataObject, outcome: str) -> None:
        number, epoch, _ = self._caller(data)
        found = self.model.attempts[number - 1]
        with raises(None if found.epoch == epoch else StaleError):
            self.store.end_attempt(self.name, number, epoch, outcome, "")
        if found.epoch == epoch and not found.outcome:
            self.model.end_live(outcome)

    @precondition(lambda self: self.model.attempts)
    @rule(
        data=st.data(),
        search=searches,
        ahead=st.sampled_from([1, 1, 1, 0, -1, 2]),
        variant=st.sampled_from(["one", "two", "end"]),
    )
    def commit_step(self, data: st.DataObject, search: str, ahead: int, variant: str) -> None:
        model, before = self.model, self.model.steps[search]
        number, epoch, good = self._caller(data)
        count = max(1, len(before) + ahead)
        step = (
            a_conclusion(count, search)
            if variant == "end"
            else a_step(count, search, decision=variant)
        )
        existed = count <= len(before)
        error: type[Exception] | None = None
        if not good:
            error = StaleError
        elif existed:
            error = None if before[count - 1] == step else AlreadyExistsError
        elif model.searches[search] not in OPEN or count > len(before) + 1:
            error = WrongStateError
        with raises(error):
            assert self.store.commit_step(self.name, number, epoch, step) == existed
        if error or existed:
            return
        before.append(step)
        model.events.append(step)
        if variant == "end":
            model.move(search, SearchState.CONCLUDED, step.decision)
        elif model.searches[search] is SearchState.PENDING:
            model.move(search, SearchState.RUNNING, "")

    @precondition(lambda self: self.model.attempts)
    @rule(
        data=st.data(),
        rows=st.lists(
            st.tuples(st.integers(0, 5), searches, st.sampled_from([0.5, 0.5, 0.25])), max_size=6
        ),
        tries=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 2)), max_size=3),
    )
    def record(
        self,
        data: st.DataObject,
        rows: list[tuple[int, str, float]],
        tries: list[tuple[int, int]],
    ) -> None:
        number, epoch, good = self._caller(data)
        sent = [a_measurement(self.name, i, search=s, scores={"brier": v}) for i, s, v in rows]
        packets = [
            a_try(p, number=n, runner_attempt=number, billed_device_seconds=2.0**-n)
            for p, n in tries
        ]
        with raises(None if good else StaleError):
            result = self.store.record(self.name, number, epoch, sent, packets)
            assert result == self._expect(number, sent, packets)

    def _expect(
        self, number: int, sent: list[Measurement], packets: list[PacketAttempt]
    ) -> Recorded:
        model, counts = self.model, {"recorded": 0, "repeated": 0, "conflicting": 0}
        conflicts: list[What] = []
        for m in sent:
            final = model.finals.setdefault(m.id, m)
            if final is m:
                counts["recorded"] += 1
                model.events.append(m)
            elif final.same_result(m):
                counts["repeated"] += 1
            else:
                counts["conflicting"] += 1
                key = (m.packet, number, m.packet_attempt, m.id, m.scores["brier"])
                if key not in model.conflicts:
                    model.conflicts.add(key)
                    conflicts.append(
                        a_try(
                            packet=int(m.packet.rpartition(":")[2]),
                            runner_attempt=number,
                            billed_device_seconds=0.0,
                            outcome=PacketOutcome.CONFLICT,
                        )
                    )
        model.events += conflicts
        for a in packets:
            if model.tries.setdefault((a.packet, a.runner_attempt, a.number), a) is a:
                model.events.append(a)
        return Recorded(**counts)

    def _caller(self, data: st.DataObject) -> tuple[int, int, bool]:
        """Draws who calls, mostly the last attempt; and whether it may."""
        attempts = self.model.attempts
        number = len(attempts)
        if data.draw(st.integers(0, 4), "another attempt") == 0:
            number = data.draw(st.integers(1, number), "attempt")
        found = attempts[number - 1]
        epoch = found.epoch + (data.draw(st.integers(0, 6), "another epoch") == 0)
        return number, epoch, not found.outcome and epoch == found.epoch

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        self.store.close()
        self.store = self.make_store()
        try:
            self.agrees()
            self.agrees_in_detail()
        finally:
            self.store.close()

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "model"):
            return
        model, store, name = self.model, self.store, self.name
        log = log_of(store, name)
        assert [_comparable(e.what) for e in log] == [_comparable(w) for w in model.events]
        job = store.get_job(name)
        assert job.state == model.state
        assert {s.key: s.state for s in job.searches} == model.searches
        assert job.attempt == len(model.attempts)
        assert job.share == model.share
        assert job.billed_device_seconds == sum(
            a.billed_device_seconds for a in model.tries.values()
        )

    def agrees_in_detail(self) -> None:
        """Compares what takes longer to read."""
        model, store, name = self.model, self.store, self.name
        log = log_of(store, name)
        assert [a.outcome for a in store.attempts(name)] == [a.outcome for a in model.attempts]
        assert (store.live_attempt(name) is None) == (model.live is None)
        assert store.measurements(name)[0] == [
            e.what for e in log if isinstance(e.what, Measurement)
        ]
        for search in (TREES, DEPTH):
            assert store.plan(name, search) == model.steps[search]
        self._lease_agrees()
        assert sum(store.billed_by_level(name).values()) == 0.5 * len(model.finals)


def _as_it_is(spec: JobSpec) -> tuple[JobSpec, list[str]]:
    return spec, ["nothing"]


def _comparable(what: What | UnknownEvent) -> What | UnknownEvent:
    """Leaves out what only the store knows: times, words, and a conflict's place."""
    if isinstance(what, Measurement):
        return replace(what, record_time=None)
    if isinstance(what, RunnerEnded):
        return replace(what, reason="")
    if isinstance(what, PacketAttempt) and what.outcome is PacketOutcome.CONFLICT:
        return replace(what, node="", device_type="", start_time=START, end_time=START, error="")
    return what
