"""`jobfeed landing check`, and docs/inputs.md: every sample in it is read whole, every field of it exists."""

import datetime as dt
import os
import re
from pathlib import Path, PurePosixPath

import pytest
from typer.testing import CliRunner

from assets.config.files import SHIPPED_VOCABULARY
from assets.config.loading import load_config
from assets.ingest.trial import TABLE_OF, NoFileError, Trial, UnknownKindError, place_of, try_file
from features.schemas.bronze import EVENTS
from features.sources.events.validation import INPUT_COLUMNS
from pipelines.cli.main import app

AS_OF = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
PAGE = (Path(__file__).resolve().parents[3] / "docs/inputs.md").read_text(encoding="utf-8")
SAMPLES = re.findall(r"^```\w+ (\S+/\S+)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
SECTIONS = dict(re.findall(r"^## landing/(\w+)/.*?\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
# What the page describes under a name that is no column, because it is read into others.
NO_COLUMNS = {"digest", "to", "company", "facts", "github", "organisation", "repositories"}
ROWS = {"companies/juniper.json": 3, "companies/acme-github.json": 4}  # of files with several rows in one entry


def tried(path: Path, place: str) -> Trial:
    return try_file(path, PurePosixPath(place), load_config(None), SHIPPED_VOCABULARY, as_of=AS_OF)


@pytest.mark.parametrize(("place", "body"), SAMPLES, ids=[place for place, _ in SAMPLES])
def test_every_sample_of_the_page_is_read_whole(tmp_path: Path, place: str, body: str) -> None:
    path = tmp_path / PurePosixPath(place).name
    path.write_text(body, encoding="utf-8")
    trial = tried(path, place)
    assert trial.refused.select("entry", "reason", "detail").rows() == []
    entries = body.strip().count("\n") + (0 if path.suffix == ".csv" else 1)
    assert trial.n_rows == ROWS.get(place, entries if path.suffix in (".csv", ".jsonl") else 1)


def test_the_page_has_a_section_and_a_sample_for_each_folder() -> None:
    assert set(SECTIONS) >= set(TABLE_OF) - {"hh"}
    assert {place.split("/")[0] for place, _ in SAMPLES} == set(TABLE_OF) - {"hh"}


@pytest.mark.parametrize("kind", [kind for kind in TABLE_OF if kind not in ("hh", "feeds", "resumes", "company_news")])
def test_every_field_of_the_page_is_a_column(kind: str) -> None:
    rows = re.findall(r"^\| (.*?) \| ", SECTIONS[kind], flags=re.MULTILINE)
    fields = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    columns = set(INPUT_COLUMNS) if TABLE_OF[kind] is EVENTS else set(TABLE_OF[kind].columns)
    assert fields
    assert fields - columns - NO_COLUMNS == set()


def test_what_a_run_would_refuse_is_told_with_the_reason_and_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    path = tmp_path / "landing/interactions/e.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(
        '{"event_id":"1","user_id":"u","event_type":"viev","occurred_at":"2026-01-01T00:00:00Z","job_id":"j"}\n'
        '{"event_id":"2","user_id":"u","event_type":"view","occurred_at":"2026-01-01T00:00:00Z","job_id":"j"}\n'
        "\x1b[2J{\n"
    )
    shown = CliRunner().invoke(app, ["landing", "check", str(path)])
    assert shown.exit_code == 1
    for part in ("1 rows for bronze/events", "unknown_event_type", "line 3", "bad_json", "2 entries or fields"):
        assert part in shown.output
    assert "\x1b" not in shown.output
    assert not (tmp_path / "data").exists()
    path.write_text('{"event_id":"2","user_id":"u","event_type":"view","occurred_at":1767225600,"job_id":"j"}\n')
    assert CliRunner().invoke(app, ["landing", "check", str(path)]).exit_code == 0


@pytest.mark.parametrize(
    ("path", "stated", "place"),
    [
        ("/data/landing/users/a.jsonl", None, "users/a.jsonl"),
        ("/landing/old/landing/feeds/x/a.xml", None, "feeds/x/a.xml"),
        ("a.csv", "interactions", "interactions/a.csv"),
        ("/data/landing/users/a.jsonl", "jobs", "jobs/a.jsonl"),
        ("a.xml", "feeds/x", "feeds/x/a.xml"),
    ],
)
def test_the_folder_decides_what_a_file_is(path: str, stated: str | None, place: str) -> None:
    assert place_of(Path(path), stated).as_posix() == place


@pytest.mark.parametrize(
    ("path", "stated"), [("a.csv", None), ("a.csv", "events"), ("/landing/a.csv", None), ("a.xml", "feeds/../../x")]
)
def test_a_file_of_no_folder_is_refused_with_the_folders(path: str, stated: str | None) -> None:
    with pytest.raises(UnknownKindError, match="interactions, jobs, resumes, users"):
        place_of(Path(path), stated)


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_what_might_never_end_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jsonl"
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(NoFileError, match="is no regular file"):
        tried(path, "jobs/a.jsonl")
