import datetime as dt
import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from assets import run_ledger
from assets.ingest.landing import LandingManifest, file_digest, hidden, list_landed
from assets.lake import Lake
from assets.training.embedding_models import EmbeddingModel
from assets.training.embedding_switch import Serving, write_serving
from features.schemas.bronze import USER_RECORDS
from features.schemas.catalog import FOLLOW_UPS, JOBS
from features.schemas.ranking import WAITING_USERS
from models.fitting.embeddings import TextModel
from serving.contract.generation import POINTER

AS_OF = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
LATER = AS_OF + dt.timedelta(minutes=15)
GENERATION = "20260301T100000Z-0123abcd"
STALE = pl.DataFrame({"source": ["board"], "days": [3]})


@dataclass
class Runs:
    """A lake, landed files and a pointer, and the runs over them."""

    folder: Path

    @property
    def lake(self) -> Lake:
        return Lake(self.folder / "lake")

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    def land(self, name: str, text: str = "{}") -> None:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def read(self, *, as_of: dt.datetime = AS_OF, retry_at: dt.datetime | None = None) -> None:
        """Records all landed files as read."""
        for kind in ("interactions", "users", "resumes", "erasures", "feeds", "hh", "jobs"):
            manifest = LandingManifest.load(self.lake, kind, as_of=as_of)
            for file in list_landed(self.landing, kind):
                named = hidden(file) if kind == "resumes" else file
                manifest.record(named, file_digest(file.path), n_rows=1, n_rejects=0, retry_at=retry_at)
            manifest.save(self.lake)

    def point_to(self, generation: str) -> None:
        (self.folder / "published").mkdir(exist_ok=True)
        (self.folder / "published" / POINTER).write_text(generation)

    def begin(self, run_id: str, job: str, made_by: str = "code") -> None:
        run_ledger.open_entry(self.lake, run_id=run_id, job=job, made_by=made_by)

    def end(self, run_id: str, job: str, *, as_of: dt.datetime = AS_OF, fetches: bool = False) -> None:
        run_ledger.close_entry(
            self.lake,
            run_id=run_id,
            job=job,
            as_of=as_of,
            generation=GENERATION,
            patience=run_ledger.Patience(STALE, 60, {"applied": 14}),
            fetches=fetches,
        )

    def last(self, job: str, as_of: dt.datetime = LATER, made_by: str = "code") -> dt.datetime | None:
        return run_ledger.nothing_new_since(
            self.lake, self.landing, self.folder / "published", job=job, as_of=as_of, made_by=made_by
        )


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    made = Runs(tmp_path)
    made.land("interactions/a.jsonl")
    made.land("resumes/ann.pdf")
    made.land("jobs/x.jsonl")
    made.read()
    made.point_to(GENERATION)
    return made


def done(runs: Runs, job: str = "daily") -> Runs:
    runs.begin("1", job)
    runs.end("1", job)
    return runs


def test_before_any_run_everything_is_new(runs: Runs) -> None:
    assert runs.last("hourly") is None and runs.last("frequent") is None


@pytest.mark.parametrize(
    ("job", "idle"), [("daily", {"hourly", "frequent"}), ("hourly", {"hourly", "frequent"}), ("frequent", {"frequent"})]
)
def test_a_run_also_did_the_work_of_the_jobs_that_it_covers(runs: Runs, job: str, idle: set[str]) -> None:
    done(runs, job)
    assert {name for name in ("daily", "hourly", "frequent") if runs.last(name) == AS_OF} == idle


@pytest.mark.parametrize(
    ("change", "still_idle"),
    [
        (lambda runs: runs.land("interactions/b.jsonl"), set()),
        (lambda runs: runs.land("interactions/a.jsonl", "{'now': 'longer'}"), set()),
        (lambda runs: runs.land("resumes/bob.pdf"), set()),
        (lambda runs: runs.land("erasures/e.jsonl"), set()),
        (lambda runs: runs.land("feeds/board/x.xml"), {"frequent"}),
        (lambda runs: runs.land("hh/v.json"), {"frequent"}),
        (lambda runs: runs.land("jobs/y.jsonl"), {"frequent"}),
        (lambda runs: runs.land("interactions/c.jsonl.part"), {"hourly", "frequent"}),
        (lambda runs: runs.point_to("20260301T090000Z-0123abcd"), set()),
        (lambda runs: runs.read(retry_at=LATER), set()),
        (lambda runs: runs.read(retry_at=LATER + dt.timedelta(seconds=1)), {"hourly", "frequent"}),
        (lambda runs: runs.begin("2", "frequent"), set()),
    ],
)
def test_what_is_new_to_whom(runs: Runs, change: Callable[[Runs], None], still_idle: set[str]) -> None:
    change(done(runs))
    assert {name for name in ("hourly", "frequent") if runs.last(name) is not None} == still_idle


def test_other_settings_and_an_earlier_instant_are_new(runs: Runs) -> None:
    done(runs)
    assert runs.last("frequent", made_by="other code") is None
    assert runs.last("frequent", AS_OF) == AS_OF
    assert runs.last("frequent", AS_OF - dt.timedelta(minutes=1)) is None


def test_an_hourly_run_follows_while_users_wait_for_new_jobs(runs: Runs) -> None:
    done(runs)
    waiting = pl.DataFrame([("u", AS_OF, 3)], schema=dict(WAITING_USERS.columns), orient="row")
    runs.lake.replace("ranking", WAITING_USERS, waiting)
    assert runs.last("hourly") is None and runs.last("frequent") == AS_OF
    runs.lake.replace("ranking", WAITING_USERS, waiting.clear())
    assert runs.last("hourly") == AS_OF


def test_an_hourly_run_follows_while_texts_wait_for_another_embedding_model(runs: Runs) -> None:
    done(runs)
    model = EmbeddingModel("usem3", "", None, None, None, TextModel("old"))
    write_serving(runs.lake, Serving(model, following="new"))
    assert runs.last("hourly") is None and runs.last("frequent") == AS_OF
    write_serving(runs.lake, Serving(model))
    assert runs.last("hourly") == AS_OF


def job(**values: object) -> pl.DataFrame:
    row = {"job_id": "board:1", "source": "board", "status": "open", "last_seen_at": AS_OF, **values}
    return JOBS.conform(pl.DataFrame([row]))


@pytest.mark.parametrize(
    ("row", "due", "jobs"),
    [
        ({"expires_at": LATER}, LATER, {"hourly", "frequent"}),
        ({"expires_at": LATER, "status": "closed"}, None, set()),
        ({"expires_at": AS_OF}, None, set()),
        ({"last_seen_at": AS_OF - dt.timedelta(days=3) + dt.timedelta(minutes=9)}, LATER, {"hourly"}),
        ({"last_seen_at": AS_OF - dt.timedelta(days=9), "source": "file"}, None, set()),
    ],
)
def test_what_takes_effect_later_is_due_then(
    runs: Runs, row: dict[str, object], due: dt.datetime | None, jobs: set[str]
) -> None:
    runs.lake.replace("catalog", JOBS, job(**row))
    done(runs)
    assert {name for name in ("hourly", "frequent") if runs.last(name) is None} == (jobs if due else set())
    assert runs.last("frequent", AS_OF + dt.timedelta(minutes=1)) == AS_OF


def test_a_record_of_a_profile_from_the_future_is_due_when_its_time_comes(runs: Runs) -> None:
    rows = pl.DataFrame({"user_id": ["ann"], "updated_at": [AS_OF + dt.timedelta(hours=5)]})
    runs.lake.append("bronze", USER_RECORDS, USER_RECORDS.conform(rows))
    done(runs)
    assert runs.last("frequent") == AS_OF
    assert runs.last("frequent", AS_OF + dt.timedelta(hours=5)) is None


def test_a_step_that_falls_due_is_new_when_its_time_comes(runs: Runs) -> None:
    row = {"user_id": "ann", "application_id": "a", "status": "due", "due_at": LATER}
    runs.lake.replace("catalog", FOLLOW_UPS, FOLLOW_UPS.conform(pl.DataFrame([row])))
    done(runs)
    assert runs.last("hourly", LATER - dt.timedelta(microseconds=1)) == AS_OF
    assert runs.last("hourly", LATER) is None
    assert runs.last("frequent", LATER) == AS_OF  # it computes what is due if something else is new


def test_a_job_that_asks_sources_always_runs(runs: Runs) -> None:
    runs.begin("1", "daily")
    runs.end("1", "daily", fetches=True)
    assert runs.last("hourly") is None
    assert runs.last("frequent") == AS_OF


def test_what_a_failed_run_read_is_new_until_a_run_that_covers_it_is_done(runs: Runs) -> None:
    done(runs)
    runs.begin("failed", "hourly")
    runs.begin("2", "frequent")
    runs.end("2", "frequent")
    assert runs.last("frequent") is None
    runs.begin("3", "hourly")
    runs.end("3", "hourly")
    assert runs.last("frequent") == AS_OF == runs.last("hourly")


def test_what_a_failed_run_read_stays_new_if_the_next_one_can_not_begin(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.read()
    runs.point_to(GENERATION)
    runs.begin("failed", "hourly")

    def full(path: Path, _body: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(run_ledger, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            runs.begin("next", "hourly")
    assert len(list(run_ledger._open_entries(runs.lake))) == 1


@pytest.mark.parametrize("first_to_end", ["frequent", "daily"])
def test_overlapping_runs_are_followed_by_another(runs: Runs, first_to_end: str) -> None:
    """Either may publish without what the other one read."""
    runs.begin("long", "daily")
    runs.begin("short", "frequent")
    order = [("short", "frequent"), ("long", "daily")]
    for run_id, name in order if first_to_end == "frequent" else order[::-1]:
        runs.end(run_id, name)
    assert runs.last("frequent") is None
    runs.begin("next", "daily")
    runs.end("next", "daily")
    assert runs.last("frequent") == AS_OF


def test_a_run_of_some_assets_only_leaves_work_for_the_daily_run(runs: Runs) -> None:
    done(runs)
    runs.begin("2", "")
    runs.begin("3", "frequent")
    runs.end("3", "frequent")
    assert runs.last("frequent") is None
    runs.begin("4", "daily")
    runs.end("4", "daily")
    assert runs.last("frequent") == AS_OF


def test_settings_are_told_apart_by_every_file(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.mkdir()
    (words / "skills.csv").write_text("a")
    first = run_ledger.made_by(None, words, "1")
    assert first == run_ledger.made_by(None, words, "1") != run_ledger.made_by(None, words, "2")
    (words / "skills.csv").write_text("b")
    assert first != run_ledger.made_by(None, words, "1")
    config = tmp_path / "config"
    config.mkdir()
    second = run_ledger.made_by(None, words, "1")
    assert run_ledger.made_by(config, words, "1") == second
    (config / "pipeline.yaml").write_text("seed: 3")
    assert run_ledger.made_by(config, words, "1") != second
