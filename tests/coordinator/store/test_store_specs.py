"""Specs that are kept unpacked: as many as the bytes allow, however many jobs there are."""

from __future__ import annotations

import pytest

from services.coordinator.store import codec
from services.coordinator.store.codec import Specs, pack_spec
from tuner.spec import JobSpec, Search


def packed(number: int) -> bytes:
    search = Search("simulated", axis="depth", levels=[1, 2, 4])
    return pack_spec(JobSpec(dataset="digits", name=f"{number:06}", searches=[search]))


def test_a_look_at_many_jobs_judges_no_spec_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    judge = codec.spec_from_wire
    monkeypatch.setattr(codec, "spec_from_wire", lambda m: judged.append(m) or judge(m))
    data = [packed(number) for number in range(1200)]
    # The store's own, as large as it is.
    kept = Specs(codec.SPEC_BYTES)
    for _ in range(2):
        assert [kept.of(one).name for one in data] == [f"{n:06}" for n in range(1200)]
    assert len(judged) == 1200


def test_what_is_kept_is_bounded_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    judge = codec.spec_from_wire
    monkeypatch.setattr(codec, "spec_from_wire", lambda m: judged.append(m) or judge(m))
    data = [packed(number) for number in range(5)]
    kept = Specs(3 * len(data[0]))
    for one in data:
        kept.of(one)
    for one in data[2:]:
        kept.of(one)
    assert len(judged) == 5
    kept.of(data[0])
    assert len(judged) == 6
