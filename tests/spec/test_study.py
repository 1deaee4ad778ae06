"""Several jobs in one file: what they share, what each says, and where each is at fault."""

import json

import pytest
import yaml

from tuner import JobSpec, read_jobs
from tuner.errors import Status, TunerError

COMMON = {"margin": 0.03, "searches": [{"learner": "forest"}], "tuning": {"trials": 2}}


def written(tmp_path, data):
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(data))
    return file


def problems(tmp_path, data):
    with pytest.raises(TunerError) as caught:
        read_jobs(written(tmp_path, data))
    assert caught.value.status is Status.INVALID_ARGUMENT
    return {v.field: v.problem for v in caught.value.violations}


def test_jobs_have_the_files_other_keys_in_common_and_replace_them_whole(tmp_path):
    jobs = [
        {"dataset": "digits"},
        {"dataset": "xor", "margin": 0.05, "tuning": {"generation": 2}},
    ]
    first, second = read_jobs(written(tmp_path, {**COMMON, "jobs": jobs}))
    assert first == JobSpec.parse({**COMMON, "dataset": "digits"})
    assert (second.margin, second.searches) == (0.05, first.searches)
    assert (second.tuning.generation, second.tuning.trials) == (2, 8)  # the default, not 2


def test_a_file_of_one_job_gives_one_as_json_too(tmp_path):
    file = tmp_path / "job.json"
    file.write_text(json.dumps({**COMMON, "dataset": "digits"}))
    assert read_jobs(file) == (JobSpec.from_file(file),)


def test_paths_start_at_the_files_folder(tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"")
    jobs = [{"dataset": "npz:mine.npz"}, {"dataset": "iris"}]
    first, _ = read_jobs(written(tmp_path, {**COMMON, "jobs": jobs}))
    assert first.dataset.path == str(tmp_path / "mine.npz")


def test_who_asks_for_one_job_is_told_how_to_have_all(tmp_path):
    file = written(tmp_path, {**COMMON, "jobs": [{"dataset": "digits"}]})
    with pytest.raises(TunerError, match="holds several jobs") as caught:
        JobSpec.from_file(file)
    assert caught.value.status is Status.INVALID_ARGUMENT
    assert "tuner.read_jobs" in caught.value.message


def test_every_fault_names_its_job(tmp_path):
    jobs = [
        {"dataset": "digits"},
        {"dataset": "moon", "seed": -1},
        {"dataset": "xor", "searches": [{"learner": "cnn", "axis": "width"}]},
    ]
    found = problems(tmp_path, {**COMMON, "jobs": jobs})
    assert set(found) == {"jobs[1].dataset", "jobs[1].seed", "jobs[2].searches[0].axis"}
    assert "cnn has no axis 'width'" in found["jobs[2].searches[0].axis"]


def test_what_is_common_and_wrong_in_all_is_said_once(tmp_path):
    jobs = [{"dataset": "digits"}, {"dataset": "xor"}]
    assert set(problems(tmp_path, {**COMMON, "margin": -1, "jobs": jobs})) == {"margin"}
    assert set(problems(tmp_path, {**COMMON, "colour": "red", "jobs": jobs})) == {"colour"}


def test_what_is_common_and_wrong_in_some_names_those(tmp_path):
    jobs = [{"dataset": "digits"}, {"dataset": "xor"}]
    found = problems(tmp_path, {**COMMON, "robustness": ["shift:1"], "jobs": jobs})
    assert set(found) == {"jobs[1].robustness.conditions[0]"}
    assert "these are tables" in found["jobs[1].robustness.conditions[0]"]
    own = [{"dataset": "digits", "margin": -1}, {"dataset": "xor", "margin": -1}]
    assert set(problems(tmp_path, {**COMMON, "jobs": own})) == {"jobs[0].margin", "jobs[1].margin"}


@pytest.mark.parametrize(
    ("jobs", "field", "said"),
    [
        ([], "jobs", "a list of 1 to 64 jobs"),
        ({"dataset": "digits"}, "jobs", "a list of 1 to 64 jobs"),
        (["digits"], "jobs[0]", "must be a mapping"),
        ([{"dataset": "digits", "jobs": []}], "jobs[0].jobs", "no such field"),
    ],
)
def test_jobs_that_are_none_are_refused(tmp_path, jobs, field, said):
    assert said in problems(tmp_path, {**COMMON, "jobs": jobs})[field]
