import datetime as dt
import re
from collections import Counter
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.digests.links import DigestLinks
from assets.digests.message import (
    MOST_SUBJECT_CHARACTERS,
    BadAddressError,
    Letter,
    build_message,
    mailbox,
    subject,
)

NOW = dt.datetime(2026, 3, 1, 7, 30, tzinfo=dt.UTC)
LETTER = Letter(
    to="anna@example.org",
    message_id=f"<{'A' * 90}@example.org>",
    title="5 новых вакансий для вас",
    text="Здравствуйте!\n.\nПять вакансий.\n",
    html="<!doctype html><p>Здравствуйте!</p>",
    language="ru",
    digest_date=dt.date(2026, 3, 1),
    unsubscribe_url=f"https://example.org/u/{'B' * 150}",
)
HEADERS = {
    "From": 1, "To": 1, "Subject": 1, "Date": 1, "Message-ID": 1, "List-Unsubscribe": 1, "List-Unsubscribe-Post": 1,
    "List-Id": 1, "Auto-Submitted": 1, "Feedback-ID": 1, "Content-Language": 1, "MIME-Version": 1, "Content-Type": 1,
}  # fmt: skip
hostile = st.text() | st.sampled_from(
    [
        "\r\nBcc: x@example.org",
        "=?utf-8?q?=0D=0ABcc:_x=40example.org?=",
        "=?utf-8?b?DQpCY2M6IHhAeS56?=",
        "\ud800",
        "\x00",
    ]
)


def parsed(letter: Letter = LETTER) -> EmailMessage:
    body = build_message(letter, sender="Jobs <digest@example.org>", now=NOW)
    assert body.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 998
    assert b"\n" not in body.replace(b"\r\n", b"") and b"\r" not in body.replace(b"\r\n", b"")
    message = message_from_bytes(body, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_message_has_all_headers_once() -> None:
    message = parsed()
    assert Counter(message.keys()) == HEADERS
    assert message["From"] == "Jobs <digest@example.org>"
    assert message["To"] == LETTER.to
    assert message["Subject"] == LETTER.title
    assert message["Message-ID"] == LETTER.message_id
    assert message["List-Unsubscribe"] == f"<{LETTER.unsubscribe_url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "Job digests <digests.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]) == NOW


def test_the_link_and_the_id_are_on_one_line_each() -> None:
    lines = build_message(LETTER, sender="digest@example.org", now=NOW).split(b"\r\n")
    assert f"List-Unsubscribe: <{LETTER.unsubscribe_url}>".encode() in lines
    assert f"Message-ID: {LETTER.message_id}".encode() in lines


def test_a_program_without_html_shows_the_text_and_others_the_html() -> None:
    message = parsed()
    assert message.get_content_type() == "multipart/alternative"
    text, rich = message.iter_parts()
    assert (text.get_content_type(), text.get_content().splitlines()) == ("text/plain", LETTER.text.splitlines())
    assert rich.get_content_type() == "text/html"
    assert rich.get_content().strip() == LETTER.html


def test_the_longest_user_id_fits_into_the_lines() -> None:
    links = DigestLinks("https://example.org/unsubscribe/{token}", keys=(b"k" * 32,))
    user_id = "\U0001f600" * 128
    url, name = links.unsubscribe_url(user_id), links.message_name(user_id, LETTER.digest_date)
    assert url is not None
    message = parsed(replace(LETTER, unsubscribe_url=url, message_id=f"<{name}@example.org>"))
    assert message["List-Unsubscribe"] == f"<{url}>" and message["Message-ID"] == f"<{name}@example.org>"


@given(title=hostile, text=hostile, rich=hostile)
def test_what_a_job_says_stays_in_its_place(title: str, text: str, rich: str) -> None:
    message = parsed(replace(LETTER, title=f"Job {title}", text=f"Job {text}", html=f"<p>{rich}"))
    assert Counter(message.keys()) == HEADERS
    assert message["Subject"] == subject(f"Job {title}").encode("utf-8", "replace").decode()
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert not message.defects


@given(title=st.text(max_size=400))
def test_a_subject_is_one_line_that_is_not_too_long(title: str) -> None:
    made = subject(title)
    assert made.isprintable() and len(made) <= MOST_SUBJECT_CHARACTERS and "=?" not in made


def test_the_same_digest_gives_the_same_bytes() -> None:
    assert build_message(LETTER, sender="a@example.org", now=NOW) == build_message(
        LETTER, sender="a@example.org", now=NOW
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("anna@example.org", "anna@example.org"),
        (" Anna.B+jobs@Mail.Example.org ", "Anna.B+jobs@Mail.Example.org"),
        ("anna@пример.рф", "anna@xn--e1afmkfd.xn--p1ai"),
        ("o'neil@example.co", "o'neil@example.co"),
    ],
)
def test_an_address_goes_onto_the_envelope_in_ascii(written: str, expected: str) -> None:
    assert mailbox(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "", "anna", "@example.org", "anna@", "anna@localhost", "a b@example.org", "a@b@example.org", "a..b@example.org",
        "анна@example.org", "anna@[127.0.0.1]", '"a b"@example.org', "Anna <anna@example.org>", "anna@example.org>",
        "anna@example.org\r\nRCPT TO:<x@example.org>", "anna@example.org, b@example.org", f"{'a' * 65}@example.org",
        f"a@{'b' * 64}.org", f"a@{'b.' * 130}org", "a@-b.org", "a@b.org\x00",
    ],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(written: str) -> None:
    with pytest.raises(BadAddressError) as error:
        mailbox(written)
    assert not written or written not in str(error.value)


@given(st.text())
def test_an_address_never_says_more_than_one_recipient(written: str) -> None:
    try:
        found = mailbox(f"{written}@example.org")
    except BadAddressError:
        return
    assert re.fullmatch(r"[!-~]+@example\.org", found) and not set(found) & set('<>,;:"\\()[] ')
