"""What the coordinator is told of a job's data before anything is planned."""

from __future__ import annotations

import math
from typing import Protocol

from tuner.datasets.base import Data, DataError
from tuner.datasets.splits import Splits
from tuner.errors import TunerError
from tuner.jobs import DatasetFacts
from tuner.spec import JobSpec
from tuner.wire.artifacts import TRUTH

DATA_CHANGED = "DATA_CHANGED"
"""The reason of the coordinator's refusal of other data than an earlier attempt's."""

MOST_NOTES, NOTE_CHARACTERS = 100, 2_000


class Witness(Protocol):
    """The coordinator as it is seen here."""

    def describe(self, facts: DatasetFacts) -> None:
        """Records what the data turned out to be."""
        ...

    def attach(self, name: str, content: bytes) -> None:
        """Keeps a file with the job."""
        ...


def tell(spec: JobSpec, data: Data, witness: Witness) -> DatasetFacts:
    """Tells what the data turned out to be, and keeps the truth of its test with the job.

    Args:
        spec: The job's spec.
        data: Its data.
        witness: The coordinator.

    Returns:
        What was told.

    Raises:
        DataError: The data can't be divided, or isn't what an earlier attempt had.
        TunerError: The coordinator refused it for another reason.
    """
    splits = Splits(data, spec.split, spec.seed)
    facts = facts_of(data, splits)
    try:
        witness.describe(facts)
    except TunerError as error:
        if error.reason == DATA_CHANGED:
            raise DataError(error.message) from error
        raise
    if spec.measuring.predictions:
        witness.attach(TRUTH, splits.truth.to_bytes())
    return facts


def facts_of(data: Data, splits: Splits) -> DatasetFacts:
    """Returns what the data turned out to be."""
    notes = [*data.notes, *splits.notes]
    if len(notes) > MOST_NOTES:
        left = len(notes) - MOST_NOTES + 1
        notes = [*notes[: MOST_NOTES - 1], f"And {left} more notes, which are left out here."]
    return DatasetFacts(
        digest=data.digest,
        examples=len(data.y) + (0 if data.y_test is None else len(data.y_test)),
        test_examples=splits.test_size,
        classes=len(data.classes),
        features=math.prod(data.x.shape[1:]),
        notes=tuple(note[:NOTE_CHARACTERS] for note in notes),
    )
