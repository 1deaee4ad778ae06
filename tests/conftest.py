"""Shows the values in a failing assertion of the conformance suite."""

import pytest

pytest.register_assert_rewrite("tuner.testing")
