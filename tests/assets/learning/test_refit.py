"""One refit on a small market: the replay, the fit, the decision, and what ranking takes from it."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from rich.console import Console

from assets.config.loading import Config
from assets.evaluation.landing import ingest_landing
from assets.lake import Lake
from assets.learning import assets as learning_assets
from assets.learning import refit as refits
from assets.learning.assets import REFIT_TAG, first_fit, learned_recipe
from assets.learning.refit import Outcome, refit
from assets.learning.store import load_registry, update_registry
from assets.ranking.inputs import ranking_settings
from assets.resources import AS_OF_TAG, RunClock, Workspace
from assets.training import embedding_update
from features.schemas.bronze import EVENTS
from features.schemas.catalog import DAILY_INTERACTIONS
from features.schemas.insight import EXPOSURES
from features.schemas.table import Table
from models.learning import holdout
from models.learning.position_bias import UNKNOWN, Attention
from models.learning.registry import Figure, Registry
from pipelines.running import run_features_and_models
from tests.models.learning.test_registry import FIT
from tests.models.training_world import BagOfWords

AS_OF = dt.datetime(2026, 3, 10, tzinfo=dt.UTC)
N_USERS, N_JOBS = 80, 60
TOPICS = ("python", "design", "sales")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Users of three topics who save jobs of their topic, one every other day, all run up to the learned recipe."""
    folder = tmp_path_factory.mktemp("learned")
    jobs = [
        {"source_id": str(job), "title": f"{TOPICS[job % 3]} specialist {job}", "tags": [TOPICS[job % 3]],
         "published_at": "2026-02-01"}
        for job in range(N_JOBS)
    ]  # fmt: skip
    events = [
        {"event_id": f"{user}-{job}", "user_id": f"u{user}", "job_id": f"file:{job}", "event_type": "save",
         "occurred_at": (AS_OF - dt.timedelta(days=30 - job // 2 + user % 2, hours=1)).isoformat()}
        for user in range(N_USERS) for job in range(user % 3, N_JOBS, 3) if (user * 7 + job) % 4
    ]  # fmt: skip
    users = [
        {"user_id": f"u{user}", "preferred_tags": [TOPICS[user % 3]], "updated_at": "2026-02-01"}
        for user in range(N_USERS)
    ]
    for name, rows in (("jobs", jobs), ("interactions", events), ("users", users)):
        (folder / "landing" / name).mkdir(parents=True)
        (folder / "landing" / name / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = Workspace(data_dir=str(folder))
    ingest_landing(made, folder / "landing", as_of=AS_OF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding_update, "load_embedder", lambda *_args, **_options: BagOfWords())
        patch.setattr(holdout, "LEAST_OUTCOMES", 100)
        patch.setattr(holdout, "LEAST_KNOWN_USERS", 50)
        assert run_features_and_models(made, as_of=AS_OF, console=Console(quiet=True))
    return made


def test_a_first_run_with_enough_outcomes_fits_and_decides_by_held_out_users(workspace: Workspace) -> None:
    registry = load_registry(workspace.models)
    (fit,) = registry.fits
    assert fit.fit == "learned-20260310T000000Z" and fit.incumbent == "marketplace"
    assert fit.data.split == "time" and fit.data.cut < fit.as_of and fit.data.n_positives >= 100
    assert all(weight > 0 for weight in fit.weights.values())
    assert fit.is_promoted == (fit.gain.lower > 0) and (registry.active == fit.fit) == fit.is_promoted
    assert fit.ndcg.mean - fit.incumbent_ndcg.mean == pytest.approx(fit.gain.mean, abs=1e-5)
    assert fit.configured is not None and fit.configured.recipe == "marketplace"
    assert (fit.configured.ndcg, fit.configured.gain) == (fit.incumbent_ndcg, fit.gain)
    settings = ranking_settings(workspace.config, learned=registry.active_recipe)
    assert settings.default_recipe == ("learned" if fit.is_promoted else "marketplace")


def test_the_replay_leaves_nothing_behind(workspace: Workspace) -> None:
    assert [path.name for path in (workspace.models / "learning").iterdir()] == ["recipes.json"]


def test_a_second_refit_as_of_the_same_instant_keeps_the_first(unfitted: Workspace) -> None:
    made = load_registry(unfitted.models)
    update_registry(unfitted, lambda registry: registry.add(replace(FIT, fit="learned-20260310T000000Z")))

    found = refit(unfitted, as_of=AS_OF, replay=_never, on_step=lambda _line: None)
    assert found.fit is None and "same instant" in found.reason and not made.fits
    assert load_registry(unfitted.models).fits[0].weights == FIT.weights


def test_a_run_removes_what_a_killed_one_left_but_no_replay_under_way(unfitted: Workspace) -> None:
    left = unfitted.models / "learning" / ".work-killed"
    (left / "replay").mkdir(parents=True)
    with unfitted.lake.lock("replay"):
        refits.remove_leftovers(unfitted)
        found = refit(unfitted, as_of=AS_OF, replay=_never, on_step=lambda _line: None)
        assert left.is_dir() and found == Outcome(None, "another run is fitting")
    update_registry(unfitted, lambda registry: registry.add(FIT))
    assert materialized(unfitted).success
    assert [path.name for path in left.parent.iterdir()] == ["recipes.json"]


def test_too_few_outcomes_make_no_fit(workspace: Workspace) -> None:
    later = AS_OF + dt.timedelta(hours=1)
    found = refit(workspace, as_of=later, replay=_never, on_step=lambda _line: None)
    assert found == Outcome(None, found.reason) and "fewer than 1,000 outcomes" in found.reason


@pytest.fixture
def unfitted(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The same market without a fit, with enough outcomes for one."""
    monkeypatch.setattr(holdout, "LEAST_OUTCOMES", 100)
    monkeypatch.setattr(holdout, "LEAST_KNOWN_USERS", 50)
    (tmp_path / "lake").symlink_to(workspace.lake.root)
    return Workspace(data_dir=str(tmp_path))


def materialized(workspace: Workspace, **tags: str) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [learned_recipe],
        resources={"workspace": workspace, "clock": RunClock()},
        tags={AS_OF_TAG: AS_OF.isoformat(), **tags},
        raise_on_error=False,
    )


def test_a_fit_that_nobody_asked_for_stops_no_run_if_it_fails(
    unfitted: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_replay: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(learning_assets, "run_replay", full)
    result = materialized(unfitted)
    assert result.success
    (materialization,) = result.asset_materializations_for_node("learning__learned_recipe")
    assert "OSError: no space left" in str(materialization.metadata["warning"].value)
    assert load_registry(unfitted.models).active is None
    assert not materialized(unfitted, **{REFIT_TAG: "always"}).success, "a run that was asked to fit says so"


def test_a_replay_without_a_fit_is_not_repeated_for_a_week(unfitted: Workspace) -> None:
    instants = []

    def replay(_replay: object) -> None:
        instants.append(day)
        raise MemoryError

    for day in range(9):
        as_of = AS_OF + dt.timedelta(days=day)
        outcome = first_fit(unfitted, as_of=as_of, replay=replay, on_step=lambda _line: None)
        assert outcome.fit is None and outcome.is_failed == (day in instants)
    assert instants == [0, 7]


class Log:
    """Shown explored jobs and clicks as `position_weights` reads them; every user clicks at the first position, and
    every eighth at the second one too."""

    def __init__(self, folder: Path, config: Config, positions: tuple[int, int]) -> None:
        self.lake, self.config = Lake(folder), config
        acts = [*range(N_USERS), *range(0, N_USERS, 8)]
        self.show("g1", positions, AS_OF - dt.timedelta(days=2))
        clicks = pl.DataFrame(
            {
                "user_id": [f"u{user}" for user in acts],
                "job_id": ["file:1"] * N_USERS + ["file:2"] * (len(acts) - N_USERS),
                "event_type": "click",
                "occurred_at": AS_OF - dt.timedelta(days=1),
                "surface": "feed",
                "is_bot": False,
            }
        )
        part = EVENTS.conform(filled(EVENTS, clicks))
        self.lake.append("bronze", EVENTS, part, partition=f"date={part['occurred_at'][0].date()}")

    def show(self, generation: str, positions: tuple[int, int], at: dt.datetime) -> None:
        rows = pl.DataFrame(
            {
                "user_id": [f"u{user}" for user in range(N_USERS)] * 2,
                "job_id": ["file:1"] * N_USERS + ["file:2"] * N_USERS,
                "surface": "feed",
                "generation": generation,
                "shown_at": at,
                "position": [positions[0]] * N_USERS + [positions[1]] * N_USERS,
                "recipe": "marketplace",
                "explored": True,
            }
        )
        part = EXPOSURES.conform(filled(EXPOSURES, rows))
        self.lake.append("insight", EXPOSURES, part, partition=f"date={at.date()}")

    def weights(self, before: Attention = UNKNOWN) -> pl.DataFrame:
        return self.found(before)[0]

    def found(self, before: Attention) -> tuple[pl.DataFrame, Attention]:
        return refits.position_weights(self, as_of=AS_OF, before=before)  # type: ignore[arg-type]


def test_outcomes_at_low_ranks_count_more_once_enough_are_logged(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path, workspace.config, (1, 50))
    assert log.weights().is_empty()
    monkeypatch.setattr(refits, "LEAST_LOGGED_OUTCOMES", 50)
    by_job = dict(log.weights().group_by("job_id").agg(pl.col("weight").mean()).iter_rows())
    assert by_job["file:1"] == 1 and by_job["file:2"] > 2
    assert len(log.weights()) == N_USERS + N_USERS // 8


def test_the_position_is_that_of_the_exposure_that_the_reaction_follows(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "LEAST_LOGGED_OUTCOMES", 50)
    log = Log(tmp_path, workspace.config, (1, 50))
    before = log.weights()
    log.show("g2", (1, 1), AS_OF - dt.timedelta(hours=12))
    assert log.weights().equals(before)


def test_exploration_below_the_top_says_nothing_of_the_attention_to_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "LEAST_LOGGED_OUTCOMES", 50)
    weights = Log(tmp_path, workspace.config, (21, 90)).weights()
    assert set(weights["weight"]) == {1.0}


def test_the_attention_that_was_measured_before_is_used_then(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "LEAST_LOGGED_OUTCOMES", 50)
    weights, attention = Log(tmp_path, workspace.config, (4, 90)).found(Attention(0.5, "measured"))
    assert attention.origin == "measured"
    weights, attention = Log(tmp_path / "low", workspace.config, (25, 90)).found(Attention(0.5, "measured"))
    assert attention == Attention(0.5, "kept")
    assert dict(weights.group_by("job_id").agg(pl.col("weight").mean()).iter_rows())["file:1"] == 5


def test_a_position_that_no_feed_has_is_passed_over(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refits, "LEAST_LOGGED_OUTCOMES", 50)
    weights = Log(tmp_path, workspace.config, (1, 2**31 - 1)).weights()
    assert set(weights["job_id"]) == {"file:1"}


def test_outcomes_after_the_instant_choose_no_hold_out(tmp_path: Path) -> None:
    workspace = Workspace(data_dir=str(tmp_path))
    days = [AS_OF + dt.timedelta(days=day, hours=-1) for day in (-1, 0, 1)]
    rows = pl.DataFrame({"user_id": "anna", "job_id": [f"file:{n}" for n in range(3)], "last_at": days, "weight": 5.0})
    rows = DAILY_INTERACTIONS.conform(filled(DAILY_INTERACTIONS, rows.with_columns(date=pl.col("last_at").dt.date())))
    workspace.lake.append("catalog", DAILY_INTERACTIONS, rows, partition="date=2026-03-10")
    found = refits.first_outcomes(workspace, as_of=AS_OF)
    assert found["date"].sort().to_list() == [day.date() for day in days[:2]]


def _never(_replay: object) -> None:
    raise AssertionError("nothing may be replayed")


def filled(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with all columns of the table."""
    empty = table.empty()
    missing = [pl.lit(None, dtype=empty.schema[name]).alias(name) for name in empty.columns if name not in rows.columns]
    return rows.with_columns(missing).select(empty.columns)


def test_a_fit_that_may_know_the_future_is_kept_but_not_promoted() -> None:
    leaking = replace(FIT, separation={"tags": Figure(0.995, 0.99, 1.0)})
    held_back = refits._without_leak(leaking, Registry())
    assert not held_back.is_promoted
    assert "tags alone" in held_back.decision and f"jobfeed recipes promote {FIT.fit}" in held_back.decision
    assert Registry().add(held_back).active is None
    honest = replace(FIT, separation={"tags": Figure(0.8, 0.78, 0.82)})
    assert refits._without_leak(honest, Registry()) is honest
    # Only fits that were held out in the same way are comparable.
    low = replace(FIT, fit="earlier", separation={"tags": Figure(0.6, 0.58, 0.62)})
    assert not refits._without_leak(honest, Registry().add(low)).is_promoted
    other_split = replace(low, data=replace(low.data, split="random" if FIT.data.split == "time" else "time"))
    assert refits._without_leak(honest, Registry().add(other_split)) is honest
