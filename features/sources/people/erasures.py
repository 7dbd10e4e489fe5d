"""Requests to erase a user, JSON lines to ERASURES. Carrying them out is not done here."""

import polars as pl

from features.schemas.bronze import ERASURES
from features.sources.lines import split_lines
from features.sources.parsed import Parsed, Refusal, rejects
from features.sources.people.users import is_user_id
from features.sources.timestamps import read_timestamp
from features.sources.values import NotJsonError, decode_json, mapping, text


def parse_erasures(body: bytes) -> Parsed:
    """One {user_id, requested_at} a line; a line that names no user or no time is a reject, to be looked at by hand."""
    rows: list[tuple[object, object]] = []
    refused: list[Refusal] = []
    for line_number, raw in split_lines(body):
        entry = f"line {line_number}"
        try:
            request = mapping(decode_json(raw))
        except NotJsonError:
            refused.append((entry, "bad_json", "", raw))
            continue
        user_id, requested_at = text(request.get("user_id")), read_timestamp(request.get("requested_at"))
        if not is_user_id(user_id):
            refused.append((entry, "missing_user_id" if user_id is None else "bad_user_id", "", raw))
        elif requested_at is None:
            reason = "missing_requested_at" if request.get("requested_at") is None else "bad_time"
            refused.append((entry, reason, "", raw))
        else:
            rows.append((user_id, requested_at))
    return Parsed(pl.DataFrame(rows, schema=dict(ERASURES.columns), orient="row"), rejects(refused))
