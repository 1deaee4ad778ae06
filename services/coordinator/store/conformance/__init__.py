"""The conformance suite of the store: what every backend must prove.

A backend's tests subclass each of these under pytest, with two fixtures: `make_store`
(see `MakeStore`), and `store`, an open one without jobs that is closed afterwards:

    from services.coordinator.store.conformance import JobsConformance

    class TestJobs(JobsConformance):
        '''Over SQLite and PostgreSQL.'''

`tests/coordinator/store/test_store_conformance.py` runs it over SQLite and PostgreSQL;
the fixtures are beside it, and a parameter of them is the backend.

Have `pytest.register_assert_rewrite("services.coordinator.store.conformance")` in a
conftest.py to see the values in a failing assertion.
"""

from services.coordinator.store.conformance.access import AccessConformance
from services.coordinator.store.conformance.accounts import AccountsConformance
from services.coordinator.store.conformance.agreement import AgreementConformance
from services.coordinator.store.conformance.artifacts import ArtifactsConformance
from services.coordinator.store.conformance.attempts import AttemptsConformance
from services.coordinator.store.conformance.jobs import JobsConformance
from services.coordinator.store.conformance.leadership import LeadershipConformance
from services.coordinator.store.conformance.making import MakeStore
from services.coordinator.store.conformance.plan import PlanConformance
from services.coordinator.store.conformance.reopening import ReopeningConformance
from services.coordinator.store.conformance.results import ResultsConformance
from services.coordinator.store.conformance.shares import SharesConformance
from services.coordinator.store.conformance.surplus import SurplusConformance
from services.coordinator.store.conformance.trials import TrialsConformance

__all__ = [
    "AccessConformance",
    "AccountsConformance",
    "AgreementConformance",
    "ArtifactsConformance",
    "AttemptsConformance",
    "JobsConformance",
    "LeadershipConformance",
    "MakeStore",
    "PlanConformance",
    "ReopeningConformance",
    "ResultsConformance",
    "SharesConformance",
    "SurplusConformance",
    "TrialsConformance",
]
