"""Every command against a coordinator's double: data on stdout, talk on stderr, exit codes."""

import csv
import io
import json

import pytest
import yaml
from coordinator_double import keep_predictions, make_spec

from tuner.jobs import DatasetFacts
from tuner.wire.jobs import facts_to_wire


@pytest.fixture
def spec_file(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(make_spec().model_dump(mode="json", exclude_defaults=True)))
    return file


def test_get_jobs_in_every_format(tuner, double):
    for number in range(3):
        double.add_job(job=f"job-{number}")
    ids = ["job-0", "job-1", "job-2"]
    got = json.loads(tuner("get", "jobs", "-o", "json").stdout)
    assert [job["id"] for job in got] == ids
    assert got[0]["state"] == "SUCCEEDED"
    assert got[0]["searches"] == ["cnn/depth", "forest/trees"]
    assert yaml.safe_load(tuner("get", "jobs", "-o", "yaml").stdout) == got
    rows = list(csv.DictReader(io.StringIO(tuner("get", "jobs", "-o", "csv").stdout)))
    assert [row["id"] for row in rows] == ids
    assert rows[0]["searches"] == "cnn/depth forest/trees"
    assert tuner("get", "jobs", "-o", "name").stdout.split() == ids
    table = tuner("get", "jobs")
    assert all(job in table.stdout for job in ids)
    assert table.exit_code == 0
    assert max(map(len, table.stdout.splitlines())) <= 100


def test_no_jobs_is_said(tuner):
    assert "tuner submit" in tuner("get", "jobs").stdout
    assert json.loads(tuner("get", "jobs", "-o", "json").stdout) == []


def test_limit_stops_asking(tuner, double):
    for number in range(5):
        double.add_job(job=f"job-{number}")
    assert len(tuner("get", "jobs", "-o", "name", "--limit", 1).stdout.split()) == 1
    assert double.calls["ListJobs"] == 1


def test_get_job_shows_its_spec_to_programs(tuner, double):
    double.add_job()
    got = json.loads(tuner("get", "job", "digits-1", "-o", "json").stdout)
    assert got["spec"]["margin"] == 0.02
    assert got["spent_device_seconds"] == 146.0
    assert "cnn/depth" in tuner("get", "job", "digits-1").stdout


def test_get_trials_has_scores_of_the_searchs_metric(tuner, double):
    double.add_job()
    got = json.loads(tuner("get", "trials", "digits-1", "-o", "json").stdout)
    assert [(t["search"], t["level"]) for t in got] == [
        ("cnn/depth", 1),
        ("forest/trees", 4),
        ("cnn/depth", 2),
    ]
    assert got[0]["score"] == pytest.approx(0.11)
    assert got[0]["hyperparameters"] == {"learning_rate": 0.01}
    assert got[1]["metric"] == "brier"
    assert got[1]["score"] is None  # its canned measurements have no brier score
    only = tuner("get", "trials", "digits-1", "--search", "cnn/depth", "-o", "name").stdout.split()
    assert len(set(only)) == 2
    assert "learning_rate=0.01" in tuner("get", "trials", "digits-1").stdout


@pytest.mark.parametrize("command", [("curves",), ("get", "curves")])
def test_curves_under_another_metric(tuner, double, command):
    double.add_job()
    assert tuner(*command, "digits-1", "--metric", "brier", "--margin", 0.05).exit_code == 0
    asked = [r for r in double.listed if r.metric]
    assert {(r.metric, r.margin) for r in asked} == {("brier", 0.05)}
    got = json.loads(tuner(*command, "digits-1", "--metric", "auc", "-o", "json").stdout)
    assert [row["key"] for row in got] == ["cnn/depth", "forest/trees", "perceptron"]
    assert not double.listed[-1].HasField("margin")


def test_curves_under_a_condition_are_of_the_searches_that_have_it(tuner, double):
    double.add_job(make_spec(robustness=["noise:3"]))
    double.spared = {"noise:3": ("forest/trees", "perceptron")}
    asked = ("get", "curves", "digits-1", "--metric", "error@noise:3", "--margin", 0.05)
    got = json.loads(tuner(*asked, "-o", "json").stdout)
    assert [(row["key"], row["metric"]) for row in got] == [("cnn/depth", "error@noise:3")]
    # What breaks the others isn't asked for along with it.
    assert {request.metric for request in double.listed} == {"error@noise:3"}
    assert double.calls["CompareSearches"] == 0
    done = tuner(*asked)
    assert "error@noise:3" in done.stdout
    assert "forest/trees" not in done.stdout
    lacking = "not measured under noise:3, and left out: forest/trees, perceptron"
    assert lacking in " ".join(done.stderr.split())
    own = json.loads(tuner("get", "curves", "digits-1", "-o", "json").stdout)
    assert [row["metric"] for row in own] == ["error", "brier", "error"]


def test_predictions_are_saved_as_files(tuner, double, tmp_path):
    double.add_job()
    refused = tuner("predictions", "digits-1", "cnn/depth", "-o", tmp_path / "none")
    assert refused.exit_code == 1
    assert "no measurement has predictions" in refused.stderr
    keep_predictions(double)
    done = tuner("predictions", "digits-1", "cnn/depth", "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert "5 files" in done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 5
    (tmp_path / "file").touch()
    refused = tuner("predictions", "digits-1", "cnn/depth", "-o", tmp_path / "file")
    assert refused.exit_code == 2
    assert "--output" in refused.stderr


def test_a_job_tells_its_data(tuner, double):
    name = double.add_job()
    facts = DatasetFacts("ab" * 32, 1797, 450, 10, 64, ("Few test cases.",))
    assert json.loads(tuner("get", "job", "digits-1", "-o", "json").stdout)["data"] is None
    double.jobs[name].dataset.CopyFrom(facts_to_wire(facts))
    got = json.loads(tuner("get", "job", "digits-1", "-o", "json").stdout)["data"]
    assert (got["digest"], got["examples"], got["notes"]) == ("ab" * 32, 1797, ["Few test cases."])
    for output in (tuner("get", "job", "digits-1").stdout, tuner("report", "digits-1").stdout):
        shown = " ".join(output.split())
        assert "1,797 examples of 64 values each, 10 classes, 450 of them the test" in shown
        assert "Few test cases." in shown
    assert json.loads(tuner("report", "digits-1", "-o", "json").stdout)["data"] == got


def test_get_curves_is_in_the_specs_order(tuner, double):
    double.add_job()
    got = json.loads(tuner("get", "curves", "digits-1", "-o", "json").stdout)
    assert [c["key"] for c in got] == ["cnn/depth", "forest/trees", "perceptron"]
    assert got[0]["verdict"]["level"] == 2
    rows = list(csv.DictReader(io.StringIO(tuner("get", "curves", "digits-1", "-o", "csv").stdout)))
    assert [(r["key"], r["level"]) for r in rows][:2] == [("cnn/depth", "1"), ("cnn/depth", "2")]
    assert rows[1]["gain.estimate"] == "0.06"
    assert "depth 2 is enough" in tuner("get", "curves", "digits-1").stdout


def test_submit_prints_the_id_alone_on_stdout_and_what_to_type_next(tuner, spec_file):
    done = tuner("submit", spec_file)
    assert done.exit_code == 0
    assert done.stdout == "digits-1\n"
    for words in ("tuner watch digits-1", "tuner cancel digits-1", "8265"):
        assert words in done.stderr


def test_submit_and_watch_ends_as_the_job_does(tuner, double, spec_file):
    for end, code in (("SUCCEEDED", 0), ("FAILED", 1), ("CANCELLED", 3)):
        double.end = end
        done = tuner("submit", spec_file, "--watch")
        assert done.exit_code == code
        assert done.stdout.startswith("digits-1\n")
        assert "depth 2 is enough" in done.stdout
        assert "Tune depth 1 with 4 candidates." in done.stderr


def test_watch_tells_decisions_in_lines_where_there_is_no_terminal(tuner, double):
    double.add_job()
    done = tuner("watch", "digits-1")
    assert done.exit_code == 0
    lines = done.stderr.splitlines()
    assert any("job digits-1: running" in line for line in lines)
    assert any("cnn/depth: concluded" in line for line in lines)
    assert "succeeded (all is done)" in done.stderr


def test_run_prints_one_object_and_saves_the_report(tuner, spec_file, tmp_path):
    done = tuner("run", spec_file, "-o", "json", "--save", tmp_path / "out")
    assert done.exit_code == 0
    got = json.loads(done.stdout)
    assert [s["verdict"]["outcome"] for s in got["searches"]] == ["PLATEAUED", "INCONCLUSIVE"]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == got
    assert "# digits" in (tmp_path / "out" / "report.md").read_text()
    assert "what to try next" in done.stderr


def test_run_saves_below_results_unless_told(tuner, spec_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = tuner("run", spec_file)
    assert (tmp_path / "results" / "digits-1" / "report.md").is_file()
    assert "Verdicts" in done.stdout
    assert "results/digits-1/report.md" in done.stderr


def test_report_in_its_formats(tuner, double, tmp_path):
    double.add_job()
    assert tuner("report", "digits-1").stdout.startswith("# digits")
    got = json.loads(tuner("report", "digits-1", "-o", "json", "--save", tmp_path).stdout)
    assert got["job"] == "namespaces/default/jobs/digits-1"
    assert yaml.safe_load(tuner("report", "digits-1", "-o", "yaml").stdout) == got
    assert (tmp_path / "report.md").is_file()


def test_logs_cancel_delete(tuner, double):
    double.add_job(state="RUNNING")
    assert tuner("logs", "digits-1", "-f").stdout.splitlines() == double.log
    assert "cancelled" in tuner("cancel", "digits-1").stderr
    assert tuner("delete", "digits-1").exit_code == 0
    assert not double.jobs


def test_learners_and_status(tuner):
    got = {row["name"]: row for row in json.loads(tuner("learners", "-o", "json").stdout)}
    assert got["forest"]["axes"][0]["name"] == "trees"
    assert got["perceptron"]["baseline"]
    assert "forest" in tuner("learners").stdout
    status = json.loads(tuner("status", "-o", "json").stdout)
    assert status["dashboard_address"] == "http://127.0.0.1:8265"
    assert status["nodes"][0]["cpus"] == 2
    assert "1 of 2 free" in tuner("status").stdout


def test_validate_needs_no_coordinator(tuner, double, spec_file):
    got = json.loads(tuner("validate", spec_file, "-o", "json").stdout)
    assert got["searches"][1]["metric"] == "brier"
    done = tuner("validate", spec_file)
    assert "perceptron (baseline)" in done.stdout
    assert "is valid" in done.stderr
    assert not double.calls


def test_validate_shows_conditions_and_limits(tuner, tmp_path):
    file = tmp_path / "spec.yaml"
    asked = "robustness: [noise]\nlimits: {latency_ms: 5, model_mb: 0.5}\nbaseline: null\n"
    cnn = "{learner: cnn, conditions: [pgd]}"
    file.write_text(f"dataset: digits\n{asked}searches: [{cnn}, {{learner: forest}}]")
    done = tuner("validate", file)
    rows = [line.split() for line in done.stdout.splitlines() if "/" in line]
    assert [row[-1] for row in rows] == ["pgd:0.1", "noise:3"]
    assert rows[0][-2] == "noise:3,"
    assert "margin 0.01, latency_ms at most 5, model_mb at most 0.5." in done.stderr


def test_the_address_may_stand_before_or_behind_the_command(tuner, address, monkeypatch):
    monkeypatch.setenv("TUNER_ADDRESS", "127.0.0.1:1")
    assert tuner("--address", address, "get", "jobs", "-o", "json").exit_code == 0
    assert tuner("get", "jobs", "-o", "json", "--address", address).exit_code == 0


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("dataset: digits\nsearches: [{learner: forest, levels: [4, 1]}]", "searches[0].levels"),
        ("dataset: digits\nsearches: [{learner: cnn, axis: width}]", "searches[0].axis"),
        ("dataset: npz:gone.npz\nsearches: [{learner: cnn}]", "dataset"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "submit", "run"])
def test_a_spec_that_is_not_valid_ends_with_2_and_the_fields_path(
    tuner, double, tmp_path, command, text, field
):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    done = tuner(command, file)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert f"  {field}: " in done.stderr
    assert not double.calls


def test_other_errors_end_with_1_in_plain_words(tuner):
    done = tuner("get", "job", "nope")
    assert done.exit_code == 1
    assert done.stderr == "error: there is no job namespaces/default/jobs/nope\n"
    assert tuner("get", "job", "Not A Name").exit_code == 2
    assert tuner("no-such-command").exit_code == 2


def test_a_report_that_cannot_be_saved_is_a_usage_error(tuner, double, tmp_path):
    double.add_job()
    (tmp_path / "file").write_text("")
    done = tuner("report", "digits-1", "--save", tmp_path / "file" / "below")
    assert done.exit_code == 2
    assert "--save" in done.stderr
