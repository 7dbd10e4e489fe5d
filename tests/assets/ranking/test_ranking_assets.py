from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from upath import UPath

from assets.io import TABLES, LakeIOManager, ModelIOManager
from assets.lake import Lake
from assets.learning.store import load_registry, update_registry
from assets.ranking import assets as ranking_assets
from assets.ranking.assets import ASSET_CHECKS, ASSETS
from assets.ranking.checks import check_feeds
from assets.ranking.score_breakdown import UnknownJobError, UnknownUserError, why
from assets.ranking.shards import Report, rank_feeds
from assets.resources import AS_OF_TAG, SCOPE_TAG, RunClock, Workspace
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import NEARBY
from features.schemas.ranking import FALLBACK_FEEDS, FEEDS
from models.fitting.als import AlsModel
from models.fitting.collaborative import Collaborative
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.fitting.user_knn import UserNeighbours
from models.fitting.user_vectors import UserVectors
from models.ranking.settings import CompanyCap
from tests.models.learning.test_registry import FIT
from tests.models.ranking.world import AS_OF, Market, make_market

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"),
]
_LOADERS = {
    "als": AlsModel,
    "collaborative": Collaborative,
    "also_applied": JobNeighbours,
    "user_neighbours": UserNeighbours,
    "job_vectors": JobVectors,
    "user_vectors": UserVectors,
}
_STAGES = {
    "jobs": "catalog",
    "interactions": "catalog",
    "user_profiles": "features",
    "job_features": "features",
    "skill_weights": "features",
    "preferences": "features",
    "trending": "features",
}


@pytest.fixture(scope="module")
def market() -> Market:
    return make_market(21, n_jobs=150, n_users=30)


@pytest.fixture
def result(market: Market, tmp_path: Path) -> dg.ExecuteInProcessResult:
    """Both assets and their checks over a lake on disk."""
    return run_ranking(market, tmp_path)


def run_ranking(market: Market, tmp_path: Path, *, scope: str = "all") -> dg.ExecuteInProcessResult:
    lake = Lake(tmp_path / "lake")
    frames = {
        "jobs": market.jobs,
        "interactions": market.interactions,
        "user_profiles": market.profiles,
        "job_features": market.job_features,
        "skill_weights": market.skill_weights,
        "preferences": market.preferences,
        "trending": market.trending,
    }
    for name, frame in frames.items():
        lake.replace(_STAGES[name], TABLES[name], frame)
    models = tmp_path / "models"
    (models / "training").mkdir(parents=True, exist_ok=True)
    for name in _LOADERS:
        getattr(market.fitted, name).save(models / "training" / f"{name}.npz")
    sources = [
        *(dg.AssetSpec([stage, name]).with_io_manager_key("lake_io") for name, stage in _STAGES.items()),
        *(dg.AssetSpec(["training", name]).with_io_manager_key("model_io") for name in _LOADERS),
    ]
    return dg.materialize(
        [*sources, *ASSETS, *ASSET_CHECKS],
        selection=dg.AssetSelection.groups("ranking"),
        resources={
            "workspace": Workspace(data_dir=str(tmp_path)),
            "clock": RunClock(),
            "lake_io": LakeIOManager(lake),
            "model_io": ModelIOManager(UPath(models), _LOADERS),
        },
        tags={AS_OF_TAG: AS_OF.isoformat(), SCOPE_TAG: scope},
        raise_on_error=False,
    )


def test_the_assets_fill_both_tables_and_pass_their_checks(result: dg.ExecuteInProcessResult, tmp_path: Path) -> None:
    assert result.success
    checks = result.get_asset_check_evaluations()
    assert {check.check_name: check.passed for check in checks} == dict.fromkeys(
        [
            "no_forbidden_job",
            "ranks_are_complete",
            "scores_in_range",
            "company_cap",
            "share_of_fallback",
            "fallback_jobs_are_open",
        ],
        True,
    )
    lake = Lake(tmp_path / "lake")
    feeds = lake.scan("ranking", FEEDS).collect()
    assert len(feeds) > 20 and feeds["generated_at"].unique().to_list() == [AS_OF]
    assert "all" in lake.scan("ranking", FALLBACK_FEEDS).collect()["segment"]
    (materialization,) = result.asset_materializations_for_node("ranking__feeds")
    assert materialization.metadata["n_ranked"].value == len(feeds)
    assert {"users_by_source", "found_by", "seconds_per_stage"} <= set(materialization.metadata)


def test_all_feeds_and_fallback_feeds_are_by_the_promoted_recipe(market: Market, tmp_path: Path) -> None:
    workspace = Workspace(data_dir=str(tmp_path))
    fit = replace(FIT, weights={"engagement": 0.7, "recency": 0.3})
    update_registry(workspace, lambda registry: registry.add(fit))
    assert run_ranking(market, tmp_path).success
    assert load_registry(workspace.models).served == fit.fit
    assert workspace.lake.scan("ranking", FEEDS).collect()["recipe"].unique().to_list() == ["learned"]
    fallback = workspace.lake.scan("ranking", FALLBACK_FEEDS).collect()
    for item in fallback["items"].explode().struct.unnest().drop_nulls("components").iter_rows(named=True):
        score = sum(weight * item["components"][name] for name, weight in fit.weights.items())
        assert item["score"] == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("scope", ["all", "acted"])
def test_after_a_killed_takeover_the_next_run_ranks_all_by_one_fit(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str
) -> None:
    def in_shards(*args: Any, **options: Any) -> Report:
        return rank_feeds(*args, **{**options, "shard_users": 8})

    def killed(*args: Any, **options: Any) -> Report:
        def stop(_done: int, _n: int) -> None:
            raise MemoryError

        one_thread = replace(options["settings"], n_threads=1)
        return in_shards(*args, **{**options, "settings": one_thread, "on_shard": stop})

    def recipes() -> set[str]:
        return set(workspace.lake.scan("ranking", FEEDS).collect()["recipe"])

    workspace = Workspace(data_dir=str(tmp_path))
    monkeypatch.setattr(ranking_assets, "rank_feeds", in_shards)
    assert run_ranking(market, tmp_path).success
    update_registry(workspace, lambda registry: registry.add(FIT))
    with monkeypatch.context() as patch:
        patch.setattr(ranking_assets, "rank_feeds", killed)
        assert not run_ranking(market, tmp_path).success
    assert recipes() == {"marketplace", "learned"}
    assert load_registry(workspace.models).served is None, "only what all feeds are ranked by is served"
    assert run_ranking(market, tmp_path, scope=scope).success
    registry = load_registry(workspace.models)
    assert recipes() == {"learned"} and registry.served == FIT.fit and not registry.is_taking_over


def test_a_partial_run_keeps_the_fit_of_the_stored_feeds(market: Market, tmp_path: Path) -> None:
    workspace = Workspace(data_dir=str(tmp_path))
    assert run_ranking(market, tmp_path).success
    update_registry(workspace, lambda registry: registry.add(FIT))
    assert run_ranking(market, tmp_path, scope="touched").success
    assert load_registry(workspace.models).served is None
    assert workspace.lake.scan("ranking", FEEDS).collect()["recipe"].unique().to_list() == ["marketplace"]


def test_no_chart_is_drawn_in_a_run_every_quarter_of_an_hour(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_ranking(market, tmp_path).success
    monkeypatch.setattr(ranking_assets, "bar_chart", lambda *_: pytest.fail("a chart was drawn"))
    assert run_ranking(market, tmp_path, scope="acted").success
    assert not run_ranking(market, tmp_path, scope="touched").success


def test_every_kind_of_broken_feed_fails_its_check(result: dg.ExecuteInProcessResult, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert check_feeds(lake, CompanyCap(most=3, top=20)).problems.is_empty()
    feeds = lake.scan("ranking", FEEDS).collect()
    (path,) = lake.files("ranking", "feeds")
    closed = lake.scan("catalog", JOBS).filter(pl.col("status") == "closed").head(1).collect()["job_id"].item()
    applied = (
        lake.scan("catalog", INTERACTIONS)
        .filter("is_applied", pl.col("user_id").is_in(feeds["user_id"].implode()))
        .join(lake.scan("catalog", JOBS).filter(pl.col("status") == "open"), on="job_id", how="semi")
        .head(1)
        .collect()
    )
    item = pl.col("items").list.eval(pl.element().struct.with_fields(job_id=pl.lit(closed)))
    feeds.head(1).with_columns(item).write_parquet(path)
    found = check_feeds(lake, CompanyCap(most=100, top=20)).problems
    assert set(found["rule"]) == {"not_open", "repeated"} and len(found.filter(pl.col("rule") == "repeated")) == 1
    listed = pl.element().struct.with_fields(job_id=pl.lit(applied["job_id"].item()), score=pl.lit(1.5, pl.Float32))
    one = feeds.filter(pl.col("user_id") == applied["user_id"].item())
    one.with_columns(pl.col("items").list.head(1).list.eval(listed)).write_parquet(path)
    found = check_feeds(lake, CompanyCap(most=0, top=20)).problems
    assert found.select("rule", "detail").rows()[1:] == [("applied", None), ("range", "score")]
    assert found.select("rule").row(0) == ("company_cap",)


def test_a_list_that_names_a_closed_job_fails_its_check() -> None:
    jobs = JOBS.conform(pl.DataFrame({"job_id": ["a", "b"], "status": ["open", "closed"]})).lazy()
    checks = [check for check in ASSET_CHECKS if next(iter(check.check_keys)).name == "nearby_jobs_are_open"]
    for listed, passed in ((["a"], True), (["a", "b"], False), (["a", "x"], False)):
        nearby = NEARBY.conform(pl.DataFrame({"cell": "c", "rank": range(1, len(listed) + 1), "job_id": listed}))
        assert checks[0].op.compute_fn.decorated_fn(table=nearby.lazy(), jobs=jobs).passed is passed


def test_why_agrees_with_the_stored_feed(result: dg.ExecuteInProcessResult, tmp_path: Path) -> None:
    workspace = Workspace(data_dir=str(tmp_path))
    for row in workspace.lake.scan("ranking", FEEDS).head(3).collect().iter_rows(named=True):
        for item in row["items"][:12:4]:
            answer = why(workspace, user_id=row["user_id"], job_id=item["job_id"], as_of=None)
            assert answer.rules == ()
            assert answer.item is not None and answer.item["rank"] == item["rank"]
            assert answer.feed is not None and answer.as_of == answer.feed.generated_at == AS_OF
            assert answer.why.score == pytest.approx(item["score"], abs=1e-6)
            assert answer.why.confidence == pytest.approx(item["confidence"], abs=1e-6)
            for part in answer.why.contributions:
                assert part.value == pytest.approx(item["components"][part.component], abs=1e-6)


def test_why_of_a_duplicate_finds_the_job_that_is_listed_for_it(
    result: dg.ExecuteInProcessResult, market: Market, tmp_path: Path
) -> None:
    workspace = Workspace(data_dir=str(tmp_path))
    copies = market.jobs.filter(pl.col("status") == "open").drop_nulls("duplicate_of")
    listed = workspace.lake.scan("ranking", FEEDS).explode("items").collect()
    listed = listed.select("user_id", pl.col("items").struct.unnest()).select("user_id", "rank", listed_id="job_id")
    found = copies.select("job_id", "duplicate_of").join(listed, left_on="duplicate_of", right_on="listed_id")
    copy, original, user_id, rank = found.sort("user_id", "rank").row(0)
    answer = why(workspace, user_id=user_id, job_id=copy, as_of=None)
    assert answer.why.representative == original
    assert answer.item is not None and (answer.item["job_id"], answer.item["rank"]) == (original, rank)


def test_why_of_unknown_users_and_jobs_is_an_error(result: dg.ExecuteInProcessResult, tmp_path: Path) -> None:
    workspace = Workspace(data_dir=str(tmp_path))
    row = workspace.lake.scan("ranking", FEEDS).head(1).collect().row(0, named=True)
    with pytest.raises(UnknownJobError, match="'nothing' is not in the catalog"):
        why(workspace, user_id=row["user_id"], job_id="nothing", as_of=AS_OF)
    with pytest.raises(UnknownUserError, match="'nobody'"):
        why(workspace, user_id="nobody", job_id=row["items"][0]["job_id"], as_of=AS_OF)
