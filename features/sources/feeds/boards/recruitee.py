"""Recruitee: all offers of one employer in one answer."""

from features.sources.feeds.json_board import Board, Columns, Json, board_pay, joined_places
from features.sources.timestamps import read_deadline, read_timestamp
from features.sources.values import first, flag, items, line, mapping, plain, strings, text

_FORMATS = ("remote", "hybrid", "on_site")


def _recruitee(job: Json) -> Columns:
    """Text is in three fields; times are UTC. `location` may be "Remote job", and `locations` has the places."""
    places = list(map(mapping, items(job.get("locations"))))
    pay = mapping(job.get("salary"))
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": "\n".join(
            part for name in ("highlight", "description", "requirements") if (part := text(job.get(name)))
        )
        or None,
        "location_text": joined_places([line(job.get("location")), *map(_place, places)]),
        "city": line(job.get("city")) if len(places) <= 1 else None,
        "country": line(job.get("country_code")) if len(places) <= 1 else None,
        "work_format": _work_format(job),
        "employment_type": _employment_type(text(job.get("employment_type_code"))),
        "career_level": line(job.get("experience_code")),
        **board_pay(pay.get("min"), pay.get("max"), currency=pay.get("currency"), stated_period=pay.get("period")),
        "tags": strings([job.get("department"), *items(job.get("tags"))]),
        "published_at": first(read_timestamp, job, "published_at", "created_at"),
        "initial_created_at": read_timestamp(job.get("created_at")),
        "expires_at": read_deadline(job.get("close_at")),
        "is_archived": True if text(job.get("status")) not in (None, "published") else None,
    }


def _place(place: Json) -> str | None:
    parts = [line(place.get(name)) for name in ("city", "state", "country")]
    return ", ".join(part for part in parts if part) or line(place.get("name"))


def _work_format(job: Json) -> str | None:
    """The format whose flag is set; hybrid besides on_site is hybrid, and remote besides another one too."""
    found = [name for name in _FORMATS if flag(job.get(name))]
    return found[0] if len(found) == 1 else "hybrid" if found else None


def _employment_type(code: str | None) -> str | None:
    """The code in words: "parttime_fixed_term" is a part-time job."""
    written = (code or "").replace("fulltime", "full time").replace("parttime", "part time").replace("_", " ")
    return written.removesuffix(" permanent").removesuffix(" fixed term") or None


FORMAT = Board(_recruitee, jobs_at="offers", urls=("careers_url", "careers_apply_url")).known_by(
    "careers_url", "employment_type_code"
)
