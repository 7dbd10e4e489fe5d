"""Himalayas: pages by cursor, newest first."""

from features.sources.feeds.json_board import Board, Columns, Json, board_pay, page_after, page_document, plain_strings
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import first, items, joined, mapping, plain, strings, text


def _himalayas(job: Json) -> Columns:
    """Without a location restriction the job is open worldwide; times are epoch seconds."""
    restrictions = items(job.get("locationRestrictions"))
    places = strings(mapping(place).get("name") if isinstance(place, dict) else place for place in restrictions)
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("companyName")),
        "description": first(text, job, "description", "excerpt"),
        "location_text": joined(places) or "Anywhere in the World",
        "country": places[0] if places and len(places) == 1 else None,
        "work_format": "remote",
        "employment_type": text(job.get("employmentType")),
        "career_level": joined(plain_strings(job.get("seniority"))),
        **board_pay(
            job.get("minSalary"),
            job.get("maxSalary"),
            currency=job.get("currency"),
            stated_period=text(job.get("salaryPeriod")) or "year",
        ),
        "tags": strings(items(job.get("categories"))),
        "published_at": read_timestamp(job.get("pubDate")),
        "expires_at": read_deadline(job.get("expiryDate")),
    }


def _next_page(url: str, body: bytes) -> list[str]:
    found = mapping(page_document(body))
    return page_after(url, cursor=found.get("nextCursor")) if items(found.get("jobs")) else []


FORMAT = Board(_himalayas, id="guid", urls=("applicationLink", "guid")).known_by(
    "companySlug", "locationRestrictions", "applicationLink", next_pages=_next_page, newest_first=True
)
