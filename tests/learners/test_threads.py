"""Libraries' threads are limited for a while, and as they were after it."""

import sys
import types

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from tuner.learners import threads


def counts() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info()]


def test_it_limits_every_library_for_as_long_as_it_lasts():
    np.linalg.inv(np.eye(3))
    before = counts()
    assert before
    with threads.limited(1):
        assert set(counts()) == {1}
    with pytest.raises(ValueError, match="broke"), threads.limited(1):
        raise ValueError("broke")
    assert counts() == before


def test_libraries_are_looked_for_again_once_modules_were_imported(monkeypatch):
    with threads.limited(1):
        pass
    found = threads._found(len(sys.modules))
    with threads.limited(1):
        pass
    assert threads._found(len(sys.modules)) is found
    monkeypatch.setitem(sys.modules, "tuner_test_of_threads", types.ModuleType("another"))
    assert threads._found(len(sys.modules)) is not found
