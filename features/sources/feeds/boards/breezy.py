"""Breezy HR: all positions of one employer in one answer, often without descriptions."""

from features.sources.feeds.json_board import Board, Columns, Json, joined_places, named
from features.sources.timestamps import read_timestamp
from features.sources.values import flag, items, joined, line, mapping, plain, strings, text


def _breezy(job: Json) -> Columns:
    """Pay is one line of text. `?verbose=true` in the address asks for descriptions."""
    first = mapping(job.get("location"))
    places = [first, *map(mapping, items(job.get("locations")))]
    is_remote = any(flag(place.get("is_remote")) for place in places)
    return {
        "title": plain(job.get("name")),
        "company": named(job.get("company")),
        "description": text(job.get("description")),
        "is_complete": text(job.get("description")) is not None,
        "location_text": joined_places(map(_place, places)),
        "work_format": line(mapping(first.get("remote_details")).get("label")) or ("remote" if is_remote else None),
        "employment_type": named(job.get("type")),
        "career_level": named(job.get("experience")),
        "salary_text": plain(job.get("salary")),
        "tags": strings([job.get("department"), named(job.get("category"))]),
        "published_at": read_timestamp(job.get("published_date")),
    }


def _place(place: Json) -> str | None:
    written = joined(named(place.get(name)) for name in ("city", "state", "country"))
    return written or line(place.get("name"))


FORMAT = Board(_breezy, jobs_at=None).known_by("friendly_id", "published_date")
