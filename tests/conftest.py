"""Shows values in a failing conformance suite, and says which tests stay on one worker."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tuner.testing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps a file's tests on one worker, and all that share the real stack on another.

    The stack's come first: they mostly wait, and would be what is left over at the end.
    """
    for item in items:
        group = "stack" if "e2e" in item.path.parts else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "e2e" not in item.path.parts)
