"""Remote OK: an array of jobs after a legal notice."""

from features.sources.charset import repaired
from features.sources.feeds.json_board import Board, Columns, Json, board_pay
from features.sources.timestamps import read_timestamp
from features.sources.values import first, items, line, plain, strings, text


def _remoteok(job: Json) -> Columns:
    """Text is partly encoded twice."""
    location = repaired(line(job.get("location")))
    return {
        "title": repaired(plain(job.get("position"))),
        "company": repaired(plain(job.get("company"))),
        "description": repaired(text(job.get("description"))),
        "location_text": location.strip(", ") or None if location else None,
        "work_format": "remote",
        **board_pay(job.get("salary_min"), job.get("salary_max"), currency="USD", stated_period="year"),
        "tags": strings(items(job.get("tags"))),
        "published_at": first(read_timestamp, job, "epoch", "date"),
    }


FORMAT = Board(
    _remoteok,
    jobs_at=None,
    base_url="https://remoteok.com",
    is_job=lambda job: not ("legal" in job and "id" not in job),  # the first element is a legal notice
).known_by("legal", "position")
