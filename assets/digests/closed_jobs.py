"""Leaves out of a built digest the jobs that closed before its hour, so that the rest stays whole."""

import re
from collections.abc import Mapping, Set
from functools import cache
from typing import Any, NamedTuple

import polars as pl

from assets.digests.patterns import escaped, pattern, texts
from assets.digests.rendering import title_and_summary
from serving.contract.tables import LANGUAGES

NEEDED = ("title", "summary", "text", "html", "top_jobs", "total_new_jobs", "total_matches")
_TEXT_CARD = re.compile(r"(?<=\n)\n\d+\. .*\n(?: {3}.*\n)*")


class Content(NamedTuple):
    """What the e-mail of a digest says."""

    title: str
    text: str
    html: str


class _Cards(NamedTuple):
    """A page in pieces: what comes before its jobs, each job, and what comes after them."""

    head: str
    cards: list[str]
    tail: str


def listed_jobs(digest: Mapping[str, Any]) -> list[str]:
    """The ids of the jobs of a digest (a row of DIGESTS), in their order."""
    return [job["job_id"] for job in digest["top_jobs"] or ()]


def with_open_jobs(digest: Mapping[str, Any], open_jobs: Set[str]) -> Content | None:
    """What a digest (a row of DIGESTS, with NEEDED) says without the jobs that are not open; None if no job is left.

    It is what `render` makes of the jobs that are left. A digest that other templates made can't be taken apart. It
    stays as it is, because its open jobs come in no later one.
    """
    whole, listed = Content(digest["title"], digest["text"], digest["html"]), listed_jobs(digest)
    left = [place for place, job_id in enumerate(listed) if job_id in open_jobs]
    if len(left) == len(listed):
        return whole
    if not left:
        return None
    text, html = _pieces(_TEXT_CARD, whole.text), _pieces(_html_card(), whole.html)
    if not len(text.cards) == len(html.cards) == len(listed):
        return whole
    said = _said(digest, text.cards, left)
    if said is None:
        return whole
    text_head, html_head = text.head, html.head
    for before, after in zip(*said, strict=True):
        text_head = text_head.replace(before, after)
        html_head = html_head.replace(_quoted(before), _quoted(after))
    numbered = (re.sub(r"\d+", str(n), text.cards[place], count=1) for n, place in enumerate(left, 1))
    return Content(
        title=said[1][0],
        text="".join((text_head, *numbered, text.tail)),
        html="".join((html_head, *(html.cards[place] for place in left), html.tail)),
    )


def _pieces(card: re.Pattern[str], page: str) -> _Cards:
    found = list(card.finditer(page))
    if not found:
        return _Cards(page, [], "")
    return _Cards(page[: found[0].start()], [one[0] for one in found], page[found[-1].end() :])


@cache
def _html_card() -> re.Pattern[str]:
    """A job in HTML. How it begins and ends is the same in all languages, and no escaped text can say it."""
    job = pattern("digest.html.j2", LANGUAGES[0]).block("job")
    return re.compile(f"{re.escape(job.texts[0])}.*?{re.escape(job.texts[-1])}", re.DOTALL)


def _said(digest: Mapping[str, Any], text_cards: list[str], left: list[int]) -> tuple[list[str], list[str]] | None:
    """Title, summary and heading of the digest, and what they are with the jobs at the places `left`.

    None if they are not what the texts of today make of the digest.
    """
    n_closed = len(text_cards) - len(left)
    for language in LANGUAGES:
        before = _words_of(digest, text_cards, list(range(len(text_cards))), 0, language)
        if before["title"] == digest["title"] and digest["summary"].startswith(before["summary"]):
            after = _words_of(digest, text_cards, left, n_closed, language)
            news = digest["summary"].removeprefix(before["summary"])
            after["summary"] += news
            before["summary"] += news
            return list(before.values()), list(after.values())
    return None


def _words_of(
    digest: Mapping[str, Any], text_cards: list[str], left: list[int], n_closed: int, language: str
) -> dict[str, str]:
    """Title, heading and summary, without the news of the market, of a digest with these places left."""
    percent = texts()[language]["percent"].format(n=digest["top_jobs"][left[0]]["match_percent"])
    title = text_cards[left[0]].split("\n")[1].partition(". ")[2].removesuffix(f" — {percent}")
    counts = {name: max(len(left), digest[name] - n_closed) for name in ("total_new_jobs", "total_matches")}
    row = pl.DataFrame({"n": [len(left)], "best": [title], "percent": [percent], **{k: [v] for k, v in counts.items()}})
    said = row.with_columns(news=pl.lit(None, pl.String)).select(title_and_summary(language))
    return said.row(0, named=True)


def _quoted(text: str) -> str:
    return str(pl.select(escaped(pl.lit(text))).item())
