"""`tuner token` and `tuner audit`: who may do what, and who did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.access import ALL, API_TOKEN
from tuner.cli.console import say
from tuner.cli.exits import Commands
from tuner.cli.options import Address, Format, Output, connect
from tuner.errors import invalid

if TYPE_CHECKING:
    from rich.table import Table

    from tuner.access import AuditEntry, Token

app = typer.Typer(cls=Commands, no_args_is_help=True, help="Make, list and revoke API tokens.")


MOST_DAYS = 3660
"""How long a token may serve that doesn't serve for ever."""


class RoleName(StrEnum):
    """A role, as it is typed."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    OPERATOR = "operator"


@app.command("create")
def create(
    ctx: typer.Context,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT",
            help="Whose it is; jobs and the audit log name them so.",
            show_default=False,
        ),
    ],
    role: Annotated[RoleName, typer.Option("--role", help="What it may do.")] = RoleName.SUBMITTER,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Where; may be given several times; - for everywhere. [default: default]",
            show_default=False,
        ),
    ] = None,
    days: Annotated[
        float | None,
        typer.Option("--days", help="How long it serves; for ever where omitted."),
    ] = None,
    address: Address = None,
) -> None:
    """Make a token. Its secret goes to stdout, this once; the coordinator keeps only a hash."""
    places = namespace or ["default"]
    if days is not None and not 0 < days <= MOST_DAYS:
        problem = f"can't be {days:g}; give more than 0, {MOST_DAYS} at most, or leave it out"
        raise invalid("--days", problem)
    lifetime = None if days is None else timedelta(days=days)
    with connect(ctx, address) as client:
        token, secret = client.create_token(subject, dict.fromkeys(places, role.value), lifetime)
    typer.echo(secret)
    until = "for ever" if token.expire_time is None else f"until {_told(token.expire_time)}"
    say(f"{token.id} is {token.subject}'s, {_spoken(token.grants)}, {until}; set TUNER_TOKEN to it")
    say(f"the secret isn't shown again; `tuner token revoke {token.id}` ends it")


@app.command("list")
def list_(ctx: typer.Context, output: Output = Format.TABLE, address: Address = None) -> None:
    """List the tokens that you may revoke."""
    from tuner.cli.output import emit_list

    with connect(ctx, address) as client:
        rows = [_token_row(token) for token in client.tokens()]
    emit_list(output, rows, lambda: _tokens_table(rows), "id")


@app.command("revoke")
def revoke(
    ctx: typer.Context,
    token: Annotated[
        str,
        typer.Argument(metavar="TOKEN", help="Its id, not its secret.", show_default=False),
    ],
    address: Address = None,
) -> None:
    """End a token at once."""
    with connect(ctx, address) as client:
        ended = client.revoke_token(_id_of(token))
    say(f"{ended.id} of {ended.subject} was revoked on {_told(ended.revoke_time)}")


def audit(
    ctx: typer.Context,
    output: Output = Format.TABLE,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="What was about it; - for all.")
    ] = ALL,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 100,
    address: Address = None,
) -> None:
    """Show who changed what, and who was refused, newest first. For operators."""
    from tuner.cli.output import emit_list

    with connect(ctx, address) as client:
        rows = [_entry_row(entry) for entry in client.audit(namespace, limit)]
    emit_list(output, rows, lambda: _audit_table(rows), "resource")


def _id_of(text: str) -> str:
    """Returns a token's id, also where its whole secret was pasted: an id must do."""
    parts = text.split("_", 2)
    return parts[1] if len(parts) == 3 and text.startswith(API_TOKEN) else text


def _state(token: Token) -> str:
    if token.revoke_time is not None:
        return "revoked"
    if token.expire_time is not None and token.expire_time <= datetime.now(UTC):
        return "expired"
    return "valid"


def _spoken(grants: Mapping[str, str]) -> str:
    return ", ".join(f"{role.lower()} in {place}" for place, role in grants.items())


def _told(time: datetime | None) -> str:
    return "" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M}"


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _token_row(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "subject": token.subject,
        "grants": {place: role.lower() for place, role in token.grants.items()},
        "state": _state(token),
        "created_by": token.created_by,
        "create_time": _iso(token.create_time),
        "expire_time": _iso(token.expire_time),
        "revoke_time": _iso(token.revoke_time),
    }


def _tokens_table(rows: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("id", "subject", "may", "state", "made by", "expires"):
        table.add_column(column, no_wrap=column in ("id", "state"))
    for row in rows:
        may = _spoken(row["grants"])
        until = row["expire_time"]
        expires = _told(datetime.fromisoformat(until)) if until else "never"
        table.add_row(row["id"], row["subject"], may, row["state"], row["created_by"], expires)
    return table


def _entry_row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "time": _iso(entry.time),
        "subject": entry.subject,
        "token": entry.token,
        "method": entry.method,
        "resource": entry.resource,
        "status": entry.status,
        "reason": entry.reason,
        "peer": entry.peer,
    }


def _audit_table(rows: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("time", "who", "call", "what", "status", "why", "from"):
        table.add_column(
            column, no_wrap=column in ("time", "who", "call", "status"), overflow="fold"
        )
    for row in rows:
        time = datetime.fromisoformat(row["time"]).astimezone() if row["time"] else None
        # What goes without saying is left out, for room: JSON has all of it.
        who = row["subject"].partition(" of namespaces/")[0] or "–"
        what = row["resource"].removeprefix("namespaces/").replace("/jobs/", "/")
        told = [who, row["method"], what, row["status"], row["reason"]]
        host = row["peer"].rpartition(":")[0].partition(":")[2] or row["peer"]
        when = "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
        table.add_row(when, *(escape(cell) for cell in (*told, host)))
    return table
