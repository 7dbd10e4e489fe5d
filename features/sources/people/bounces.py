"""What comes back of e-mails: reports as JSON lines, and e-mails of mail servers (RFC 3464, RFC 5965), to BOUNCES."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser

import polars as pl

from features.schemas.bronze import BOUNCE_KINDS, BOUNCES
from features.sources.parsed import Parsed, Refusal, json_lines, rejects
from features.sources.people.users import is_user_id
from features.sources.timestamps import read_timestamp
from features.sources.values import NotJsonError, line, mapping

NO_KEY = "no_link_key"
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_MESSAGE_ID = re.compile(r"<([A-Za-z0-9_-]{16,1200})@[A-Za-z0-9.-]+>")
_KINDS = {
    "hard": "hard", "permanent": "hard", "hardbounce": "hard", "hard_bounce": "hard", "bounce": "hard",
    "soft": "soft", "transient": "soft", "softbounce": "soft", "soft_bounce": "soft", "deferred": "soft",
    "complaint": "complaint", "spam": "complaint", "spamcomplaint": "complaint", "abuse": "complaint",
}  # fmt: skip
_MOST_RECIPIENTS = 20


@dataclass(frozen=True)
class MailNames:
    """Who an e-mail was for. `digest_of` opens the name in a Message-ID, None for one that is not genuine; it is None
    itself without a key. `users_of` finds users by addresses in lower case."""

    digest_of: Callable[[str], tuple[str, date] | None] | None
    users_of: Callable[[Sequence[str]], Mapping[str, Sequence[str]]]


def parse_bounces(body: bytes, *, names: MailNames, written_at: datetime) -> Parsed:
    """One report a line to BOUNCES rows: {message_id, user_id or email, type, status, occurred_at}.

    `type` is hard, soft or complaint, or what mail services call these. A report without a readable time counts from
    `written_at`, when its file was written.
    """
    found: list[tuple[str, bytes, Mapping[str, object], str]] = []
    refused: list[Refusal] = []
    for entry, raw, value in json_lines(body):
        report = mapping(value)
        stated = (line(report.get("type")) or line(report.get("kind")) or "").lower().replace(" ", "")
        if isinstance(value, NotJsonError):
            refused.append((entry, "bad_json", "", raw))
        elif stated not in _KINDS:
            detail = f"type {stated[:40]!r}; expected one of {', '.join(BOUNCE_KINDS)}"
            refused.append((entry, "bad_type" if stated else "missing_type", detail, raw))
        else:
            found.append((entry, raw, report, _KINDS[stated]))
    by_address = names.users_of([address for _, _, report, _ in found if (address := _address(report))])
    rows: list[tuple[object, ...]] = []
    for entry, raw, report, kind in found:
        users = _users(report, names, by_address)
        if isinstance(users, str):
            refused.append((entry, users, "", raw))
            continue
        at = read_timestamp(report.get("occurred_at")) or written_at
        status = _STATUS.search(line(report.get("status")) or "")
        rows += [(user, at, kind, day, status[1] if status else None) for user, day in users]
    return Parsed(_frame(rows), rejects(refused))


def parse_report_message(body: bytes, *, names: MailNames, written_at: datetime) -> Parsed:
    """A mail server's report as an e-mail to a row of BOUNCES.

    It comes from anybody, so it counts only if it quotes the Message-ID of a digest.
    """
    message = BytesParser(policy=policy.default).parsebytes(body)
    kind, status = _report(message)
    if kind is None:
        return Parsed(BOUNCES.empty(), rejects([("file", "no_report", "expected a delivery or abuse report", body)]))
    if names.digest_of is None:
        return Parsed(BOUNCES.empty(), rejects([("file", NO_KEY, "", body)]))
    genuine = (names.digest_of(found[1]) for found in _MESSAGE_ID.finditer(body.decode("ascii", "replace")))
    digest = next((one for one in genuine if one is not None), None)
    if digest is None:
        return Parsed(BOUNCES.empty(), rejects([("file", "unknown_message", "it quotes no Message-ID of ours", body)]))
    at = read_timestamp(str(message["Date"])) if message["Date"] else None
    return Parsed(_frame([(digest[0], at or written_at, kind, digest[1], status)]), rejects([]))


def _report(message: EmailMessage) -> tuple[str | None, str | None]:
    """The kind of a report, None for any other e-mail or for one that tells of success, and its status code."""
    for part in message.walk():
        content = part.get_content_type()
        if content == "message/feedback-report":
            return "complaint", None
        if content == "message/delivery-status":
            blocks = part.get_payload()
            for block in blocks if isinstance(blocks, list) else []:
                if isinstance(block, Message) and block["Action"] is not None:
                    return _kind(str(block["Action"]).strip().lower(), str(block["Status"] or ""))
    return None, None


def _kind(action: str, stated: str) -> tuple[str | None, str | None]:
    found = _STATUS.search(stated)
    status = found[1] if found else None
    if action == "failed":
        # A full mailbox or a refusal for policy says nothing against the address.
        is_address = status is not None and (status.startswith("5.1.") or status in ("5.2.1", "5.0.0"))
        return "hard" if is_address else "soft", status
    return "soft" if action == "delayed" else None, status


def _users(
    report: Mapping[str, object], names: MailNames, by_address: Mapping[str, Sequence[str]]
) -> list[tuple[str, date | None]] | str:
    """The users whom a report is about, with the date of the digest if it is known, or the reason to refuse it."""
    message_id, user_id, address = line(report.get("message_id")), report.get("user_id"), _address(report)
    if message_id and names.digest_of is None:
        return NO_KEY
    if message_id and names.digest_of is not None:
        digest = names.digest_of(message_id.strip("<>").partition("@")[0])
        if digest is not None:
            return [digest]
    if isinstance(user_id, str):
        return [(user_id, None)] if is_user_id(user_id) else "bad_user_id"
    if address:
        users = by_address.get(address, ())
        return [(user, None) for user in users[:_MOST_RECIPIENTS]] or "unknown_address"
    return "unknown_message" if message_id else "missing_message_id"


def _address(report: Mapping[str, object]) -> str | None:
    address = line(report.get("email"))
    return address.lower() if address else None


def _frame(rows: Iterable[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(BOUNCES.columns), orient="row")
