import re
from html.parser import HTMLParser

import html5lib
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.digests.patterns import Pattern, escaped, pattern, plain, texts
from assets.digests.rendering import MAX_HTML_BYTES, render
from features.schemas.insight import DIGESTS
from features.schemas.ranking import REASON_CODES
from serving.contract.tables import LANGUAGES
from tests.assets.digests.digest_world import (
    SKILLS,
    WORDING,
    market_items,
    market_jobs,
    market_readers,
    rendered,
)

HOSTILE = "<script>alert(1)</script> \x00\x0b\ue000title\ue001 &amp; \"'<!--{job-->"
NAMES_AND_JOB_TEXTS = (
    "Senior Python-разработчик (Data Platform)", "Backend Engineer, Payments & Ledger", "Northwind R&D",
    "Junior Data Analyst", "Acme", "HeadHunter", "Remote OK", "Python", "PostgreSQL", "Apache Kafka", "Go",
)  # fmt: skip


class Visible(HTMLParser):
    """The words that a reader sees, alternative texts included."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._is_hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_hidden = tag == "style"
        self.words += [value or "" for name, value in attrs if name in ("title", "alt", "aria-label")]

    def handle_endtag(self, tag: str) -> None:
        self._is_hidden = False

    def handle_data(self, data: str) -> None:
        if not self._is_hidden:
            self.words.append(data)


def parsed(html: str) -> object:
    """The page by a parser that refuses what HTML5 calls an error."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)


def outside_of_names(text: str) -> str:
    for name in sorted(NAMES_AND_JOB_TEXTS, key=len, reverse=True):
        text = text.replace(name, "")
    return re.sub(r"https?://\S+", "", text)


def test_a_digest_says_how_many_jobs_which_is_best_and_how_the_market_moves() -> None:
    russian, english = rendered("ru"), rendered("en")
    assert russian["title"] == "5 новых вакансий: Senior Python-разработчик (Data Platform)"
    assert russian["summary"] == (
        "Появилась 41 новая вакансия, 12 из них хорошо вам подходят. Лучшее совпадение — 92\xa0%. "
        "Спрос на «Python» за четыре недели: +12\xa0%."
    )
    assert english["title"] == "5 new jobs: Senior Python-разработчик (Data Platform)"
    assert english["summary"] == (
        "41 new jobs came up, 12 of them suit you well. Best match: 92%. More jobs for Python: +12% in four weeks."
    )
    assert "Инженер данных" in russian["html"]
    assert "от 4\xa0500\xa0€ в месяц, до вычета налогов" in russian["text"]
    assert russian["skill_recommendations"] == [skill["skill"] for skill in SKILLS]
    assert [job["rank"] for job in russian["top_jobs"]] == [1, 2, 3, 4, 5]
    assert russian["top_jobs"][0]["match_percent"] == 92
    table = render(market_readers({"anna": "ru"}), market_items(["anna"]), market_jobs(), WORDING)
    assert DIGESTS.conform(table).drop("generation_time_seconds").equals(table)


def test_a_russian_digest_holds_no_english_word_outside_of_names_and_job_texts() -> None:
    digest = rendered("ru")
    for text in (*Visible(digest["html"]).words, digest["text"], digest["title"], digest["summary"]):
        assert re.findall("[A-Za-z]+", outside_of_names(text)) == []


def test_an_english_digest_holds_no_russian_word_outside_of_names_and_job_texts() -> None:
    digest = rendered("en", job={"title": "Developer", "company": "Acme"}, n=1)
    for text in (*Visible(digest["html"]).words, digest["text"], digest["title"], digest["summary"]):
        assert re.findall("[А-Яа-я]+", text.replace("Python-разработчик, финтех", "")) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", REASON_CODES)
def test_every_reason_is_said(language: str, code: str) -> None:
    digest = rendered(language, n=1, reasons=[(code, None if code == "new" else "hh:9", 2.0)])
    assert "✓" in digest["text"]
    assert "{" not in digest["text"]


def test_what_waits_for_the_reader_is_said_with_its_day() -> None:
    english, russian = rendered("en"), rendered("ru")
    assert "   2 March, 14:00: Interview: <Acme> & Acme\n" in english["text"]
    assert "   1 March: Write to the employer\n" in english["text"]
    assert "Interview: &lt;Acme&gt; &amp; Acme" in english["html"]
    assert "2 марта, 14:00: Собеседование" in russian["text"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"unsubscribe_url": None},
        {"view_url": None},
        {"trends": []},
        {"skills": []},
        {"duties": []},
        {"unsubscribe_url": None, "view_url": None, "trends": [], "skills": []},
    ],
)
def test_what_is_missing_leaves_no_trace(language: str, changes: dict[str, object]) -> None:
    digest = rendered(language, **changes)
    html, text = digest["html"], digest["text"]
    parsed(html)
    words = texts()[language]
    for name, word in (
        ("unsubscribe_url", "unsubscribe"),
        ("view_url", "view"),
        ("trends", "market"),
        ("skills", "learn"),
        ("duties", "due"),
    ):
        is_there = name not in changes
        assert (words[word] in html) == is_there
        assert (words[word] in text) == is_there
    assert "\n\n\n" not in text
    assert "<!--{" not in html
    assert not re.search("[\ue000\ue001]", html + text)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300), url=st.text(max_size=60))
@example(HOSTILE, "javascript:alert(1)")
@example("", "https://a.example/\"onmouseover='x'")
@example("a" * 300, "https://a.example/?q=<script>&x=\u2028")
def test_job_text_can_not_become_markup(text: str, url: str) -> None:
    hostile = HOSTILE + text
    digest = rendered(
        "en", n=1, job={"title": hostile, "company": hostile, "city": hostile, "board": hostile, "url": url}
    )
    parsed(digest["html"])
    assert "<script" not in digest["html"]
    assert "javascript:" not in digest["html"]
    links = re.findall(r'href="([^"]*)"', digest["html"])
    assert all(link.startswith(("https://", "http://")) for link in links)
    assert "\n" not in digest["title"]
    assert digest["title"].isprintable() or not text.isprintable()


def test_a_job_without_a_link_has_no_button() -> None:
    html = rendered("ru", n=1, job={"url": None})["html"]
    assert texts()["ru"]["open"] not in html
    assert texts()["ru"]["open"] in rendered("ru", n=1)["html"]


def test_the_page_stays_below_what_mail_programs_show_and_lists_what_it_shows() -> None:
    n = 90
    first = market_jobs(title="&" * 300, company="<" * 4000, url="https://a.example/?" + "&" * 1900)
    jobs = pl.concat([first.head(1).with_columns(job_id=pl.lit(f"b:{place}")) for place in range(n)])
    one = market_items(["anna"], 1)
    items = pl.concat([one.with_columns(job_id=pl.lit(f"b:{place}"), place=pl.lit(place + 1)) for place in range(n)])
    digest = render(market_readers({"anna": "ru"}), items, jobs, WORDING).row(0, named=True)
    assert len(digest["html"].encode()) < MAX_HTML_BYTES
    shown = len(digest["top_jobs"])
    assert 2 < shown < n
    assert digest["html"].count(texts()["ru"]["open"]) == digest["text"].count("https://a.example") == shown
    assert digest["title"].startswith(f"{shown} ")


def test_each_reader_gets_their_own_digest_in_their_language() -> None:
    languages = {"anna": "ru", "bob": "en", "carl": "xx", "dina": "ru"}
    items = pl.concat([market_items(["anna", "bob", "carl"]), market_items(["dina"], 2)])
    together = render(market_readers(languages), items, market_jobs(), WORDING)
    assert together["user_id"].to_list() == ["anna", "bob", "carl", "dina"]
    for user_id, language in languages.items():
        alone = render(market_readers({user_id: language}), items, market_jobs(), WORDING)
        assert alone.equals(together.filter(user_id=user_id))
    assert together["html"][1] == together["html"][2], "an unknown language is English"
    assert together["title"][3].startswith("2 новые вакансии")
    assert render(market_readers({"eve": "ru"}), items, market_jobs(), WORDING).is_empty()


@pytest.mark.parametrize(
    ("n", "said"),
    [(1, "1 новая вакансия"), (2, "2 новые вакансии"), (5, "5 новых вакансий"), (21, "21 новая вакансия")],
)
def test_numbers_agree_with_their_words(n: int, said: str) -> None:
    one = market_items(["anna"], 1)
    items = pl.concat([one.with_columns(job_id=pl.lit(f"b:{place}"), place=pl.lit(place + 1)) for place in range(n)])
    jobs = pl.concat([market_jobs().head(1).with_columns(job_id=pl.lit(f"b:{place}")) for place in range(n)])
    assert render(market_readers({"anna": "ru"}), items, jobs, WORDING)["title"][0].startswith(f"{said}: ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_looks_alike_where_styles_in_the_head_are_ignored(language: str) -> None:
    html = rendered(language)["html"]
    head, body = html.split("</head>")
    assert head.index("<meta charset") < head.index("<style"), "a browser looks for the charset in the first bytes"
    assert "prefers-color-scheme: dark" in head
    assert "<style" not in body
    assert "<img" not in body
    for tag in re.findall(r"<(?:td|h1|h2|p|a) [^>]*>", body):
        assert "style=" in tag or "align=" in tag or "width=" in tag, tag
    assert not re.search(r"\b(?:flex|grid|float|position)\b", body), "Outlook keeps tables only"


def test_a_pattern_puts_columns_into_blocks() -> None:
    made = Pattern.of("a \ue000x\ue001<!--{b-->[\ue000y\ue001]<!--}b--> z")
    rows = pl.DataFrame({"x": ["1", None], "y": ["2", "3"]})
    block = pl.when(pl.col("y") == "2").then(made.block("b").filled())
    assert rows.select(filled=made.filled(b=block))["filled"].to_list() == ["a 1[2] z", "a  z"]


@given(st.text())
def test_escaped_text_is_read_back(text: str) -> None:
    row = pl.DataFrame({"text": [text]})
    line = row.select(plain(pl.col("text"), longest=50)).item()
    assert line is None or (len(line) <= 50 and line == line.strip() and "\n" not in line)
    written = row.select(escaped(plain(pl.col("text"), longest=50))).item()
    if written is not None:
        found = parsed(f'<!doctype html><title>t</title><p title="{written}">{written}</p>')
        paragraph = found.find(".//p")  # type: ignore[attr-defined]
        assert paragraph.text == paragraph.get("title") == line


def test_both_languages_have_the_same_words() -> None:
    assert set(texts()["en"]) == set(texts()["ru"])
    for language in LANGUAGES:
        for kind in ("html", "txt"):
            assert pattern(f"digest.{kind}.j2", language).block("job").fields
