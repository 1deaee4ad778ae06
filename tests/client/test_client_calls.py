"""The client's calls: retries, errors, pages, events without gap or repeat."""

import time
from dataclasses import replace

import pytest
from coordinator_double import make_comparison, make_spec, serve

from tuner import Client, JobSpec, TunerError
from tuner.client import JobState, JobStateChanged
from tuner.client.transport import Backoff
from tuner.errors import Status
from tuner.record import Measurement, PlanStep
from tuner.v1 import tuner_service_pb2 as pb


@pytest.fixture
def client(address):
    with Client(address) as client:
        yield client


def test_submit_is_tried_again_with_one_request_id(client, double):
    double.failing["CreateJob"] = 2
    job = client.submit(make_spec())
    assert job.id == "digits-1"
    assert job.state is JobState.PENDING
    assert double.calls["CreateJob"] == 3
    assert len({r.request_id for r in double.requests}) == 1
    assert double.requests[0].parent == "namespaces/default"


def test_each_submit_has_a_request_id_of_its_own(client, double):
    client.submit(make_spec(), job_id="a")
    client.submit(make_spec(), job_id="b")
    assert len({r.request_id for r in double.requests}) == 2


def test_submit_takes_a_mapping_and_a_file(client, double, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("dataset: digits\nsearches: [{learner: forest}]\n")
    for spec in ({"dataset": "digits", "searches": [{"learner": "forest"}]}, str(file), file):
        assert client.submit(spec).spec == JobSpec.from_file(file)


def test_nothing_is_sent_of_a_spec_that_is_not_valid(client, double):
    with pytest.raises(TunerError) as caught:
        client.submit({"dataset": "digits", "searches": [{"learner": "forrest"}]})
    assert caught.value.violations[0].field == "searches[0].learner"
    assert not double.calls


def test_other_errors_are_not_tried_again_and_keep_their_reason(client, double):
    with pytest.raises(TunerError) as caught:
        client.get_job("nope")
    assert caught.value.status is Status.NOT_FOUND
    assert caught.value.reason == "JOB_NOT_FOUND"
    assert double.calls["GetJob"] == 1


def test_a_coordinator_that_is_not_there_is_said_to_be(monkeypatch):
    monkeypatch.setattr("tuner.client.client.Transport", _impatient)
    with Client("127.0.0.1:1") as client, pytest.raises(TunerError) as caught:
        client.cluster_status()
    assert caught.value.status is Status.UNAVAILABLE
    assert "127.0.0.1:1" in caught.value.message


def _impatient(endpoint, timeout):
    from tuner.client.transport import Transport

    return Transport(endpoint, timeout, retry=0.3)


def test_the_token_goes_with_every_call(double, address):
    double.token = "secret"
    double.add_job()
    with Client(address, "wrong") as client, pytest.raises(TunerError) as caught:
        client.get_job("digits-1")
    assert caught.value.status is Status.UNAUTHENTICATED
    with Client(address, "secret") as client:
        assert [e.sequence for e in client.get_job("digits-1").watch()] == list(range(1, 8))


def test_a_deadline_that_passes_is_an_error_of_ours(double, address, monkeypatch):
    double.add_job()
    slow = double.GetJob
    monkeypatch.setattr(
        double, "GetJob", lambda r, c: (time.sleep(0.5), slow(r, c))[1], raising=False
    )
    server, address = serve(double)
    with Client(address, timeout=0.1) as client, pytest.raises(TunerError) as caught:
        client.get_job("digits-1")
    assert caught.value.status is Status.DEADLINE_EXCEEDED
    server.stop(None).wait()


def test_watch_resumes_without_gap_or_repeat(client, double):
    double.add_job()
    double.cut = [2, 0, 3]
    events = list(client.get_job("digits-1").watch())
    assert [e.sequence for e in events] == list(range(1, 8))
    assert double.watched == [0, 2, 2, 4]
    assert {type(e.what) for e in events} >= {JobStateChanged, PlanStep, Measurement}
    assert events[0].time.tzinfo is not None


def test_watch_goes_on_after_a_sequence_number_and_keeps_the_state(client, double):
    double.add_job(state="RUNNING")
    job = client.get_job("digits-1")
    double.add_job()
    assert job.state is JobState.RUNNING
    assert [e.sequence for e in job.watch(after=5)] == [6, 7]
    assert job.state is JobState.SUCCEEDED


def test_a_stream_that_ends_well_before_the_job_has_is_taken_up_again(client, double, monkeypatch):
    double.add_job()
    whole = double.WatchJob
    monkeypatch.setattr(
        type(double),
        "WatchJob",
        lambda self, r, c: iter(list(whole(r, c))[:3]) if r.after == 0 else whole(r, c),
    )
    server, address = serve(double)
    with Client(address) as other:
        assert [e.sequence for e in other.get_job("digits-1").watch()] == list(range(1, 8))
    server.stop(None).wait()


def test_wait_gives_up_at_its_timeout_and_the_job_goes_on(client, double, monkeypatch):
    double.add_job(state="RUNNING")
    monkeypatch.setattr(type(double), "WatchJob", _silent)
    server, address = serve(double)
    with Client(address) as other, pytest.raises(TunerError) as caught:
        other.get_job("digits-1").wait(timeout=0.3)
    assert caught.value.reason == "WAIT_TIMEOUT"
    server.stop(None).wait()


def _silent(self, request, context):
    while context.is_active():
        time.sleep(0.05)
    yield from ()


def test_lists_come_in_pages_and_are_whole(client, double):
    for number in range(5):
        double.add_job(job=f"job-{number}")
    assert len(list(client.jobs())) == 5
    assert double.calls["ListJobs"] == 3
    job = client.get_job("job-1")
    assert len(job.measurements()) == 5
    assert len(job.measurements("cnn/depth")) == 3
    assert [s.number for s in job.plan()] == [1, 2, 3]
    assert [t.level for t in job.trials("cnn/depth")] == [1, 2]
    assert set(job.curves()) == {"cnn/depth", "forest/trees", "perceptron"}


def test_learners_arrive_as_the_catalog_has_them(client):
    from tuner import catalog

    got = {learner.name: learner for learner in client.learners()}
    assert set(got) == {n for n, k in catalog.LEARNERS.items() if k.listed}
    assert got["forest"].axes == catalog.LEARNERS["forest"].axes
    known = catalog.LEARNERS["cnn"].hyperparameters
    assert set(got["cnn"].hyperparameters) == set(known)
    for name, told in got["cnn"].hyperparameters.items():
        expected = known[name]
        if isinstance(expected, catalog.Number):
            # How it scales with capacity isn't told: no client needs it.
            expected = replace(expected, scaling={})
        assert told == expected


def test_result_waits_and_holds_curves_by_key(client, double):
    job = client.submit(make_spec())
    result = job.result()
    assert result.state is JobState.SUCCEEDED
    assert result.curves["cnn/depth"].verdict.level == 2
    assert result.spent_device_seconds == 146.0
    assert result.to_dict()["searches"][0]["learner"] == "cnn"


def test_searches_are_compared_on_what_is_asked(client, double):
    job = client.submit(make_spec())
    assert job.compare("brier", rope=True) == make_comparison()
    assert (double.compared[0].metric, double.compared[0].rope) == ("brier", True)
    assert job.result().comparison == job.snapshot().comparison == make_comparison()
    assert (double.compared[-1].metric, double.compared[-1].rope) == ("", False)


def test_no_two_searches_to_compare_are_no_comparison(client, double, monkeypatch):
    monkeypatch.setattr(double, "CompareSearches", lambda r, c: pb.CompareSearchesResponse())
    server, address = serve(double)
    with Client(address) as other:
        assert other.submit(make_spec()).result().comparison is None
    server.stop(None).wait()


def test_an_older_coordinator_gives_its_curves_without_a_comparison(client, double):
    double.old = True
    job = client.submit(make_spec())
    result = job.result()
    assert result.comparison is None
    assert set(result.curves) == {"cnn/depth", "forest/trees", "perceptron"}
    with pytest.raises(TunerError) as caught:
        job.compare()
    assert caught.value.status is Status.UNIMPLEMENTED
    double.old = False
    double.failing["CompareSearches"] = 1  # what passes is tried again, and not passed over
    assert job.result().comparison is not None


def test_logs_are_taken_up_where_they_broke_off(client, double):
    double.add_job()
    double.cut = [4, 2]
    assert list(client.get_job("digits-1").logs(follow=True)) == double.log


def test_logs_that_are_not_followed_break_off_with_the_error(client, double):
    double.add_job()
    double.cut = [4]
    with pytest.raises(TunerError):
        list(client.get_job("digits-1").logs())


def test_cancel_and_delete(client, double):
    double.add_job(state="RUNNING")
    job = client.get_job("digits-1")
    assert job.cancel().state is JobState.CANCELLED
    job.delete()
    with pytest.raises(TunerError):
        job.refresh()


def test_validate_only_has_no_job(client, double):
    job = client.submit(make_spec(), validate_only=True)
    assert job.name == ""
    assert double.requests[0].validate_only
    assert not double.jobs


def test_backoff_grows_and_keeps_within_its_bound(monkeypatch):
    pauses = []
    clock = [0.0]

    def sleep(seconds):
        pauses.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr("tuner.client.transport.time.sleep", sleep)
    monkeypatch.setattr("tuner.client.transport.time.monotonic", lambda: clock[0])
    backoff = Backoff(10.0, first=0.5, longest=2.0)
    clock[0] = 1000.0  # the bound counts from the first failure
    while backoff.pause():
        pass
    assert 5 <= len(pauses) <= 20
    assert sum(pauses) < 10.0
    assert all(p <= 2.0 for p in pauses)
    assert pauses[2] > pauses[0]
