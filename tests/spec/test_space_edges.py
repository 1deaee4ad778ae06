"""Where a value lies at an end of its range, on the scale that it is searched on."""

import pytest

from tuner.catalog import Choice, Number
from tuner.spec.space import edge_of

RATE = Number(1e-4, 1e-1, 3e-3, log=True)
SHARE = Number(0.0, 0.5, 0.1)


@pytest.mark.parametrize(
    ("known", "value", "end"),
    [
        (RATE, 1e-4, 1e-4),
        (RATE, 1.4e-4, 1e-4),  # log10 1.4 is within a twentieth of three decades
        (RATE, 1.5e-4, None),
        (RATE, 1e-2, None),
        (RATE, 9.9e-2, 1e-1),
        (SHARE, 0.0, None),  # nothing lies beyond 0
        (SHARE, 0.02, None),
        (SHARE, 0.48, 0.5),
        (Number(1, 16, 4, integer=True), 16, 16),
        (Number(2, 2, 2), 2, None),
        (Choice((1, 2, 4), 1), 4, None),
    ],
)
def test_the_end_that_a_value_lies_at(known, value, end):
    assert edge_of(known, value) == end
