"""A file of several jobs at the command line: judged as one, run in turn, summed up."""

import json

import pytest
import yaml
from coordinator_double import make_spec

from tuner.cli import study
from tuner.cli.exits import CANCELLED, FAILED, SUCCEEDED
from tuner.v1 import tuner_service_pb2 as pb


@pytest.fixture(autouse=True)
def no_pages(monkeypatch):
    """Keeps reports from drawing their pages, which takes seconds and is tested elsewhere."""
    monkeypatch.setattr("tuner.report.chart.can_draw", lambda: False)


@pytest.fixture
def file(tmp_path):
    common = make_spec().model_dump(mode="json", exclude_defaults=True, exclude={"dataset", "name"})
    jobs = [{"name": "all digits", "dataset": "digits"}, {"dataset": "digits", "margin": 0.03}]
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**common, "jobs": jobs}))
    return path


def submitted(double):
    return [request for request in double.requests if not request.validate_only]


def test_run_shows_and_saves_each_and_ends_with_a_summary(tuner, double, file, tmp_path):
    done = tuner("run", file, "--save", tmp_path / "out")
    assert done.exit_code == SUCCEEDED
    assert done.stdout.count("Verdicts") == 2
    summary = done.stdout.partition("Which family is best where")[2]
    for words in (
        "all digits",
        "cnn",
        "0.0400 a ✓",
        "The cheapest that is good enough",
        "cnn has the best mean everywhere.",
        "perceptron is never told apart from the best.",
        "digits: cnn has the best mean; perceptron can't be told apart from it.",
    ):
        assert words in " ".join(summary.split()), words
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "job 1 of 2: all digits" in done.stderr
    assert "job 2 of 2: digits" in done.stderr
    for folder in ("1-all-digits", "2-digits"):
        assert (tmp_path / "out" / folder / "report.md").is_file()
    text = (tmp_path / "out" / "summary.md").read_text()
    assert text.startswith("# Summary of 2 jobs")
    got = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [job["name"] for job in got["jobs"]] == ["all digits", "digits"]
    # All were judged before the first was submitted.
    assert [r.validate_only for r in double.requests] == [True, True, False, False]
    assert [r.spec.margin for r in submitted(double)] == [0.02, 0.03]


def test_programs_get_one_object_of_all(tuner, file, tmp_path):
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        done = tuner("run", file, "-o", form, "--save", tmp_path / "out")
        got = read(done.stdout)
        assert [len(job["searches"]) for job in got["jobs"]] == [2, 2]
        assert got["summary"]["best_everywhere"] == ["cnn"]
        assert got["summary"]["never_worse"] == ["cnn", "perceptron"]
        assert got["summary"]["jobs"][0]["good_enough"]["search"] == "cnn/depth"


def test_reports_are_saved_below_results_by_the_files_name(tuner, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = tuner("run", file, "-o", "md")
    assert (tmp_path / "results" / "study" / "2-digits" / "report.md").is_file()
    assert done.stdout.index("# all digits: how much") < done.stdout.index("# Summary of 2 jobs")
    assert "results/study/summary.md" in done.stderr


@pytest.mark.parametrize(("end", "code"), [("FAILED", FAILED), ("CANCELLED", CANCELLED)])
def test_the_exit_code_is_that_of_the_worst(tuner, double, file, tmp_path, end, code):
    double.end = end
    done = tuner("run", file, "--save", tmp_path / "out")
    assert done.exit_code == code
    assert f"all digits ({end.lower()})" in done.stdout


def test_one_that_failed_is_worse_than_one_that_was_cancelled():
    assert study.worst([SUCCEEDED, CANCELLED, SUCCEEDED]) == CANCELLED
    assert study.worst([CANCELLED, FAILED, SUCCEEDED]) == FAILED
    assert study.worst([SUCCEEDED, SUCCEEDED]) == SUCCEEDED


def test_an_interrupt_cancels_the_job_and_those_after_it(
    tuner, double, file, tmp_path, monkeypatch
):
    def interrupted(job):
        double.jobs[job.name].state = pb.JOB_STATE_RUNNING
        raise KeyboardInterrupt

    monkeypatch.setattr("tuner.cli.live.follow", interrupted)
    done = tuner("run", file, "--save", tmp_path / "out")
    assert done.exit_code == CANCELLED
    assert len(submitted(double)) == 1
    assert double.calls["CancelJob"] == 1
    assert not (tmp_path / "out" / "2-digits").exists()


@pytest.mark.parametrize("form", ["html", "svg", "png"])
def test_what_is_of_one_job_is_refused_before_anything_runs(tuner, double, file, form):
    done = tuner("run", file, "-o", form)
    assert done.exit_code == 2
    assert "--output: " in done.stderr
    assert not double.calls


def test_submit_prints_every_id(tuner, double, file):
    done = tuner("submit", file)
    assert done.exit_code == SUCCEEDED
    assert done.stdout.splitlines() == ["digits-1", "digits-1"]  # the double's only name
    assert [r.spec.margin for r in submitted(double)] == [0.02, 0.03]
    assert len(json.loads(tuner("submit", file, "-o", "json").stdout)) == 2
    refused = tuner("submit", file, "--job-id", "mine")
    assert refused.exit_code == 2
    assert "--job-id: " in refused.stderr


def test_submit_and_watch_follows_all(tuner, double, file):
    done = tuner("submit", file, "--watch")
    assert done.exit_code == SUCCEEDED
    assert done.stdout.count("Verdicts") == 2
    double.end = "FAILED"
    assert tuner("submit", file, "--watch").exit_code == FAILED


def test_validate_judges_all(tuner, double, file):
    done = tuner("validate", file)
    assert (
        "2 jobs: 2 searches on digits, margin 0.02; 2 searches on digits, margin 0.03"
        in done.stderr
    )
    assert [
        spec["margin"] for spec in json.loads(tuner("validate", file, "-o", "json").stdout)
    ] == [
        0.02,
        0.03,
    ]
    assert not double.calls


@pytest.mark.parametrize("command", ["validate", "submit", "run"])
def test_what_is_wrong_names_the_job(tuner, double, file, tmp_path, command):
    data = yaml.safe_load(file.read_text())
    data["jobs"].append({"dataset": "xor", "searches": [{"learner": "cnn", "axis": "width"}]})
    file.write_text(yaml.safe_dump(data))
    done = tuner(command, file)
    assert done.exit_code == 2
    assert "  jobs[2].searches[0].axis: cnn has no axis" in done.stderr
    data["jobs"][2] = {"dataset": "npz:gone.npz"}
    file.write_text(yaml.safe_dump(data))
    done = tuner(command, file)
    assert done.exit_code == 2
    assert "  jobs[2].dataset" in done.stderr
    assert not double.calls
