"""Greenhouse: all open jobs of one employer."""

import html

from features.sources.feeds.json_board import Board, Columns, Json, board_pay
from features.sources.timestamps import read_timestamp
from features.sources.values import amount, first, items, language_code, line, mapping, plain, strings, text


def _greenhouse(job: Json) -> Columns:
    """The content is HTML that is escaped once more; pay is in cents."""
    pay = mapping(next(iter(items(job.get("pay_input_ranges"))), None))
    lower, upper = amount(pay.get("min_cents")), amount(pay.get("max_cents"))
    content = text(job.get("content"))
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": html.unescape(content) if content else None,
        "is_complete": content is not None,
        "location_text": line(mapping(job.get("location")).get("name")),
        **board_pay(
            lower and lower / 100,
            upper and upper / 100,
            currency=pay.get("currency_type"),
            stated_period=first(text, pay, "title", "blurb"),
        ),
        "tags": strings(mapping(department).get("name") for department in items(job.get("departments"))),
        "language": language_code(job.get("language")),
        "published_at": first(read_timestamp, job, "first_published", "updated_at"),
        "initial_created_at": read_timestamp(job.get("first_published")),
    }


FORMAT = Board(_greenhouse, urls=("absolute_url",), states_total=True).known_by("absolute_url", "internal_job_id")
