"""Working Nomads: an array of jobs; the id is in the link only."""

from features.sources.feeds.json_board import Board, Columns, Json
from features.sources.timestamps import read_timestamp
from features.sources.values import line, listed, plain, strings, text


def _workingnomads(job: Json) -> Columns:
    """Tags are one string."""
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": text(job.get("description")),
        "location_text": plain(job.get("location")),
        "work_format": "remote",
        "tags": strings([*(listed(job.get("tags")) or []), line(job.get("category_name"))]),
        "published_at": read_timestamp(job.get("pub_date")),
    }


FORMAT = Board(_workingnomads, jobs_at=None, id=None).known_by("category_name", "pub_date")
