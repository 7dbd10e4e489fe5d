"""Renders one user's digest: title, summary, HTML and text in the user's language. Job text is untrusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import yaml

from models.explanations.names import Names
from models.explanations.templates import render_reason

MAX_HTML_BYTES = 90_000  # Gmail cuts off a message a little above this, with the unsubscribe link
_FOLDER = Path(__file__).resolve().parent
_TITLE_CHARACTERS = 150


@dataclass(frozen=True)
class Rendered:
    """A rendered digest; the fields are columns of DIGESTS."""

    title: str
    summary: str
    html: str
    text: str


def render(
    items: Sequence[Mapping[str, Any]],
    *,
    language: str,
    trends: Sequence[Mapping[str, Any]],
    skills: Sequence[str],
    titles: Mapping[str, str],
    names: Names,
    unsubscribe_url: str | None,
) -> Rendered:
    """One digest with as many items as fit into MAX_HTML_BYTES.

    `items` are rows of digest items joined with their jobs, in order; `titles` are those of the jobs that reasons name,
    `names` those of skills and roles.
    """
    words = _words()[language if language in _words() else "en"]
    jobs = [_job(item, words, language, titles, names) for item in items]
    totals = items[0] if items else {"total_new_jobs": 0, "total_matches": 0}
    while True:
        title = _title(words, len(jobs))
        summary = words["summary"].format(
            shown=len(jobs), matches=totals["total_matches"], new=totals["total_new_jobs"]
        )
        values = {
            "language": language,
            "words": words,
            "title": title,
            "summary": summary,
            "jobs": jobs,
            "trends": [
                words["trend"].format(name=names.of("skill", trend["name"], language), n=trend["n_jobs"])
                for trend in trends
            ],
            "skills": [names.of("skill", skill, language) for skill in skills],
            "unsubscribe_url": unsubscribe_url,
        }
        html = _template("digest.html.j2").render(values)
        if len(html.encode()) < MAX_HTML_BYTES or not jobs:
            return Rendered(title, summary, html, _template("digest.txt.j2").render(values))
        jobs = jobs[:-1]


def _title(words: Mapping[str, Any], n: int) -> str:
    if n == 0:
        return str(words["none"])
    return str(words["title_one"] if n == 1 else words["title_many"].format(n=n))


def _job(
    item: Mapping[str, Any], words: Mapping[str, Any], language: str, titles: Mapping[str, str], names: Names
) -> dict[str, object]:
    place = [item["company"], item["city"], words["formats"].get(item["work_format"])]
    url = item["url"] or ""
    return {
        "title": item["title"][:_TITLE_CHARACTERS],
        "url": url if url.startswith(("https://", "http://")) else None,
        "line": " · ".join(part for part in place if part),
        "salary": _salary(item, words),
        "match_percent": round(100 * item["score"]),
        "reasons": [
            render_reason(
                r["code"], titles.get(r["ref"]) or names.reference(r["code"], r["ref"], language), r["value"], language
            )
            for r in item["reasons"] or []
        ],
        "source": item["source"],
    }


def _salary(item: Mapping[str, Any], words: Mapping[str, Any]) -> str | None:
    low, high = item["salary_min"], item["salary_max"]
    if low is None and high is None:
        return None
    amounts = [f"{value:,.0f}".replace(",", "\u202f") for value in (low, high) if value is not None]
    if low is not None and high is not None:
        text = "–".join(amounts if low != high else amounts[:1])
    else:
        text = (
            words["salary_from"].format(low=amounts[0]) if high is None else words["salary_to"].format(high=amounts[0])
        )
    return " ".join(
        part for part in (text, item["salary_currency"], words["periods"].get(item["salary_period"])) if part
    )


@cache
def _words() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((_FOLDER / "texts.yaml").read_text(encoding="utf-8"))
    return loaded


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)
