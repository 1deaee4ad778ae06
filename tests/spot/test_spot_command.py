"""`tuner spot`: refuses before it starts anything, saves what it found, and ends in time."""

import json
import threading

import pytest
import yaml
from coordinator_double import Double, serve
from spot_record import rows_of
from typer.testing import CliRunner

from tuner.cli import spot as command
from tuner.cli.main import app
from tuner.curve import SearchState
from tuner.jobs import DatasetFacts
from tuner.returns import curve
from tuner.spec import JobSpec
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.curve import curve_to_wire
from tuner.wire.jobs import facts_to_wire
from tuner.wire.record import measurement_to_wire
from tuner.wire.spec import spec_from_wire

MEANS = {"perceptron": (0.3,), "svm": (0.3, 0.2, 0.1), "forest": (0.2, 0.15, 0.1)}


class Spotted(Double):
    """Tells of whatever job it is given what a spot test may find."""

    def add_job(self, *arguments, **more):
        name = super().add_job(*arguments, **more)
        facts = DatasetFacts("0" * 64, 120, 30, 2, 3)
        self.jobs[name].dataset.CopyFrom(facts_to_wire(facts))
        return name

    def _record(self):
        (job,) = self.jobs.values()
        spec = spec_from_wire(job.spec)
        return spec, rows_of(spec, MEANS)

    def ListCurves(self, request, context):
        spec, rows = self._record()
        found = [
            curve(spec.question(s.key), rows, SearchState.CONCLUDED) for s in spec.all_searches()
        ]
        return pb.ListCurvesResponse(curves=map(curve_to_wire, found))

    def CompareSearches(self, request, context):
        return pb.CompareSearchesResponse()

    def ListMeasurements(self, request, context):
        return pb.ListMeasurementsResponse(measurements=map(measurement_to_wire, self._record()[1]))


class Waiting(Spotted):
    """A job that waits for its turn until somebody cancels it."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self._cancelled = threading.Event()

    def CancelJob(self, request, context):
        try:
            return super().CancelJob(request, context)
        finally:
            self._cancelled.set()

    def WatchJob(self, request, context):
        self._cancelled.wait(60)
        yield from super().WatchJob(request, context)


@pytest.fixture
def tuner(tmp_path, monkeypatch):
    for name in ("TUNER_ADDRESS", "TUNER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TUNER_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells.csv").write_text("weight,kind\n" + "1,a\n2,b\n" * 60)

    def call(*arguments):
        return CliRunner().invoke(app, ["spot", *map(str, arguments)])

    return call


@pytest.fixture(params=[Spotted])
def double(request, monkeypatch):
    there = request.param()
    server, address = serve(there)
    monkeypatch.setenv("TUNER_ADDRESS", address)
    yield there
    server.stop(None).wait()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digitz"], "there is no data source 'digitz'; there are digits"),
        (["csv:none.csv?target=kind"], "none.csv"),
        (["images:nowhere"], "nowhere"),
        (["csv:cells.csv"], "dataset.options.target: is missing"),
        (["digits", "--minutes", "0"], "--minutes: can't be 0; give a number from 0.5 to 60"),
        (["digits", "--minutes", "soon"], "Invalid value for '--minutes'"),
        (["digits", "--task", "clustering"], "--task: can't be 'clustering'"),
        (["digits", "--margin", "much"], "--margin: 'much' is no margin"),
        (["digits", "--families", "forest,svn"], "did you mean 'svm'?"),
        (["digits", "--metric", "mae"], "mae is no score of a classification"),
    ],
)
def test_what_makes_no_sense_ends_at_once_and_says_why(tuner, monkeypatch, arguments, said):
    monkeypatch.setattr(command, "coordinator", lambda *_: pytest.fail("started services"))
    done = tuner(*arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())


def test_what_was_found_is_written_and_saved_and_the_real_search_can_be_run(
    tuner, double, tmp_path
):
    families = "svm,perceptron,forest,mlp"
    done = tuner("csv:cells.csv?target=kind", "--families", families, "-o", "json", "--seed", 3)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    decided = {f["learner"]: f["decision"] for f in told["families"]}
    assert decided == {
        "svm": "worth",
        "forest": "worth",
        "perceptron": "not_worth",
        "mlp": "unknown",
    }
    spec = spec_from_wire(double.requests[0].spec)
    assert [s.learner for s in spec.searches] == ["perceptron", "svm", "mlp", "forest"]
    assert spec.seed == 3
    # The services' start and end are paid out of the same five minutes.
    assert 240 < 3600 * spec.budget.wall_clock_hours <= 300 - command.ENDING_SECONDS
    folder = tmp_path / "results" / told["job"]
    assert json.loads((folder / "spot.json").read_text()) == told
    assert {p.name for p in folder.iterdir()} >= {"spot.md", "report.md", "report.json"}
    search = JobSpec.from_file(folder / "search.yaml")
    assert {s.learner for s in search.searches} == {"svm", "forest"}
    assert (tmp_path / "cells.csv").samefile(search.dataset.path)
    assert f"next: tuner run results/{told['job']}/search.yaml" in done.stderr


@pytest.mark.parametrize("output", ["table", "md", "yaml"])
def test_every_format_names_what_is_worth_it(tuner, double, tmp_path, output):
    families = ["--families", "svm,perceptron,forest", "--save", tmp_path / "here"]
    done = tuner("csv:cells.csv?target=kind", *families, "-o", output)
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "Worth a real search: " in text
    assert "at least 0.19" in text
    assert "30 test examples" in text
    assert (tmp_path / "here" / "search.yaml").exists()
    if output == "yaml":
        assert yaml.safe_load(done.stdout)["metric"] == "error"


@pytest.mark.parametrize("double", [Waiting], indirect=True)
def test_a_job_that_never_gets_its_turn_is_cancelled_in_time(tuner, double, monkeypatch):
    monkeypatch.setattr(command, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(command, "ENDING_SECONDS", 60.0)
    monkeypatch.setattr(command, "ENDING", 0.95)
    monkeypatch.setattr(command, "LATE_SECONDS", 0.2)
    done = tuner("digits", "--families", "svm,perceptron", "--minutes", 0.5)
    assert "is late and is cancelled" in done.stderr
    assert double.calls["CancelJob"] == 1
    assert done.exit_code == 3
