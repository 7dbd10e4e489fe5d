"""Arbeitnow: jobs in Europe, mostly in Germany, in pages that link to the next one."""

from features.sources.feeds.json_board import Board, Columns, Json, page_at_link, page_document
from features.sources.timestamps import read_timestamp
from features.sources.values import flag, items, joined, mapping, plain, strings, text


def _arbeitnow(job: Json) -> Columns:
    """`job_types` mixes kinds of employment and levels. `remote` is false for want of a statement, too."""
    types = strings(items(job.get("job_types")))
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": text(job.get("description")),
        "location_text": plain(job.get("location")),
        "work_format": "remote" if flag(job.get("remote")) else None,
        "employment_type": joined(types),
        "career_level": joined(types),
        "tags": strings(items(job.get("tags"))),
        "published_at": read_timestamp(job.get("created_at")),
    }


def _next_page(url: str, body: bytes) -> list[str]:
    document = mapping(page_document(body))
    return page_at_link(url, mapping(document.get("links")).get("next")) if items(document.get("data")) else []


FORMAT = Board(_arbeitnow, jobs_at="data", id="slug").known_by(
    "job_types", "company_name", next_pages=_next_page, newest_first=True
)
