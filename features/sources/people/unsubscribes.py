"""Requests to end or resume digests, as pages and mail programs leave them: JSON lines to UNSUBSCRIBES."""

from collections.abc import Callable
from datetime import datetime

import polars as pl

from features.schemas.bronze import UNSUBSCRIBES
from features.sources.parsed import Parsed, Refusal, json_lines, rejects
from features.sources.people.users import is_user_id
from features.sources.timestamps import read_timestamp
from features.sources.values import NotJsonError, flag, mapping

NO_KEY = "no_link_key"


def parse_unsubscribes(body: bytes, *, user_of: Callable[[str], str | None] | None, written_at: datetime) -> Parsed:
    """One {token or user_id, requested_at, subscribe} a line to UNSUBSCRIBES rows.

    `user_of` opens the token of a link, None for one that is not genuine; without it, lines with tokens are refused as
    `no_link_key`. A request without a readable time counts from `written_at`, when its file was written: it must be
    honoured. `subscribe: true` takes an earlier request back.
    """
    rows: list[tuple[str, datetime, bool]] = []
    refused: list[Refusal] = []
    for entry, raw, value in json_lines(body):
        user = "bad_json" if isinstance(value, NotJsonError) else _user(mapping(value), user_of)
        if isinstance(user, str):
            refused.append((entry, user, "", raw))
            continue
        request = mapping(value)
        requested_at = read_timestamp(request.get("requested_at")) or written_at
        rows.append((user[0], requested_at, flag(request.get("subscribe")) is True))
    return Parsed(pl.DataFrame(rows, schema=dict(UNSUBSCRIBES.columns), orient="row"), rejects(refused))


def _user(request: object, user_of: Callable[[str], str | None] | None) -> tuple[str] | str:
    """The user in a tuple, or the reason to refuse the request."""
    stated = mapping(request)
    token, user_id = stated.get("token"), stated.get("user_id")
    if isinstance(token, str) and token:
        if user_of is None:
            return NO_KEY
        user = user_of(token.strip())
        return "bad_token" if user is None else (user,)
    if user_id is None:
        return "missing_token"
    return (user_id,) if isinstance(user_id, str) and is_user_id(user_id) else "bad_user_id"
