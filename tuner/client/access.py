"""Tokens and the audit log, from a client's side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice

from tuner.access import ALL, AuditEntry, Role, Token
from tuner.client.paging import paged
from tuner.client.transport import Transport
from tuner.errors import invalid
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.access import entry_from_wire, grants_to_wire, token_from_wire
from tuner.wire.names import namespace_name, token_name
from tuner.wire.pages import MAX_PAGE


class AccessCalls:
    """The part of the client that is about who may do what, and who did."""

    _transport: Transport

    def create_token(
        self,
        subject: str,
        grants: Mapping[str, Role | str],
        lifetime: timedelta | None = None,
    ) -> tuple[Token, str]:
        """Makes a token.

        Args:
            subject: Whose it is, as jobs and the audit log are to name them.
            grants: Roles by namespace; "-" is every namespace.
            lifetime: How long it serves, more than nothing; for ever where omitted.

        Returns:
            The token, and its secret, which is shown this once and kept nowhere.

        Raises:
            TunerError: PERMISSION_DENIED where the caller isn't operator of every namespace
                among the grants; INVALID_ARGUMENT where the token can't be made.
            ValueError: There is no such role.
        """
        if lifetime is not None and lifetime <= timedelta(0):
            raise invalid("lifetime", f"can't be {lifetime}; give more, or leave it out for ever")
        judged = [(place, Role(str(role).upper())) for place, role in grants.items()]
        request = pb.CreateTokenRequest(
            subject=subject,
            grants=grants_to_wire(judged),
            lifetime_seconds=0.0 if lifetime is None else lifetime.total_seconds(),
        )
        answer = self._transport.call(self._transport.stub.CreateToken, request)
        return token_from_wire(answer.token), answer.secret

    def tokens(self) -> Iterator[Token]:
        """Yields the tokens that the caller may end, by id."""
        found = paged(
            lambda page: self._transport.call(
                self._transport.stub.ListTokens, pb.ListTokensRequest(page_token=page)
            ),
            lambda response: response.tokens,
        )
        return map(token_from_wire, found)

    def revoke_token(self, token: str) -> Token:
        """Ends a token at once; one that has ended stays as it is.

        Args:
            token: Its id, or its name.

        Raises:
            TunerError: NOT_FOUND where there is none that the caller may end.
        """
        name = token if "/" in token else token_name(token)
        request = pb.RevokeTokenRequest(name=name)
        return token_from_wire(self._transport.call(self._transport.stub.RevokeToken, request))

    def audit(self, namespace: str = ALL, limit: int | None = None) -> Iterator[AuditEntry]:
        """Yields who did what, and who was refused, newest first.

        Args:
            namespace: What was about it; "-" for all that the caller may see.
            limit: How many at most; all where omitted.
        """
        size = 0 if limit is None else min(limit, MAX_PAGE)
        found = paged(
            lambda page: self._transport.call(
                self._transport.stub.ListAuditEntries,
                pb.ListAuditEntriesRequest(
                    parent=namespace_name(namespace), page_size=size, page_token=page
                ),
            ),
            lambda response: response.entries,
        )
        return islice(map(entry_from_wire, found), limit)
