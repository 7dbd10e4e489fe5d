"""A small market as landing files: users of two topics, jobs, and events before and after a cut."""

import datetime as dt
import json
from pathlib import Path

NOW = dt.datetime(2026, 3, 20, 12, tzinfo=dt.UTC)
END = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)
TOPICS = ("python", "design")
N_USERS, N_JOBS = 24, 20


def event(user: int, job: int, at: dt.datetime, kind: str = "save") -> dict[str, str]:
    return {
        "event_id": f"{user}-{job}-{kind}",
        "user_id": f"u{user}",
        "job_id": f"file:{job}",
        "event_type": kind,
        "occurred_at": at.isoformat(),
    }


def past_events() -> list[dict[str, str]]:
    """Users take to jobs of the topic of their parity, long before the cut."""
    return [
        event(user, job, END - dt.timedelta(days=20 + (user + job) % 5, hours=1))
        for user in range(N_USERS - 4)
        for job in range(user % 2, N_JOBS, 2)
        if (user * 7 + job) % 5 < 3
    ]


def future_events(kind: str = "apply") -> list[dict[str, str]]:
    return [event(user, user % N_JOBS, END - dt.timedelta(days=2, hours=1), kind) for user in range(N_USERS)]


def write_landing(folder: Path, events: list[dict[str, str]], *, dated: bool = True) -> Path:
    jobs = [
        {
            "source_id": str(number),
            "title": f"{TOPICS[number % 2]} specialist {number}",
            "tags": [TOPICS[number % 2]],
            **({"published_at": "2026-02-01"} if dated else {}),
        }
        for number in range(N_JOBS)
    ]
    users = [
        {"user_id": f"u{user}", "preferred_tags": [TOPICS[user % 2]], "updated_at": "2026-03-15"} for user in (0, 23)
    ]
    for name, rows in (("jobs", jobs), ("interactions", events), ("users", users)):
        (folder / name).mkdir(parents=True)
        (folder / name / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder
