"""What jobs come to where nothing befalls them: in this process, one packet after another.

No cluster and no coordinator has a part in it, so that nothing of what is tried can hide in what
it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from unittest import mock

from services.runner import content
from tests.chaos.jobs import Record
from tuner import JobSpec
from tuner.client.uploads import with_local_files
from tuner.datasets.base import Data
from tuner.datasets.splits import Splits
from tuner.learners import simulated
from tuner.search import Climb, SearchRecord
from tuner.trials.execute import execute
from tuner.trials.work import SlotConfig, Task
from tuner.wire.names import JobName


def undisturbed(specs: Mapping[str, JobSpec]) -> dict[str, Record]:
    """Returns the jobs' records, by name."""
    # How long a simulated fit takes is no part of its result.
    with mock.patch.object(simulated, "_wait"):
        return {name: _run(JobName("default", name), spec) for name, spec in specs.items()}


def _run(name: JobName, spec: JobSpec) -> Record:
    described, blobs = with_local_files(spec)
    files = {blob.sha256: source for blob, source in blobs.items()}
    data = content.load(described.dataset, (), lambda sha256: _read(files[sha256]), spec.task)
    slot = SlotConfig(
        job=str(name),
        label=name.job,
        seed=spec.seed,
        cpus=1,
        gpus=0,
        threads=spec.resources.threads,
        packet_timeout_seconds=spec.resources.packet_timeout_seconds,
    )
    searches = [_climb(str(name), search.key, spec, data, slot) for search in spec.all_searches()]
    searches.sort(key=lambda record: record.search)
    return Record(
        [m for record in searches for m in record.measurements.values()],
        [step for record in searches for step in record.steps],
    )


def _climb(job: str, key: str, spec: JobSpec, data: Data, slot: SlotConfig) -> SearchRecord:
    policy, record, search = Climb(spec, key), SearchRecord(job, key), spec.search(key)
    splits = Splits(data, spec.split, spec.seed)
    while (step := policy.next_step(record)) is not None:
        record.steps.append(step)
        for packet in record.unfinished():
            task = Task(packet, job, key, search.learner, search.axis)
            report = execute(task, splits, slot, "cpu", "cpu", "here")
            record.measurements |= {m.id: m for m in report.measurements}
    return record


def _read(source: object) -> bytes:
    assert isinstance(source, Path)
    return source.read_bytes()
