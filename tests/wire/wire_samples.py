"""Anything that the record may hold, for what goes over the wire and back."""

import string
from datetime import UTC, datetime

from hypothesis import strategies as st

from tuner.record import (
    Comparison,
    Conclusion,
    Look,
    Measurement,
    Outcome,
    Packet,
    PacketAttempt,
    PacketOutcome,
    Phase,
    PlanStep,
    StepKind,
    make_setting,
)

WORD = st.text(string.ascii_letters + "/_:", min_size=1, max_size=12)
NUMBER = st.floats(allow_nan=False)
VALUE = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | NUMBER
    | st.text(max_size=5).filter(lambda t: t.isprintable())
)
SETTING = st.dictionaries(WORD, VALUE, max_size=4).map(make_setting)
LEVEL = st.integers(1, 2**40)
TIME = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))

MEASUREMENT = st.builds(
    Measurement,
    id=WORD,
    search=WORD,
    phase=st.sampled_from(Phase),
    level=LEVEL,
    setting=SETTING,
    replicate=st.integers(0, 1000),
    outcome=st.sampled_from(Outcome),
    scores=st.dictionaries(WORD, NUMBER, max_size=3),
    train_scores=st.dictionaries(WORD, NUMBER, max_size=3),
    parameters=st.integers(0, 2**40),
    standalone_device_seconds=NUMBER,
    billed_device_seconds=NUMBER,
    error=WORD,
    packet=WORD,
    packet_attempt=st.integers(0, 9),
    record_time=st.none() | TIME,
)
COMPARISON = st.builds(Comparison, LEVEL, LEVEL, st.integers(0, 99), NUMBER, NUMBER, NUMBER)
PACKET = st.builds(
    Packet,
    id=WORD,
    phase=st.sampled_from(Phase),
    settings=st.lists(SETTING, max_size=2).map(tuple),
    levels=st.lists(LEVEL, max_size=3).map(tuple),
    replicates=st.lists(st.integers(0, 99), max_size=3).map(tuple),
)


def step(kind: StepKind, conclusion: Conclusion, **parts) -> PlanStep:
    return PlanStep(
        kind=kind, conclusion=conclusion if kind is StepKind.CONCLUDE else None, **parts
    )


STEP = st.builds(
    step,
    kind=st.sampled_from(StepKind),
    conclusion=st.sampled_from(Conclusion),
    search=WORD,
    number=st.integers(1, 10**6),
    decision=WORD,
    policy=WORD,
    packets=st.lists(PACKET, max_size=2).map(tuple),
    look=st.none()
    | st.builds(Look, st.integers(0, 99), WORD, st.lists(COMPARISON, max_size=2).map(tuple)),
)
ATTEMPT = st.builds(
    PacketAttempt,
    packet=WORD,
    number=st.integers(1, 9),
    runner_attempt=st.integers(1, 9),
    node=WORD,
    device_type=WORD,
    start_time=TIME,
    end_time=TIME,
    billed_device_seconds=NUMBER,
    outcome=st.sampled_from(PacketOutcome),
    error=WORD,
)
