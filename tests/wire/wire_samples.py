"""Anything that the record may hold, for what goes over the wire and back."""

import string
from datetime import UTC, datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tuner.curve import (
    Contender,
    Costs,
    CostStep,
    CostTrend,
    Curve,
    CurveLevel,
    Difference,
    Gain,
    LearnerComparison,
    Needed,
    NextDoubling,
    SearchState,
    Verdict,
    VerdictOutcome,
)
from tuner.record import (
    Comparison,
    Conclusion,
    Footprint,
    Look,
    Measurement,
    Outcome,
    Packet,
    PacketAttempt,
    PacketOutcome,
    Phase,
    Place,
    PlanStep,
    StepKind,
    Stress,
    make_setting,
)

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no reason to fail."""

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

STRESS = st.builds(
    Stress,
    condition=WORD,
    outcome=st.sampled_from(Outcome),
    examples=st.integers(0, 2**40),
    device_seconds=NUMBER,
    error=st.just("") | WORD,
    note=st.just("") | WORD,
)
FOOTPRINT = st.builds(Footprint, NUMBER, NUMBER, st.integers(0, 2**50), NUMBER)
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
    predictions=st.none() | st.builds(Place, WORD, st.integers(0, 2**62), st.integers(0, 2**62)),
    stresses=st.lists(STRESS, max_size=3).map(tuple),
    footprint=st.none() | FOOTPRINT,
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
    costs=st.lists(st.tuples(LEVEL, NUMBER), max_size=3).map(tuple),
    barred=st.lists(st.tuples(LEVEL, WORD), max_size=3).map(tuple),
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

COUNT = st.integers(0, 2**31 - 1)
SHARE = st.floats(0, 1)
BOUND = NUMBER | st.sampled_from((float("-inf"), float("inf")))
WORDS = st.lists(WORD, max_size=3).map(tuple)


@st.composite
def curve_levels(draw: st.DrawFn) -> tuple[CurveLevel, ...]:
    """Rows on a rising ladder; a gain is always over a row below."""
    rows: list[CurveLevel] = []
    for level in sorted(draw(st.sets(LEVEL, max_size=4))):
        gain = st.none()
        if rows:
            gain |= st.builds(
                Gain,
                below=st.sampled_from([row.level for row in rows]),
                level=st.just(level),
                estimate=NUMBER,
                low=BOUND,
                high=BOUND,
                doublings=st.floats(0.01, 40),
                cost_ratio=st.none() | NUMBER,
                gain_per_cost=st.none() | NUMBER,
            )
        maybe = st.none() | BOUND
        row = st.builds(
            CurveLevel,
            level=st.just(level),
            replicates=COUNT,
            failed=COUNT,
            score=maybe,
            low=maybe,
            high=maybe,
            gain=gain,
            margin_supported=maybe,
            standalone_device_seconds=maybe,
            billed_device_seconds=NUMBER,
            parameters=st.integers(0, 2**40),
            setting=SETTING,
            forgone=maybe,
            robustness_device_seconds=NUMBER,
            latency_ms=st.none() | NUMBER,
            batch_latency_ms=st.none() | NUMBER,
            model_bytes=st.none() | NUMBER,
            barred=st.just("") | WORD,
        )
        rows.append(draw(row))
    return tuple(rows)


COST_STEP = st.builds(CostStep, LEVEL, LEVEL, st.none() | NUMBER, NUMBER, st.booleans())
CURVE = st.builds(
    Curve,
    search=WORD,
    learner=WORD,
    axis=WORD,
    metric=WORD,
    direction=st.sampled_from(("minimize", "maximize")),
    margin=NUMBER,
    levels=curve_levels(),
    verdict=st.none()
    | st.builds(
        Verdict,
        st.sampled_from(VerdictOutcome),
        st.none() | LEVEL,
        WORD,
        st.lists(LEVEL, max_size=3).map(tuple),
        WORDS,
    ),
    comparisons=st.lists(COMPARISON, max_size=2).map(tuple),
    notes=WORDS,
    unmeasured=st.lists(LEVEL, max_size=3).map(tuple),
    baseline=st.booleans(),
    state=st.sampled_from(SearchState),
    state_reason=WORD,
    sequence=COUNT,
    analysis_version=WORD,
    design=st.sampled_from(("sequential", "fixed", "resampled", "noise")),
    alpha=st.floats(0.001, 0.5),
    per=st.just("") | WORD,
    level_probabilities=st.none() | st.dictionaries(LEVEL, SHARE, max_size=3),
    needed=st.builds(
        Needed,
        st.none() | st.tuples(st.none() | COUNT, st.none() | COUNT),
        st.none() | COUNT,
        st.just("") | WORD,
    ),
    next_doubling=st.none()
    | st.builds(NextDoubling, NUMBER, NUMBER, BOUND, BOUND, WORD, st.booleans()),
    costs=st.builds(
        Costs,
        st.none() | st.builds(CostTrend, NUMBER, BOUND, BOUND, NUMBER, WORD),
        st.none() | COST_STEP,
        st.none() | COST_STEP,
    ),
    knee=st.none() | NUMBER,
    price=NUMBER,
    worth=st.just("") | WORD,
)
LEARNER_COMPARISON = st.builds(
    LearnerComparison,
    metric=WORD,
    margin=NUMBER,
    contenders=st.lists(
        st.builds(Contender, WORD, LEVEL, st.booleans(), NUMBER, st.none() | NUMBER), max_size=3
    ).map(tuple),
    differences=st.lists(
        st.builds(
            Difference,
            WORD,
            WORD,
            COUNT,
            NUMBER,
            BOUND,
            BOUND,
            st.none() | SHARE,
            st.none() | SHARE,
        ),
        max_size=3,
    ).map(tuple),
    groups=st.lists(WORDS, max_size=3).map(tuple),
    good_enough=st.none() | WORD,
    reason=WORD,
    notes=WORDS,
)
