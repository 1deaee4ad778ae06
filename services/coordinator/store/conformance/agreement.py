"""Any order of calls leaves the record that a model in a few lines of memory predicts.

The model holds the events that it expects; everything else that is read is
compared with what follows from them.
"""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from services.coordinator.secret import hashed, new_token
from services.coordinator.store.conformance.leading import raises, writers
from services.coordinator.store.conformance.making import MakeStore
from services.coordinator.store.conformance.recording import JobMachine
from services.coordinator.store.errors import AlreadyExistsError, WrongStateError
from tuner.access import Role, Token
from tuner.jobs import ShareChanged


class StoreMachine(JobMachine):
    """One job with its share, and the tokens of one namespace."""

    @rule(slots=st.integers(0, 2), who=writers)
    def set_share(self, slots: int, who: str) -> None:
        model = self.model
        store, error = self._writer(who, WrongStateError if model.state.ended else None)
        with raises(error):
            store.set_share(self.name, slots, "so many")
            if slots != model.share:
                model.events.append(ShareChanged(slots, "so many"))
            model.share = slots

    @rule(role=st.sampled_from(Role))
    def create_token(self, role: Role) -> None:
        token_id, secret = new_token()
        token = Token(token_id, "ada", {self._space: role}, created_by="root")
        made = self.store.create_token(token, hashed(secret))
        self.model.tokens[hashed(secret)] = made
        with raises(AlreadyExistsError):
            self.store.create_token(token, hashed(f"{secret} again"))

    @precondition(lambda self: self.model.tokens)
    @rule(data=st.data())
    def revoke_token(self, data: st.DataObject) -> None:
        tokens = self.model.tokens
        secret_hash = list(tokens)[data.draw(st.integers(0, len(tokens) - 1), "token")]
        before = tokens[secret_hash]
        ended = self.store.revoke_token(before.id)
        assert ended.revoke_time is not None
        # The first time stays.
        assert before.revoke_time in (None, ended.revoke_time)
        tokens[secret_hash] = ended

    def agrees_in_detail(self) -> None:
        """Compares the tokens, too."""
        super().agrees_in_detail()
        tokens = self.model.tokens
        assert self.store.orders(self.name).share == self.model.share
        for secret_hash, token in tokens.items():
            assert self.store.token_of(secret_hash) == token == self.store.get_token(token.id)
        listed = sorted(tokens.values(), key=lambda token: token.id)
        half = self.store.list_tokens(2, "", {self._space})
        assert half == listed[:2]
        if half:
            assert self.store.list_tokens(100, half[-1].id, {self._space}) == listed[2:]

    @property
    def _space(self) -> str:
        """A namespace that no other run has."""
        return self.lease.replace("/", "-")


class AgreementConformance:
    """The store and the model agree, whatever is called in whatever order.

    Attributes:
        steps: Calls in a row.
    """

    steps: ClassVar[int] = 40

    @pytest.fixture
    def examples(self) -> int:
        """How many orders of calls are tried."""
        return 10

    def test_the_store_agrees_with_the_model(self, make_store: MakeStore, examples: int) -> None:
        machine = type("Machine", (StoreMachine,), {"make_store": staticmethod(make_store)})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=self.steps,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
