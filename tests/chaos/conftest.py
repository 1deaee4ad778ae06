"""Options of the storm."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos-seed", type=int, default=7, help="what the long storm is drawn from")
    parser.addoption(
        "--chaos-seconds", type=float, default=1150.0, help="what the long storm may take, in all"
    )
    parser.addoption("--report", default="", help="file that the storm's report is written to")
