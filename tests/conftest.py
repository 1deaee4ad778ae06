"""Shows the values in a failing assertion of the conformance suites; keeps to one thread."""

import os

import pytest

# Before NumPy and torch are imported. The fits here are tiny: threads that wait for each other
# on a busy machine take ten times as long as one that works.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest.register_assert_rewrite("tuner.testing", "services.coordinator.store.conformance")
