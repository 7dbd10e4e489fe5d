"""What spam checkers look at, in messages of rendered digests; SpamAssassin itself where it is installed."""

import datetime as dt
import re
import shutil
import subprocess
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from urllib.parse import urlsplit

import pytest
from lxml import html

from assets.digests.message import Letter, build_message
from tests.assets.digests.digest_world import rendered

LINK = f"https://jobs.example.org/unsubscribe/{'Ab9_' * 18}"
# All that it may find: that there is HTML, that no server took the mail yet, and that Russian text holds English names.
NOT_OURS = {"NO_RECEIVED", "NO_RELAYS", "HTML_MESSAGE", "MIXED_ES"}
LARGEST_BYTES = 150_000
languages = pytest.mark.parametrize("language", ["en", "ru"])


@cache
def body(language: str) -> bytes:
    digest = rendered(language, unsubscribe_url=LINK, view_url="https://jobs.example.org/digests/2026-03-01")
    letter = Letter(
        to="anna@example.net",
        message_id=f"<{'Ab9_' * 20}@example.org>",
        title=digest["title"],
        text=digest["text"],
        html=digest["html"],
        language=language,
        digest_date=dt.date(2026, 3, 1),
        unsubscribe_url=LINK,
    )
    return build_message(letter, sender="Jobs <digest@example.org>", now=dt.datetime.now(dt.UTC))


def parts(language: str) -> tuple[EmailMessage, str, html.HtmlElement]:
    message = message_from_bytes(body(language), policy=policy.default)
    assert isinstance(message, EmailMessage)
    text, rich = (part.get_content() for part in message.iter_parts())
    return message, text, html.document_fromstring(rich)


def words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}", text.lower()))


@languages
def test_headers_are_those_of_honest_mail(language: str) -> None:
    message, _, _ = parts(language)
    for name in ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "List-Unsubscribe", "List-Id"):
        assert message.get_all(name, []) and message[name].strip(), name
    subject = message["Subject"]
    assert 10 <= len(subject) <= 200
    assert subject != subject.upper() and "!" not in subject and not re.search(r"^(re|fwd?):", subject, re.IGNORECASE)
    assert message["From"].addresses[0].domain == message["Message-ID"].strip("<>").partition("@")[2]


@languages
def test_text_and_html_say_the_same(language: str) -> None:
    _, text, page = parts(language)
    for hidden in page.xpath("//style | //head"):
        hidden.drop_tree()
    shown = words(page.text_content())
    said = words(re.sub(r"https?://\S+", "", text))
    assert len(said & shown) >= 0.9 * len(said)
    assert len(said & shown) >= 0.8 * len(shown)
    # More than a twentieth of the HTML is text that a reader sees, and nothing of it is a picture.
    assert len(page.text_content()) > 0.05 * len(html.tostring(page))
    assert not page.xpath("//img | //script | //form | //iframe | //object | //embed | //link")


@languages
def test_links_lead_where_they_say(language: str) -> None:
    _, text, page = parts(language)
    links = [*page.xpath("//a/@href"), *re.findall(r"https?://\S+", text)]
    assert LINK in page.xpath("//a/@href") and LINK in text
    for link in links:
        found = urlsplit(link)
        assert found.scheme in ("http", "https") and found.port is None and found.username is None
        assert not re.fullmatch(r"[\d.]+|\[.*", found.hostname or ""), "an address of numbers"
    for anchor in page.xpath("//a"):
        assert not re.search(r"https?://|\w\.(?:com|org|net|ru)\b", anchor.text_content()), (
            "a link as the text of another"
        )


@languages
def test_nothing_is_hidden_by_colour_or_size_and_the_message_is_small(language: str) -> None:
    _, _, page = parts(language)
    for element in page.xpath("//*[@style]"):
        if not (element.text or "").strip():
            continue
        style = element.get("style").replace(" ", "")
        assert "color:transparent" not in style and not re.search(r"font-size:[01]px", style), element.text
    assert len(body(language)) < LARGEST_BYTES


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("spamassassin") is None, reason="SpamAssassin is not installed")
@languages
def test_spamassassin_finds_nothing(language: str) -> None:
    checked = subprocess.run(
        ["spamassassin", "--local", "--test-mode"], input=body(language), capture_output=True, check=True, timeout=120
    ).stdout.decode("utf-8", "replace")
    report = checked[checked.rindex("Content analysis details") :]
    found = set(re.findall(r"^ *-?\d+\.\d ([A-Z][A-Z0-9_]+)", report, flags=re.MULTILINE))
    assert found and found <= NOT_OURS, report
