"""Several coordinators behind one client: whichever fails is left, within seconds."""

import contextlib
import select
import socket
import threading
import time

import pytest
from coordinator_double import Double, make_spec, serve

from services.runner.link import CoordinatorLink
from tuner import Client, TunerError
from tuner import channel as channels
from tuner.channel import split_addresses
from tuner.errors import Status


@pytest.fixture
def pair():
    """Two coordinators: (double, address) of each."""
    doubles = [Double(), Double()]
    servers = [serve(double) for double in doubles]
    yield [(double, address) for double, (_, address) in zip(doubles, servers, strict=True)]
    for server, _ in servers:
        server.stop(None).wait()


@contextlib.contextmanager
def listener(backlog):
    """A socket that takes connections and never speaks; once its backlog is full, it takes none."""
    with socket.socket() as heard:
        heard.bind(("127.0.0.1", 0))
        heard.listen(backlog)
        yield f"127.0.0.1:{heard.getsockname()[1]}"


@contextlib.contextmanager
def nobody():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


@contextlib.contextmanager
def mute():
    """A coordinator that is frozen: its kernel connects, and nothing answers."""
    with listener(16) as address:
        yield address


@contextlib.contextmanager
def out_of_reach():
    """A machine that is gone: what is sent to it is lost."""
    with listener(0) as address, contextlib.ExitStack() as full:
        host, port = address.split(":")
        for _ in range(4):
            one = full.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex((host, int(port)))
        yield address


class Way:
    """The way to a coordinator: frozen, nothing passes any more, and nothing is cut either."""

    def __init__(self, address):
        self._to = address.split(":")
        self._frozen, self._ended = threading.Event(), threading.Event()
        self._heard = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._heard.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        self._frozen.set()

    def close(self):
        self._ended.set()
        self._heard.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self._heard.accept()
                other = socket.create_connection((self._to[0], int(self._to[1])))
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one, other):
        with one, other:
            while not self._ended.is_set():
                ready, _, _ = select.select([one, other], [], [], 0.05)
                for side in ready:
                    if self._frozen.is_set():
                        self._ended.wait()
                        return
                    data = side.recv(65536)
                    if not data:
                        return
                    (other if side is one else one).sendall(data)


def test_addresses_are_told_apart():
    assert split_addresses("a:1") == ("a:1",)
    assert split_addresses("a:1, [::1]:2 ,c.d:3") == ("a:1", "[::1]:2", "c.d:3")
    for wrong in ("", "a:1,", "a:1,b", "http://a:1", "a:1;b:2"):
        with pytest.raises(TunerError) as caught:
            split_addresses(wrong)
        assert caught.value.status is Status.INVALID_ARGUMENT
        assert "commas" in caught.value.violations[0].problem


@pytest.mark.parametrize("first", [nobody, mute, out_of_reach])
def test_one_that_is_dead_is_left_within_seconds(first, double, address):
    with first() as dead, Client(f"{dead},{address}") as client:
        began = time.monotonic()
        job = client.submit(make_spec())
        assert time.monotonic() - began < 2 * channels.CONNECT_SECONDS
        # From then on nobody waits for it.
        began = time.monotonic()
        job.refresh()
        assert time.monotonic() - began < 1
    assert double.calls["CreateJob"] == 1


def test_one_that_is_unavailable_hands_the_very_request_on(pair):
    (one, first), (two, second) = pair
    one.failing["CreateJob"] = 100
    with Client(f"{first},{second}") as client:
        client.submit(make_spec())
    assert (one.calls["CreateJob"], two.calls["CreateJob"]) == (1, 1)
    assert one.requests[0].request_id == two.requests[0].request_id


def test_one_that_freezes_amid_calls_is_left_within_seconds(pair, monkeypatch):
    # Pings a second apart: what is proved is that they do it, not how long they take.
    quick = dict.fromkeys(("grpc.keepalive_time_ms", "grpc.http2.ping_timeout_ms"), 1000)
    options = {**dict(channels._OPTIONS), **quick}
    monkeypatch.setattr(channels, "_OPTIONS", tuple(options.items()))
    (one, first), (two, second) = pair
    way = Way(first)
    name = one.add_job()
    two.add_job()
    try:
        with Client(f"{way.address},{second}") as client:
            job = client.get_job(name)
            way.freeze()
            began = time.monotonic()
            job.refresh()
            assert 1 < time.monotonic() - began < 5, "by a ping, not by the call's deadline"
            assert (one.calls["GetJob"], two.calls["GetJob"]) == (1, 1)
    finally:
        way.close()


def test_no_other_error_turns_it_away(pair):
    (one, first), (two, second) = pair
    with Client(f"{first},{second}") as client, pytest.raises(TunerError) as caught:
        client.get_job("nope")
    assert caught.value.status is Status.NOT_FOUND
    assert (one.calls["GetJob"], two.calls["GetJob"]) == (1, 0)


def test_they_are_asked_in_turn(pair):
    (one, first), (two, second) = pair
    one.failing["ListLearners"] = two.failing["ListLearners"] = 1
    with Client(f"{first},{second}") as client:
        assert client.learners()
    assert one.calls["ListLearners"] > 1
    assert two.calls["ListLearners"] == 1


def test_a_watch_goes_on_at_the_next_without_gap_or_repeat(pair):
    (one, first), (two, second) = pair
    name = one.add_job()
    two.add_job()
    one.cut, two.cut = [3], [4]
    with Client(f"{first},{second}") as client:
        sequences = [event.sequence for event in client.get_job(name).watch()]
    assert sequences == list(range(1, 8))
    assert one.watched == [0, 6]
    assert two.watched == [3]


def test_where_all_are_dead_all_are_named(double):
    with nobody() as one, nobody() as two:
        with Client(f"{one},{two}", timeout=1) as client, pytest.raises(TunerError) as caught:
            client.learners()
        assert caught.value.status is Status.UNAVAILABLE
        assert one in caught.value.message
        assert two in caught.value.message


def test_a_runner_knows_several_too():
    with nobody() as one, nobody() as two:
        link = CoordinatorLink(f"{one},{two}", "namespaces/default/jobs/a", 0.5)
        with pytest.raises(TunerError) as caught:
            link.enrol("code")
        assert caught.value.status is Status.UNAVAILABLE
        link.close()
