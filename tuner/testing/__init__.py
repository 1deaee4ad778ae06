"""Conformance suites: what anything of your own must prove before Tuner may rely on it.

Subclass a suite in a test module and pytest runs all of it:

    from tuner.testing import LearnerConformance

    class TestMine(LearnerConformance):
        entry = MY_CATALOG_ENTRY
        axis = "depth"
        levels = (1, 2)

        def make_learner(self):
            return Mine()

Have `pytest.register_assert_rewrite("tuner.testing")` in a conftest.py to see
the values in a failing assertion.
"""

from tuner.testing.data import tiny_images, tiny_table, tiny_values
from tuner.testing.learners import LearnerConformance

__all__ = ["LearnerConformance", "tiny_images", "tiny_table", "tiny_values"]
