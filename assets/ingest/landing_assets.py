"""The folders of `landing/` as external assets: where the data come from, at the head of the lineage.

Nothing here is computed. What lies in a folder is observed when a run reads it.
"""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from assets.ingest.landing import list_landed

GROUP = "landing"
# The folder, what lies there, and the bronze table that is read from it.
_FOLDERS: tuple[tuple[str, str, str], ...] = (
    ("feeds", "Saved answers of feeds, a folder for each; read as if fetched", "feed_postings"),
    ("hh", "Saved search pages and vacancies of HeadHunter", "hh_postings"),
    ("jobs", "Jobs in JSON lines, CSV or Parquet, or as schema.org JobPosting", "file_postings"),
    ("interactions", "Events of users: JSON lines, CSV, Parquet or Segment track calls", "events"),
    ("users", "Profiles as apps state them, in JSON lines", "user_records"),
    ("resumes", "Resumes: text, Markdown, PDF, Word or JSON Resume", "resumes"),
    ("erasures", "Requests of users to be erased, in JSON lines", "erasures"),
    ("applications", "What became of applications", "application_log"),
    ("unsubscribes", "Requests to end or resume digests", "unsubscribes"),
    ("bounces", "What came back of e-mails", "bounces"),
    ("companies", "Facts of companies", "company_facts"),
    ("company_news", "Saved feeds of news about companies, a folder for each", "company_news"),
)
_PERSONAL = ("interactions", "users", "resumes", "erasures", "applications", "unsubscribes", "bounces")
_FOLDER_OF: Mapping[str, str] = {table: folder for folder, _, table in _FOLDERS}

LANDING_ASSETS = [
    dg.AssetSpec(
        key=[GROUP, folder],
        description=f"{text}. Files are put into `landing/{folder}/` from outside and only read here.",
        group_name=GROUP,
        kinds={"file"},
        owners=["team:jobfeed"],
        tags={"jobfeed/layer": GROUP, "jobfeed/personal": "yes" if folder in _PERSONAL else "no"},
    )
    for folder, text, _ in _FOLDERS
]


def landed_by(table: str) -> str:
    """The key of the folder that the bronze table is read from, as "landing/name"."""
    return f"{GROUP}/{_FOLDER_OF[table]}"


def observe(landing: Path, table: str) -> dg.AssetObservation:
    """How many files lie in the folder of the bronze table, how large they are, and when the newest was written."""
    folder = _FOLDER_OF[table]
    files = list_landed(landing, folder)
    metadata: dict[str, dg.MetadataValue] = {
        "n_files": dg.MetadataValue.int(len(files)),
        "bytes": dg.MetadataValue.int(sum(file.size_bytes for file in files)),
    }
    if files:
        newest = max(file.mtime_ns for file in files) / 1e9
        metadata["newest_file_at"] = dg.MetadataValue.text(dt.datetime.fromtimestamp(newest, dt.UTC).isoformat())
    return dg.AssetObservation(dg.AssetKey([GROUP, folder]), metadata=metadata)
