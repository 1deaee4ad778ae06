"""The page on security says what the code does: roles, settings, limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.coordinator.access import limits
from services.coordinator.access.audit import FLUSH_SECONDS, MAX_KINDS, MAX_WAITING
from services.coordinator.access.guard import FRESH_SECONDS
from services.coordinator.access.rules import CLIENT_SERVICE, RULES, Scope
from services.coordinator.api.access import MAX_GRANTS
from services.coordinator.api.jobs import MAX_JOBS_A_PAGE
from services.coordinator.api.runner_service import MAX_ROWS
from services.coordinator.settings import Settings
from tuner import tls
from tuner.access import Role
from tuner.spec.job import MAX_SEARCHES
from tuner.spec.search import MAX_LEVELS
from tuner.wire.pages import MAX_PAGE

PAGE = (Path(__file__).parents[1] / "docs" / "security.md").read_text(encoding="utf-8")


def cells(columns: int) -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [row for row in found if len(row) == columns]


def test_the_table_of_roles_is_the_one_that_is_kept() -> None:
    told = {row[0]: set(re.findall(r"`(\w+)`", row[1])) for row in cells(2)}
    kept: dict[str, set[str]] = {}
    for path, rule in RULES.items():
        if not path.startswith(f"/{CLIENT_SERVICE}/"):
            continue
        name = "any token" if rule.role is None else rule.role.lower()
        if rule.scope is Scope.EVERYWHERE:
            name = f"{name} of all namespaces"
        kept.setdefault(name, set()).add(path.rpartition("/")[2])
    assert {name: told[name] for name in kept} == kept
    assert {role.lower() for role in Role} <= set(kept)


def test_every_setting_of_tls_is_told() -> None:
    fields = {name.upper() for name in Settings.model_fields if name.startswith("tls_")}
    told = {
        name
        for row in cells(2)
        for name in re.findall(r"`([A-Z_]+)`", row[0])
        if name.startswith("TLS_")
    }
    assert told == fields
    for name in (tls.CA_VARIABLE, tls.CERT_VARIABLE, tls.KEY_VARIABLE, tls.SYSTEM_VARIABLE):
        assert f"`{name}" in PAGE


LIMITS = {
    "a message": limits.MAX_MESSAGE_BYTES / 2**20,
    "a call that": limits.UNARY_SECONDS,
    "a pause": limits.IDLE_SECONDS,
    "calls that": Settings.model_fields["max_calls"].default,
    "uploads, downloads": Settings.model_fields["max_streams"].default,
    "rows of a page": MAX_PAGE,
    "searches": MAX_SEARCHES,
    "measurements of": MAX_ROWS,
    "a file": Settings.model_fields["max_blob_bytes"].default / 2**30,
    "namespaces of": MAX_GRANTS,
}


@pytest.mark.parametrize("what", LIMITS)
def test_every_limit_is_the_one_that_is_kept(what: str) -> None:
    [row] = [row for row in cells(2) if row[0].startswith(what)]
    first = re.match(r"[\d,]+", row[1])
    assert first is not None
    assert float(first[0].replace(",", "")) == LIMITS[what]


def test_the_other_figures_are_right() -> None:
    assert f"64, {MAX_LEVELS} |" in PAGE
    assert f"{MAX_PAGE:,}; {MAX_JOBS_A_PAGE} jobs" in PAGE
    assert (FLUSH_SECONDS, FRESH_SECONDS) == (0.5, 1.0)
    assert f"{MAX_WAITING:,} wait" in PAGE
    assert MAX_KINDS == 100
