"""Packets: all of the work, once, never more than may be fused, and only what fuses together."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.record import Phase
from tuner.search.packing import Work, pack

NAMES = ("depth", "dropout", "rate")


@st.composite
def works(draw) -> list[Work]:
    """Draws distinct work: some settings, on some replicates, each at one set of levels."""
    levels = draw(st.sampled_from([[(1,), (2,), (4,)], [(1, 2, 4)], [(1,), (2, 4), (1, 2, 4)]]))
    setting = st.tuples(*(st.tuples(st.just(name), st.integers(0, 2)) for name in NAMES))
    work = st.builds(Work, setting, st.sampled_from(levels), st.integers(0, 4))
    return draw(st.lists(work, max_size=25, unique=True))


FUSED = st.sets(st.sampled_from(NAMES))


@settings(deadline=None)
@given(works(), st.integers(1, 12), FUSED)
def test_packets_are_the_work_in_other_words(work, fuse, fused):
    packets = pack("s", 3, Phase.TUNING, work, fuse, fused)
    asked = Counter((w.setting, w.levels, w.replicate) for w in work)
    given = Counter(
        (setting, packet.levels, replicate)
        for packet in packets
        for setting in packet.settings
        for replicate in packet.replicates
    )
    assert given == asked
    assert [packet.id for packet in packets] == [f"s:3:{i}" for i in range(len(packets))]
    assert {packet.phase for packet in packets} <= {Phase.TUNING}


@settings(deadline=None)
@given(works(), st.integers(1, 12), FUSED)
def test_no_packet_holds_more_fits_than_may_be_fused_but_for_one_that_scores_many_levels(
    work, fuse, fused
):
    for packet in pack("s", 1, Phase.MEASURING, work, fuse, fused):
        fits = len(packet.settings) * len(packet.replicates)
        assert fits * len(packet.levels) <= fuse or fits == 1


@settings(deadline=None)
@given(works(), st.integers(1, 12), FUSED)
def test_settings_of_a_packet_differ_only_in_what_fuses(work, fuse, fused):
    for packet in pack("s", 1, Phase.MEASURING, work, fuse, fused):
        kept = {tuple(p for p in setting if p[0] not in fused) for setting in packet.settings}
        assert len(kept) == 1
        # A batch is over settings or over replicates: a product would fit what nobody asked for.
        assert len(packet.settings) == 1 or len(packet.replicates) == 1


@settings(deadline=None)
@given(works(), st.integers(1, 12), FUSED)
def test_packets_come_in_the_order_of_their_first_work(work, fuse, fused):
    position = {(w.setting, w.levels, w.replicate): i for i, w in enumerate(work)}
    packets = pack("s", 1, Phase.MEASURING, work, fuse, fused)
    order = [
        [position[s, packet.levels, r] for s in packet.settings for r in packet.replicates]
        for packet in packets
    ]
    assert order == sorted(order, key=lambda some: some[0])
    assert all(some == sorted(some) for some in order)


@settings(deadline=None)
@given(works(), FUSED)
def test_one_fit_a_packet_is_the_work_as_it_stands(work, fused):
    packets = pack("s", 1, Phase.MEASURING, work, 1, fused)
    assert [(p.settings, p.levels, p.replicates) for p in packets] == [
        ((w.setting,), w.levels, (w.replicate,)) for w in work
    ]


def test_settings_come_together_before_replicates_do():
    """Settings of one shape on a replicate share its data; replicates each have their own."""
    a, b, c = ((("rate", i),) for i in range(3))
    work = [Work(s, (1,), i) for i in range(2) for s in (a, b, c)]
    packets = pack("s", 1, Phase.TUNING, work, 2, ("rate",))
    assert [(p.settings, p.replicates) for p in packets] == [
        ((a, b), (0,)), ((c,), (0,)), ((a, b), (1,)), ((c,), (1,)),
    ]  # fmt: skip
    alone = pack("s", 1, Phase.MEASURING, [Work(a, (1,), i) for i in range(5)], 2, ("rate",))
    assert [p.replicates for p in alone] == [(0, 1), (2, 3), (4,)]
