"""Remotive: one answer with all jobs."""

from features.sources.feeds.json_board import Board, Columns, Json
from features.sources.timestamps import read_timestamp
from features.sources.values import items, line, plain, strings, text


def _remotive(job: Json) -> Columns:
    """Pay is free text; times are UTC without a zone."""
    return {
        "title": plain(job.get("title")),
        "company": plain(job.get("company_name")),
        "description": text(job.get("description")),
        "location_text": plain(job.get("candidate_required_location")),
        "work_format": "remote",
        "employment_type": text(job.get("job_type")),
        "salary_text": plain(job.get("salary")),
        "tags": strings([*items(job.get("tags")), line(job.get("category"))]),
        "published_at": read_timestamp(job.get("publication_date")),
    }


FORMAT = Board(_remotive).known_by("candidate_required_location", "publication_date")
