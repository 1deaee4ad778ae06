"""Slots go where and as many as they are to: the share, nodes kept off, nodes that lose packets."""

from services.runner.bad_nodes import FIRST_REST_SECONDS, LOST_PACKETS, WINDOW_SECONDS, BadNodes
from services.runner.steering import Steering


class Cluster:
    """Nodes, the slots that were asked for there, and what was said."""

    def __init__(self, most: int = 0, **capacity: int) -> None:
        self.capacity = capacity
        self.share, self.avoided = 0, ()
        self.steered: list[tuple[int, list[str]]] = []
        self.said: list[str] = []
        self.now = 0.0
        bad = BadNodes(lambda: self.now)
        self.steering = Steering(self, self, lambda: self.capacity, most, self.said.append, bad)

    def steer(self, share, avoided) -> None:
        self.steered.append((share, list(avoided)))

    def apply(self, share=0, told=()) -> tuple[int, tuple[str, ...]]:
        self.steering.apply(share, told)
        assert self.steered[-1] == (self.share, list(self.avoided))
        return self.share, self.avoided


def test_without_a_share_as_many_as_fit_within_the_specs_limit():
    assert Cluster(a=2, b=3).apply() == (5, ())
    assert Cluster(most=4, a=2, b=3).apply() == (4, ())
    assert Cluster(a=2, b=3).apply(3) == (3, ())
    # The cluster may grow to it, and a node without room is no place to keep off.
    assert Cluster(a=2, b=0).apply(9, ["b"]) == (9, ())


def test_one_slot_waits_where_nothing_fits():
    assert Cluster(a=0).apply() == (1, ())


def test_nothing_is_said_or_done_twice_and_what_comes_back_is_undone():
    cluster = Cluster(a=2, b=2)
    for share in (3, 3, 1, 1):
        cluster.apply(share, ["b"])
    assert cluster.steered == [(3, ["b"]), (1, ["b"])]
    assert cluster.apply(4) == (4, ())
    assert cluster.said == []


def test_where_every_node_is_to_be_kept_off_one_slot_goes_on_and_says_so():
    cluster = Cluster(a=2, b=2)
    for _ in range(3):
        share, avoided = cluster.apply(4, ["a", "b"])
        assert share == 1
        assert len(avoided) == 1
    assert len(cluster.said) == 1
    assert "every node" in cluster.said[0]


def test_a_node_that_loses_packet_after_packet_while_others_lose_none_is_left_for_a_while():
    cluster = Cluster(a=2, b=2)
    for i in range(LOST_PACKETS):
        assert cluster.apply() == (4, ())
        cluster.steering.lost("a", f"packet {i}")
    assert cluster.apply() == (2, ("a",))
    assert "node a has lost packet after packet" in cluster.said[0]
    cluster.now += FIRST_REST_SECONDS + 1
    assert cluster.apply() == (4, ())
    assert "tried again" in cluster.said[1]
    # The second time it rests for twice as long.
    for i in range(LOST_PACKETS):
        cluster.steering.lost("a", f"packet {i}")
    cluster.apply()
    cluster.now += FIRST_REST_SECONDS + 1
    assert cluster.apply()[1] == ("a",)
    cluster.now += FIRST_REST_SECONDS
    assert cluster.apply()[1] == ()


def test_losses_everywhere_losses_long_ago_and_one_poisonous_packet_speak_against_no_node():
    everywhere, poison, slow, alone = (Cluster(a=1, b=1) for _ in range(4))
    alone.capacity = {"a": 1}
    for i in range(2 * LOST_PACKETS):
        everywhere.steering.lost("ab"[i % 2], f"packet {i}")
        poison.steering.lost("a", "packet")
        slow.steering.lost("a", f"packet {i}")
        slow.now += WINDOW_SECONDS / (LOST_PACKETS - 1) + 1
        slow.apply()
        alone.steering.lost("a", f"packet {i}")
    for cluster in (everywhere, poison, slow, alone):
        assert cluster.apply()[1] == ()
