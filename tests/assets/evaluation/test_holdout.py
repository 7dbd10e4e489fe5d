"""What is held out reaches no feature, model or list."""

import datetime as dt
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from assets.evaluation.evaluation import evaluate
from assets.evaluation.holdout import NothingHeldOutError, Replay, hold_out_last_days, hold_out_pairs, last_event_at
from assets.evaluation.landing import ingest_landing
from assets.resources import Workspace
from assets.training import embedding_update
from assets.training.tuning import tuned_path
from features.schemas.bronze import EVENTS
from features.schemas.catalog import INTERACTIONS, JOBS
from models.evaluation.splits import random_split
from pipelines.running import run_features_and_models
from tests.assets.evaluation.landed import (
    END,
    N_JOBS,
    N_USERS,
    NOW,
    event,
    future_events,
    past_events,
    write_landing,
)
from tests.models.training_world import BagOfWords


def source(folder: Path, events: list[dict[str, str]], *, dated: bool = True) -> Workspace:
    workspace = Workspace(data_dir=str(folder / "data"))
    ingest_landing(workspace, write_landing(folder / "landing", events, dated=dated), as_of=NOW)
    return workspace


def last_week(workspace: Workspace, work: Path, *, restate: bool = True) -> Replay:
    return hold_out_last_days(workspace, work, days=7, until=last_event_at(workspace.lake, before=NOW), restate=restate)


def made(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> Replay:
    monkeypatch.setattr(embedding_update, "load_embedder", lambda *_args, **_options: BagOfWords())
    assert run_features_and_models(replay.workspace, as_of=replay.as_of, console=Console(quiet=True))
    return replay


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".locks" not in path.parts
    }


def events_of(lake_of: Workspace) -> pl.DataFrame:
    return lake_of.lake.scan("bronze", EVENTS).collect()


def test_the_last_days_are_held_out_from_a_midnight_on(tmp_path: Path) -> None:
    workspace = source(tmp_path, past_events() + future_events())
    before = files(workspace.lake.root)
    replay = last_week(workspace, tmp_path / "work")
    assert replay.as_of == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert len(events_of(replay.workspace)) == len(past_events())
    assert events_of(replay.workspace)["occurred_at"].max() < replay.as_of
    assert len(replay.held_out_pairs()) == N_USERS
    assert files(workspace.lake.root) == before, "the lake itself is only read"


def test_whole_pairs_are_held_out_at_random(tmp_path: Path) -> None:
    twice = [event(0, job, END - dt.timedelta(days=9), "view") for job in range(N_JOBS)]
    workspace = source(tmp_path, past_events() + twice)
    replay = hold_out_pairs(workspace, tmp_path / "work", share=0.3, seed=1, salt="a", until=END)
    kept, held = (lake.scan("bronze", EVENTS).collect() for lake in (replay.workspace.lake, replay.held_out))
    assert len(kept) + len(held) == len(past_events()) + N_JOBS
    assert kept.join(held, on=["user_id", "job_id"], how="semi").is_empty()
    assert 0.15 < len(held) / (len(kept) + len(held)) < 0.45
    assert kept["occurred_at"].dt.date().unique().to_list() == [(replay.as_of - dt.timedelta(days=1)).date()]
    moved = (
        pl.concat([kept, held])
        .sort("user_id", "occurred_at")
        .with_columns(minute=pl.col("occurred_at").dt.hour().cast(pl.Int64) * 60 + pl.col("occurred_at").dt.minute())
    )
    expected = workspace.lake.scan("bronze", EVENTS).sort("user_id", "occurred_at", "event_id").collect()
    assert moved["event_id"].to_list() == expected["event_id"].to_list()
    assert moved.filter(pl.col("minute") != pl.int_range(pl.len()).over("user_id")).is_empty()
    again = hold_out_pairs(workspace, tmp_path / "again", share=0.3, seed=1, salt="a", until=END)
    assert again.held_out_pairs().equals(replay.held_out_pairs())


def test_the_choice_of_the_collaborative_model_reaches_no_random_hold_out(tmp_path: Path) -> None:
    """It was made on all pairs, and chosen after the cut it knows the last days as well."""
    workspace = source(tmp_path, past_events() + future_events())
    chosen = tuned_path(workspace.models)
    chosen.parent.mkdir(parents=True)

    def is_copied(replay: Replay) -> bool:
        return tuned_path(replay.workspace.models).is_file()

    chosen.write_text('{"as_of": "2026-02-28T00:00:00+00:00"}')
    random = hold_out_pairs(workspace, tmp_path / "random", share=0.3, seed=1, salt="a", until=END)
    assert not is_copied(random) and is_copied(last_week(workspace, tmp_path / "before"))
    chosen.write_text('{"as_of": "2026-03-02T00:00:00+00:00"}')
    assert not is_copied(last_week(workspace, tmp_path / "after"))


def test_what_one_hold_out_keeps_another_divides_again(tmp_path: Path) -> None:
    workspace = source(tmp_path, past_events())
    outer = hold_out_pairs(workspace, tmp_path / "outer", share=0.3, seed=1, salt="evaluation", until=END)
    inner = hold_out_pairs(outer.workspace, tmp_path / "inner", share=0.3, seed=1, salt="learning", until=outer.as_of)
    kept = inner.workspace.lake.scan("bronze", EVENTS).select("user_id", "job_id", weight=1.0).collect()
    assert not random_split(kept, share=0.3, seed=1).truth.is_empty()


def test_jobs_of_unknown_age_are_there_at_the_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = source(tmp_path, past_events() + future_events(), dated=False)
    replay = made(last_week(workspace, tmp_path / "work"), monkeypatch)
    jobs = replay.workspace.lake.scan("catalog", JOBS).collect()
    assert jobs["status"].to_list() == ["open"] * N_JOBS


def test_what_is_held_out_changes_no_feature_and_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for name, kind in (("one", "apply"), ("other", "dismiss")):
        workspace = source(tmp_path / name, past_events() + future_events(kind))
        replay = made(last_week(workspace, tmp_path / name / "work"), monkeypatch)
        folders.append(Path(replay.workspace.data_dir))
    one, other = (learned(folder) for folder in folders)
    assert {name.split("/")[1] for name in one} >= {"catalog", "features", "training"}
    assert one == other


def learned(folder: Path) -> dict[str, bytes]:
    """Files by name. User vectors also tell what they were made of by the times of files, which differ: without it."""
    found = {name: body for name, body in files(folder).items() if not {".layers", "bronze"} & set(name.split("/"))}
    with zipfile.ZipFile(io.BytesIO(found.pop("models/training/user_vectors.npz"))) as archive:
        arrays = {f"models/training/{name}": archive.read(name) for name in archive.namelist() if "made_of" not in name}
    return found | arrays


def test_every_list_is_judged_by_new_jobs_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = source(tmp_path, past_events() + future_events())
    replay = made(last_week(workspace, tmp_path / "work"), monkeypatch)
    found = evaluate(replay, max_users=100, seed=1)
    known = replay.workspace.lake.scan("catalog", INTERACTIONS).select("user_id", "job_id").collect()
    assert found.counts.n_known_pairs == len(known.join(replay.held_out_pairs(), on=["user_id", "job_id"], how="semi"))
    assert found.counts.n_judged_pairs == N_USERS - found.counts.n_known_pairs
    assert {"marketplace", "popularity", "recency", "item-kNN", "user-kNN", "ALS", "content"} <= set(
        found.per_user["list"]
    )
    groups = found.per_user.filter(pl.col("list") == "marketplace")["history"].cast(pl.String)
    assert set(groups) >= {"cold", "5–19 jobs"}
    main = found.summary.filter(pl.col("slice") == "all", pl.col("metric") == "recall@20")
    scores = dict(main.select("list", "estimate").iter_rows())
    assert scores["marketplace"] == 1.0, "no more than 20 jobs: none is missed"
    few = evaluate(replay, max_users=5, seed=1)
    assert few.counts.n_judged_users <= 5
    assert set(few.per_user["user_id"]) <= set(found.per_user["user_id"])


@pytest.mark.parametrize("events", [[], past_events()[:3], future_events()])
def test_without_events_on_both_sides_it_says_so(tmp_path: Path, events: list[dict[str, str]]) -> None:
    workspace = source(tmp_path, events)
    with pytest.raises(NothingHeldOutError):
        replay = last_week(workspace, tmp_path / "work")
        replay.held_out_pairs()
