"""The store's conformance suite, over SQLite and PostgreSQL."""

from __future__ import annotations

import pytest

from services.coordinator.store import conformance


class TestJobs(conformance.JobsConformance):
    pass


class TestAttempts(conformance.AttemptsConformance):
    pass


class TestPlan(conformance.PlanConformance):
    pass


class TestResults(conformance.ResultsConformance):
    pass


class TestSurplus(conformance.SurplusConformance):
    pass


class TestTrials(conformance.TrialsConformance):
    pass


class TestArtifacts(conformance.ArtifactsConformance):
    pass


class TestReopening(conformance.ReopeningConformance):
    pass


class TestAccounts(conformance.AccountsConformance):
    pass


class TestShares(conformance.SharesConformance):
    pass


class TestAccess(conformance.AccessConformance):
    pass


class TestLeadership(conformance.LeadershipConformance):
    pass


class TestAgreement(conformance.AgreementConformance):
    @pytest.fixture
    def examples(self, url: str) -> int:
        # A call takes longer over PostgreSQL, and the two differ in little but speed.
        return 10 if url.startswith("sqlite") else 4
