"""Requests to unsubscribe and reports about e-mails out of landing/."""

import datetime as dt
import json
import os
from email.message import EmailMessage
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.digests.links import DigestLinks
from assets.ingest.people.ingest import ingest_erasures, known_erasures
from assets.ingest.people.mail import ingest_bounces, ingest_unsubscribes
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import BOUNCES, QUARANTINE, UNSUBSCRIBES
from features.schemas.catalog import USERS
from features.sources.people.bounces import MailNames, parse_report_message

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
DAY = dt.date(2026, 2, 27)
LINKS = DigestLinks("https://example.org/u/{token}", keys=(b"k" * 32,))
WRITTEN = dt.datetime(2026, 2, 20, tzinfo=dt.UTC)


def land(landing: Path, name: str, *lines: object) -> None:
    body = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines)
    land_bytes(landing, name, body.encode())


def land_bytes(landing: Path, name: str, body: bytes) -> None:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))


def token(user_id: str) -> str:
    return str(LINKS.unsubscribe_url(user_id)).rpartition("/")[2]


def message_id(user_id: str) -> str:
    return f"<{LINKS.message_name(user_id, DAY)}@example.org>"


def unsubscribes(lake: Lake, landing: Path, *, links: DigestLinks = LINKS) -> list[tuple[object, ...]]:
    ingest_unsubscribes(lake, landing, links=links, as_of=AS_OF)
    return lake.scan("bronze", UNSUBSCRIBES).collect().rows()


def bounces(lake: Lake, landing: Path) -> list[tuple[object, ...]]:
    ingest_bounces(lake, landing, links=LINKS, as_of=AS_OF)
    return lake.scan("bronze", BOUNCES).collect().rows()


def reasons(lake: Lake) -> dict[str, str]:
    return dict(lake.scan("bronze", QUARANTINE).select("entry", "reason").collect().rows())


def test_the_newest_request_of_a_user_counts(lake: Lake, landing: Path) -> None:
    land(
        landing, "unsubscribes/a.jsonl",
        {"token": token("anna"), "requested_at": "2026-02-10T10:00:00+03:00"},
        {"user_id": "boris", "requested_at": "2026-02-10"},
        {"user_id": "boris", "requested_at": "2026-02-12", "subscribe": True},
        {"user_id": "vera"}, {"user_id": "vera", "requested_at": "2026-02-01", "subscribe": "true"},
    )  # fmt: skip
    expected = [
        ("anna", dt.datetime(2026, 2, 10, 7, tzinfo=dt.UTC), False),
        ("boris", dt.datetime(2026, 2, 12, tzinfo=dt.UTC), True),
        ("vera", WRITTEN, False),  # without a time, when the file was written
    ]
    assert unsubscribes(lake, landing) == expected
    land(landing, "unsubscribes/again.jsonl", {"user_id": "boris", "requested_at": "2026-02-11"})
    assert unsubscribes(lake, landing) == expected


def test_a_request_that_can_not_be_used_is_in_the_quarantine(lake: Lake, landing: Path) -> None:
    land(
        landing, "unsubscribes/a.jsonl",
        {"token": "made-up"}, {"token": message_id("anna").strip("<>").partition("@")[0]}, "{bad", {}, ["x"],
        {"user_id": " "}, {"user_id": 5}, {"token": 5, "user_id": "anna"},
    )  # fmt: skip
    assert [row[0] for row in unsubscribes(lake, landing)] == ["anna"]
    assert reasons(lake) == {
        "line 1": "bad_token", "line 2": "bad_token", "line 3": "bad_json", "line 4": "missing_token",
        "line 5": "missing_token", "line 6": "bad_user_id", "line 7": "bad_user_id",
    }  # fmt: skip


def test_tokens_wait_for_the_key(lake: Lake, landing: Path) -> None:
    land(landing, "unsubscribes/a.jsonl", {"token": token("anna")}, {"user_id": "boris"})
    assert [row[0] for row in unsubscribes(lake, landing, links=DigestLinks())] == ["boris"]
    assert reasons(lake) == {"line 1": "no_link_key"}
    assert [row[0] for row in unsubscribes(lake, landing)] == ["anna", "boris"]


def test_an_erasure_removes_what_was_said_before(lake: Lake, landing: Path) -> None:
    land(landing, "unsubscribes/a.jsonl", {"user_id": "anna"}, {"user_id": "boris"})
    land(landing, "bounces/a.jsonl", {"user_id": "anna", "type": "hard"})
    assert len(unsubscribes(lake, landing)) == 2 and len(bounces(lake, landing)) == 1
    land(landing, "erasures/a.jsonl", {"user_id": "anna", "requested_at": "2026-02-25"})
    assert known_erasures(lake, landing, as_of=AS_OF)["user_id"].to_list() == ["anna"]
    ingest_erasures(lake, landing, as_of=AS_OF)
    assert known_erasures(lake, landing, as_of=AS_OF)["user_id"].to_list() == ["anna"]
    assert [row[0] for row in unsubscribes(lake, landing)] == ["boris"]
    assert bounces(lake, landing) == []


def test_reports_name_a_message_a_user_or_an_address(lake: Lake, landing: Path) -> None:
    people = pl.DataFrame({"user_id": ["anna", "vera"], "email": ["Anna@example.org", "vera@example.org"]})
    lake.replace("catalog", USERS, USERS.conform(people))
    at = {"occurred_at": "2026-02-28T12:00:00Z"}
    land(
        landing, "bounces/a.jsonl",
        {"message_id": message_id("boris"), "type": "Permanent", "status": "smtp; 550 5.1.1 unknown", **at},
        {"email": "anna@EXAMPLE.org", "type": "soft", **at}, {"user_id": "vera", "kind": "complaint", **at},
    )  # fmt: skip
    moment = dt.datetime(2026, 2, 28, 12, tzinfo=dt.UTC)
    expected = [
        ("anna", moment, "soft", None, None),
        ("boris", moment, "hard", DAY, "5.1.1"),
        ("vera", moment, "complaint", None, None),
    ]
    assert bounces(lake, landing) == expected == bounces(lake, landing)


def test_a_report_that_can_not_be_used_is_in_the_quarantine_without_its_address(lake: Lake, landing: Path) -> None:
    land(
        landing, "bounces/a.jsonl",
        {"message_id": "<made-up@example.org>", "type": "hard"}, {"type": "hard"}, {"user_id": "anna"},
        {"user_id": "anna", "type": "opened"}, {"email": "nobody@example.org", "type": "hard"}, "[",
    )  # fmt: skip
    assert bounces(lake, landing) == []
    assert reasons(lake) == {
        "line 1": "unknown_message", "line 2": "missing_message_id", "line 3": "missing_type", "line 4": "bad_type",
        "line 5": "unknown_address", "line 6": "bad_json",
    }  # fmt: skip
    assert "nobody@example.org" not in "".join(lake.scan("bronze", QUARANTINE).collect()["raw"])


def delivery_report(action: str, status: str, about: str) -> bytes:
    """What a mail server sends back (RFC 3464)."""
    lines = [
        "From: MAILER-DAEMON@mx.example.net", "To: digest@example.org", "Date: Sat, 28 Feb 2026 12:00:00 +0000",
        "Subject: Undelivered Mail", "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"', "",
        "--B", "Content-Type: text/plain", "", "Your mail could not be delivered.", "",
        "--B", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example.net", "",
        "Final-Recipient: rfc822; anna@example.org", f"Action: {action}", f"Status: {status}", "",
        "--B", "Content-Type: text/rfc822-headers", "", f"Message-ID: {about}", "Subject: 5 jobs", "", "--B--", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def spam_report(about: str) -> bytes:
    """What a provider sends when somebody marks a mail as spam (RFC 5965)."""
    return (
        delivery_report("x", "x", about)
        .replace(b"message/delivery-status", b"message/feedback-report")
        .replace(b"Reporting-MTA: dns; mx.example.net", b"Feedback-Type: abuse")
    )


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (delivery_report("failed", "5.1.1", message_id("anna")), "hard", "5.1.1"),
        (delivery_report("failed", "5.2.1 (disabled)", message_id("anna")), "hard", "5.2.1"),
        (delivery_report("failed", "5.2.2", message_id("anna")), "soft", "5.2.2"),
        (delivery_report("failed", "5.7.1", message_id("anna")), "soft", "5.7.1"),
        (delivery_report("failed", "", message_id("anna")), "soft", None),
        (delivery_report("Delayed", "4.4.1", message_id("anna")), "soft", "4.4.1"),
        (spam_report(message_id("anna")), "complaint", None),
    ],
)
def test_mails_of_mail_servers_are_read(lake: Lake, landing: Path, body: bytes, kind: str, status: str | None) -> None:
    land_bytes(landing, "bounces/report.eml", body)
    moment = dt.datetime(2026, 2, 28, 12, tzinfo=dt.UTC)
    assert bounces(lake, landing) == [("anna", moment, kind, DAY, status)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (delivery_report("failed", "5.1.1", "<AAAAAAAAAAAAAAAAAAAAAAAA@example.org>"), "unknown_message"),
        (delivery_report("delivered", "2.0.0", message_id("anna")), "no_report"),
        (b"Subject: I am away\r\n\r\nUntil Monday.\r\n", "no_report"),
        (b"", "no_report"),
    ],
)
def test_other_mails_say_nothing_about_a_user(lake: Lake, landing: Path, body: bytes, reason: str) -> None:
    land_bytes(landing, "bounces/report.eml", body)
    assert bounces(lake, landing) == []
    assert list(reasons(lake).values()) == [reason]


@given(st.binary() | st.binary().map(lambda noise: delivery_report("failed", "5.1.1", "<x@y>").replace(b"dns", noise)))
def test_no_mail_stops_the_reading(body: bytes) -> None:
    found = parse_report_message(body, names=MailNames(lambda _: None, lambda _: {}), written_at=AS_OF)
    assert found.rows.is_empty() and found.rejects.height == 1


def test_everything_that_was_read_is_counted(lake: Lake, landing: Path) -> None:
    land(landing, "unsubscribes/a.jsonl", {"user_id": "anna"}, {"user_id": "anna"}, {"user_id": "boris"}, {})
    report: RunReport = ingest_unsubscribes(lake, landing, links=LINKS, as_of=AS_OF)
    report.metadata()
    found = report.of("unsubscribes")
    assert (found.n_read, found.n_new, found.n_changed, found.n_unchanged, found.n_quarantined) == (4, 2, 0, 1, 1)


def test_a_message_that_answers_another_kind_of_file_is_refused(lake: Lake, landing: Path) -> None:
    message = EmailMessage()
    land_bytes(landing, "unsubscribes/a.eml", message.as_bytes())
    assert unsubscribes(lake, landing) == []
    assert list(reasons(lake).values()) == ["unsupported_format"]
