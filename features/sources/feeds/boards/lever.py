"""Lever: all open jobs of one employer, in pages if the address has a limit."""

from features.sources.feeds.json_board import (
    Board,
    Columns,
    Json,
    board_pay,
    joined_places,
    page_document,
    whole_parameter,
    with_parameters,
)
from features.sources.timestamps import read_timestamp
from features.sources.values import first, items, line, mapping, plain, strings, text

_LONGEST_PAY_LINE = 120  # longer texts about pay are prose


def _lever(job: Json) -> Columns:
    """`lists`, `additional` and `salaryDescription` are part of the description."""
    categories, pay = mapping(job.get("categories")), mapping(job.get("salaryRange"))
    sections = [
        f"<h3>{text(part.get('text')) or ''}</h3><ul>{text(part.get('content')) or ''}</ul>"
        for part in map(mapping, items(job.get("lists")))
    ]
    description = first(text, job, "description", "descriptionPlain")
    pay_text = first(plain, job, "salaryDescriptionPlain", "salaryDescription")
    workplace = text(job.get("workplaceType"))
    parts = [
        description,
        *sections,
        text(job.get("additional")),
        first(text, job, "salaryDescription", "salaryDescriptionPlain"),
    ]
    return {
        "title": plain(job.get("text")),
        "description": "\n".join(part for part in parts if part) or None,
        "location_text": joined_places([line(categories.get("location")), *items(categories.get("allLocations"))]),
        "country": text(job.get("country")),
        "work_format": None if workplace and workplace.lower() == "unspecified" else workplace,
        "employment_type": line(categories.get("commitment")),
        **board_pay(pay.get("min"), pay.get("max"), currency=pay.get("currency"), stated_period=pay.get("interval")),
        "salary_text": pay_text if pay_text and len(pay_text) <= _LONGEST_PAY_LINE else None,
        "tags": strings([categories.get("department"), categories.get("team")]),
        "published_at": read_timestamp(job.get("createdAt")),
        "initial_created_at": read_timestamp(job.get("createdAt")),
    }


def _next_page(url: str, body: bytes) -> list[str]:
    """If `url` has a limit, a full page has a next one."""
    limit, skip = whole_parameter(url, "limit"), whole_parameter(url, "skip")
    n_read = len(items(page_document(body)))
    return [with_parameters(url, skip=(skip or 0) + n_read)] if limit and n_read >= limit else []


FORMAT = Board(_lever, jobs_at=None, urls=("hostedUrl", "applyUrl")).known_by(
    "hostedUrl", "categories", next_pages=_next_page
)
