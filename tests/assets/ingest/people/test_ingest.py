"""Profiles, resumes and erasure requests out of landing/."""

import datetime as dt
import errno
import json
import os
from pathlib import Path

import polars as pl
import pytest

from assets.ingest.events.ingest import ingest_events
from assets.ingest.people import resumes as resume_ingest
from assets.ingest.people.ingest import ingest_erasures, ingest_users
from assets.ingest.people.resumes import ResumeVocabulary, ingest_resumes, read_in, resume_worker
from assets.ingest.report import RunReport
from assets.ingest.worker import NOT_STARTED, Worker, WorkerError
from assets.lake import Lake
from features.schemas.bronze import ERASURES, QUARANTINE, RESUMES, USER_RECORDS
from features.sources.resumes.fields import ResumeError
from features.vocabulary.places import Gazetteer

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
RESUME = "Anna Example\nanna@example.org\n\nSkills\nPython, SQL\n\nExperience\nData Analyst at Acme, 2019 - 2023\n"


class NoSkills:
    """A vocabulary that knows Python only."""

    def canonical_names(self, names: pl.Series) -> pl.Series:
        return names.replace_strict({"Python": "Python", "python": "Python"}, default=None, return_dtype=pl.String)

    def find(self, texts: pl.Series) -> pl.Series:
        return pl.Series([["Python"] if "Python" in text else [] for text in texts], dtype=pl.List(pl.String))


def put(landing: Path, name: str, body: str | bytes) -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


PLACES = Gazetteer.load(Path(__file__).parents[4] / "data/vocabulary")


def lines(*rows: object) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def user(user_id: str, at: str = "2026-02-01T00:00:00Z", **fields: object) -> dict[str, object]:
    return {"user_id": user_id, "updated_at": at, "city": "Almaty", **fields}


def counts(report: RunReport, source: str) -> tuple[int, int, int, int, int]:
    report.metadata()
    found = report.of(source)
    return found.n_read, found.n_new, found.n_changed, found.n_unchanged, found.n_quarantined


def resumes(lake: Lake, landing: Path, *, at: dt.datetime = AS_OF, worker: Worker | None = None) -> RunReport:
    words = ResumeVocabulary(NoSkills(), PLACES)
    return ingest_resumes(lake, landing, vocabulary=lambda: words, as_of=at, worker=worker)


def test_each_version_of_a_profile_is_kept_once(lake: Lake, landing: Path) -> None:
    put(landing, "users/a.jsonl", lines(user("u1"), user("u2"), user("u1"), "{bad", user("")))
    assert counts(ingest_users(lake, landing, as_of=AS_OF), "users") == (5, 2, 0, 1, 2)
    assert counts(ingest_users(lake, landing, as_of=AS_OF), "users") == (0, 0, 0, 0, 0)
    put(landing, "users/b.jsonl", lines(user("u1"), user("u1", "2026-02-02T00:00:00Z", city="Astana"), user("u3")))
    assert counts(ingest_users(lake, landing, as_of=AS_OF + HOUR), "users") == (3, 1, 1, 1, 0)
    assert lake.scan("bronze", USER_RECORDS).collect().height == 4
    refused = lake.scan("bronze", QUARANTINE).sort("entry").select("entry", "reason").collect().rows()
    assert refused == [("line 4", "bad_json"), ("line 5", "missing_user_id")]


def test_a_field_that_made_no_sense_is_in_the_quarantine_and_its_user_in_the_lake(lake: Lake, landing: Path) -> None:
    put(
        landing,
        "users/a.jsonl",
        lines(user("u1"), user("u2", timezone="Nowhere", email="a@b.example", remote="perhaps")),
    )
    report = ingest_users(lake, landing, as_of=AS_OF)
    assert counts(report, "users") == (2, 2, 0, 0, 0)
    assert report.left_out == {"bad_timezone": 1, "bad_remote": 1}
    noted = lake.scan("bronze", QUARANTINE).sort("entry").select("entry", "reason", "raw").collect().rows()
    assert noted == [("line 2 remote", "bad_remote", '"perhaps"'), ("line 2 timezone", "bad_timezone", '"Nowhere"')]


def test_lines_are_counted_within_the_file_although_it_is_read_in_blocks(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("features.sources.lines.BLOCK_BYTES", 100)
    put(landing, "users/a.jsonl", lines(*(user(f"u{n}") for n in range(20)), "{bad"))
    ingest_users(lake, landing, as_of=AS_OF)
    assert lake.scan("bronze", QUARANTINE).collect()["entry"].to_list() == ["line 21"]


def test_the_newest_request_of_a_user_counts_and_old_records_stay_out(lake: Lake, landing: Path) -> None:
    requests = [{"user_id": "u1", "requested_at": f"2026-02-1{n}T00:00:00Z"} for n in (5, 7, 6)]
    put(landing, "erasures/a.jsonl", lines(*requests, {"user_id": "u9"}))
    assert counts(ingest_erasures(lake, landing, as_of=AS_OF), "erasures") == (4, 1, 0, 2, 1)
    assert counts(ingest_erasures(lake, landing, as_of=AS_OF), "erasures") == (0, 0, 0, 0, 0)
    stored = lake.scan("bronze", ERASURES).collect().rows()
    assert stored == [("u1", dt.datetime(2026, 2, 17, tzinfo=dt.UTC))]
    put(landing, "users/a.jsonl", lines(user("u1"), user("u1", "2026-02-20T00:00:00Z"), user("u2")))
    assert counts(ingest_users(lake, landing, as_of=AS_OF), "users") == (3, 2, 0, 1, 0)


def test_a_resume_leaves_its_fields_and_nothing_of_its_text(lake: Lake, landing: Path) -> None:
    put(landing, "resumes/u1.txt", RESUME + "My secret hobby is knitting.\n")
    assert counts(resumes(lake, landing), "resumes") == (1, 1, 0, 0, 0)
    assert counts(resumes(lake, landing), "resumes") == (0, 0, 0, 0, 0)
    row = lake.scan("bronze", RESUMES).collect().row(0, named=True)
    assert (row["user_id"], row["parsed_at"], row["full_name"]) == ("u1", AS_OF, "Anna Example")
    assert "Python" in [skill["name"] for skill in row["skills"]]
    stored = b"".join(path.read_bytes() for path in lake.root.rglob("*.parquet"))
    assert b"knitting" not in stored


def test_resumes_that_say_next_to_nothing_are_stored(lake: Lake, landing: Path) -> None:
    for user in ("u1", "u2"):
        put(landing, f"resumes/{user}.json", '{"basics": {"name": "Anna Example"}}')
    assert counts(resumes(lake, landing), "resumes") == (2, 2, 0, 0, 0)


def test_a_resume_that_comes_back_is_the_newest_again(lake: Lake, landing: Path) -> None:
    for hour, name in enumerate(("Anna Example", "Anna Other", "Anna Example")):
        put(landing, "resumes/u1.txt", RESUME.replace("Anna Example", name) + " " * hour * (hour != 2))
        resumes(lake, landing, at=AS_OF + hour * HOUR)
    newest = lake.scan("bronze", RESUMES).sort("parsed_at").collect()
    assert newest["full_name"].to_list() == ["Anna Example", "Anna Other", "Anna Example"]


def test_an_unreadable_resume_is_reported_without_its_content(lake: Lake, landing: Path) -> None:
    put(landing, "resumes/u1.json", "{secret")
    put(landing, "resumes/u2.rtf", "secret")
    put(landing, "resumes/deep/u3.txt", RESUME)
    assert counts(resumes(lake, landing), "resumes") == (3, 0, 0, 0, 3)
    refused = lake.scan("bronze", QUARANTINE).sort("file").select("file", "reason", "raw").collect().rows()
    assert refused == [
        ("resumes/deep/u3.txt", "bad_user_id", ""),
        ("resumes/u1.json", "bad_json", ""),
        ("resumes/u2.rtf", "unsupported_format", ""),
    ]


def test_e_mail_and_phone_are_in_no_quarantine(lake: Lake, landing: Path) -> None:
    secret, phone = "anna@mail.example", "+7 999 123-45-67"
    stated = {"user_id": "", "email": secret, "phone": phone}
    put(landing, "users/a.jsonl", lines(stated, json.dumps(stated)[:-1], secret + " " * 2_000_000))
    put(landing, "erasures/a.jsonl", lines({"user_id": secret}, f"{secret} asks for it"))
    put(landing, "resumes/Anna Smith anna@mail.example.rtf", "x")
    put(landing, "interactions/a.jsonl", lines({"event_id": "e1", "user_id": secret, "traits": {"phone": phone}}))
    ingest_users(lake, landing, as_of=AS_OF)
    ingest_erasures(lake, landing, as_of=AS_OF)
    resumes(lake, landing)
    ingest_events(lake, landing, as_of=AS_OF)
    kept = lake.scan("bronze", QUARANTINE).sort("source", "entry").collect()
    assert kept["source"].to_list() == ["erasures"] * 2 + ["interactions", "resumes"] + ["users"] * 3
    assert not any(part in str(kept.rows()) for part in ("anna@", "999 123"))


def test_a_resume_from_before_an_erasure_does_not_come_back(lake: Lake, landing: Path) -> None:
    path = put(landing, "resumes/u1.txt", RESUME)
    requested_at = dt.datetime.fromtimestamp(path.stat().st_mtime + 60, dt.UTC)
    erased = pl.DataFrame({"user_id": ["u1"], "requested_at": [requested_at]}, schema=dict(ERASURES.columns))
    lake.replace("bronze", ERASURES, erased)
    assert counts(resumes(lake, landing), "resumes") == (1, 0, 0, 1, 0)
    assert lake.scan("bronze", RESUMES).collect().is_empty()


def test_a_resume_has_the_time_of_its_file_if_that_is_no_later_than_the_run(lake: Lake, landing: Path) -> None:
    written = {"u1": AS_OF - 3 * HOUR, "u2": AS_OF + 3 * HOUR}
    for user_id, at in written.items():
        path = put(landing, f"resumes/{user_id}.txt", RESUME)
        os.utime(path, (at.timestamp(),) * 2)
    resumes(lake, landing)
    found = lake.scan("bronze", RESUMES).sort("user_id").select("user_id", "written_at").collect().rows()
    assert found == [("u1", AS_OF - 3 * HOUR), ("u2", AS_OF)]


def test_the_worker_reads_in_another_process_and_survives_bad_files(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_paragraph("Anna Example\nData analyst with ten years of experience in retail and logistics")
    document.save(str(tmp_path / "a.docx"))
    body = (tmp_path / "a.docx").read_bytes()
    with resume_worker(PLACES) as worker:
        with pytest.raises(ResumeError, match="unreadable"):
            read_in(worker, b"%PDF-1.7 not really", ".pdf")
        assert read_in(worker, body, ".docx").fields.full_name == "Anna Example"
        with pytest.raises(ResumeError, match="too_slow"):
            read_in(worker, body, ".docx", deadline_seconds=0.0)


def test_a_resume_is_read_again_where_its_reader_did_not_start(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(landing, "resumes/u1.txt", RESUME)

    def not_now(*_: object, **__: object) -> None:
        raise WorkerError(NOT_STARTED)

    worker = resume_worker(PLACES)
    with monkeypatch.context() as patched:
        patched.setattr(worker, "call", not_now)
        assert counts(resumes(lake, landing, worker=worker), "resumes") == (1, 0, 0, 0, 1)
    assert counts(resumes(lake, landing, at=AS_OF + HOUR), "resumes") == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("change", ["fails", "is replaced"])
def test_a_resume_that_fails_or_changes_while_it_is_read_is_read_by_the_next_run(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = put(landing, "resumes/u1.txt", RESUME)

    def read_bytes(_: Path) -> bytes:
        if change == "fails":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        path.write_text(RESUME.replace("Acme", "Acme and Sons"))
        return RESUME.encode()

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", read_bytes)
        n_refused = counts(resumes(lake, landing), "resumes")[-1]
    assert n_refused == (1 if change == "fails" else 0)
    assert counts(resumes(lake, landing, at=AS_OF + HOUR), "resumes")[0] == 1
    assert counts(resumes(lake, landing, at=AS_OF + 2 * HOUR), "resumes")[0] == 0


def test_slow_resumes_wait_for_the_next_run(lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume_ingest, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(resume_ingest, "MAX_SLOW_SECONDS", 1e-9)
    for user_id in ("u1", "u2"):
        put(landing, f"resumes/{user_id}.txt", RESUME)
    for hour, status in enumerate(["stopped after", "read", "nothing to read"]):
        report = resumes(lake, landing, at=AS_OF + hour * HOUR)
        assert report.of("resumes").status.startswith(status)
        assert lake.scan("bronze", RESUMES).collect().height == min(hour + 1, 2)


def test_nothing_is_loaded_where_no_resume_is_new(lake: Lake, landing: Path) -> None:
    put(landing, "resumes/u1.rtf", RESUME)
    ingest_resumes(lake, landing, vocabulary=lambda: pytest.fail("loaded"), as_of=AS_OF)


def test_a_resume_from_before_an_erasure_is_in_no_quarantine(lake: Lake, landing: Path) -> None:
    path = put(landing, "resumes/u1.rtf", RESUME)
    requested_at = dt.datetime.fromtimestamp(path.stat().st_mtime + 60, dt.UTC)
    erased = pl.DataFrame({"user_id": ["u1"], "requested_at": [requested_at]}, schema=dict(ERASURES.columns))
    lake.replace("bronze", ERASURES, erased)
    assert counts(resumes(lake, landing), "resumes") == (1, 0, 0, 1, 0)
    assert lake.scan("bronze", QUARANTINE).collect().is_empty()


def test_users_who_state_no_time_take_that_of_their_file(lake: Lake, landing: Path) -> None:
    path = put(landing, "users/a.jsonl", lines({"user_id": "u1", "city": "Almaty"}, user("u2"), user("u3", "soon")))
    written_at = AS_OF - HOUR
    os.utime(path, (written_at.timestamp(), written_at.timestamp()))
    ingest_users(lake, landing, as_of=AS_OF)
    stored = lake.scan("bronze", USER_RECORDS).sort("user_id").collect()
    assert stored["updated_at"].to_list() == [written_at, dt.datetime(2026, 2, 1, tzinfo=dt.UTC)]
    assert lake.scan("bronze", QUARANTINE).collect()["reason"].to_list() == ["bad_time"]
