"""The main job on a small simulated market, from landing files to the service's answer."""

import datetime as dt
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from assets.lake import Lake
from assets.publishing import generations
from assets.resources import AS_OF_TAG, Workspace
from features.schemas.bronze import QUARANTINE, QUARANTINE_RAW_BYTES
from features.schemas.catalog import INTERACTIONS, JOBS, USERS
from features.schemas.ranking import FEEDS
from pipelines.cli.main import app
from pipelines.definitions import build_defs
from pipelines.simulation import market
from serving.contract.generation import Manifest
from serving.contract.tables import COMPONENTS

AS_OF = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
SIZE = market.MarketSize(n_users=300, n_jobs=300, n_events=12_000, n_days=30)
PYTHON_USER, DESIGN_USER = "demo-python-almaty", "demo-designer-remote"


class Reads(logging.Handler):
    """Notes which tables of the lake each step asked for while the steps ran one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.of_step: dict[str, set[str]] = {}
        self._step = ""

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if event is not None and event.event_type == dg.DagsterEventType.STEP_START:
            self._step = event.step_key

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("file", "files", "folder", "layers_folder"):
            patch.setattr(Lake, name, self._noting(getattr(Lake, name)))

    def _noting(self, ask: Callable[[Lake, str, str], Any]) -> Callable[[Lake, str, str], Any]:
        def noting(lake: Lake, stage: str, name: str) -> Any:
            self.of_step.setdefault(self._step, set()).add(f"{stage}/{name}")
            return ask(lake, stage, name)

        return noting

    def logger(self) -> dg.LoggerDefinition:
        made = logging.Logger("reads", level=logging.DEBUG)
        made.addHandler(self)
        return dg.LoggerDefinition(lambda _context: made)


@dataclass(frozen=True)
class World:
    workspace: Workspace
    defs: dg.Definitions
    reads: Reads

    def run(self, job: str, as_of: dt.datetime) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            definition = self.defs.resolve_job_def(job)
            return definition.execute_in_process(
                instance=instance, tags={AS_OF_TAG: as_of.isoformat()}, run_config={"loggers": {"console": {}}}
            )

    @property
    def manifest(self) -> Manifest:
        name = generations.current_generation(self.workspace.published)
        assert name is not None
        return generations.read_manifest(self.workspace.published, name)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        path = self.workspace.published / self.manifest.generation / "jobfeed.duckdb"
        with duckdb.connect(str(path), read_only=True) as con:
            return con.sql(query).fetchall()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    market.simulate(folder / "landing", SIZE, seed=11, until=AS_OF, malformed_share=0.01)
    workspace = Workspace(data_dir=str(folder))
    reads = Reads()
    made = World(workspace, build_defs(workspace, loggers={"console": reads.logger()}), reads)
    with pytest.MonkeyPatch.context() as patch:
        reads.watch(patch)
        assert made.run("daily", AS_OF).success
    yield made
    shutil.rmtree(folder)


def test_a_generation_with_every_table_is_served_and_whole(world: World) -> None:
    assert generations.verify(world.workspace.published, world.manifest.generation) == []
    filled = {name for name, table in world.manifest.tables.items() if table["rows"]}
    assert filled >= {"feeds", "fallback_feeds", "jobs", "similar_jobs", "trending", "nearby", "preferences", "digests"}
    assert filled >= {"market_trends", "skill_demand", "skill_gaps", "metrics", "recipes", "reason_templates"}


def test_a_step_reads_only_what_is_declared_upstream_of_it(world: World) -> None:
    """Steps work side by side: what is not declared may not be there yet, or be written at the same time."""
    graph = world.defs.resolve_asset_graph()
    keys = {key.to_user_string(): key for key in graph.get_all_asset_keys()}
    appended = {"bronze/ingest_runs", "bronze/quarantine", "bronze/sightings"}  # by several steps, under a lock
    undeclared: dict[str, set[str]] = {}
    for step, tables in world.reads.of_step.items():
        name = step.replace("__", "/", 1)  # of an asset, or of a check of it
        asset = max((one for one in keys if f"{name}_".startswith(f"{one}_")), key=len, default="ranking/feeds")
        declared = {asset} | {key.to_user_string() for key in graph.get_ancestor_asset_keys(keys[asset])}
        unknown = (tables & keys.keys()) - declared - appended
        if unknown:
            undeclared[step] = unknown
    assert undeclared == {}
    assert world.reads.of_step["ranking__feeds"] >= {"catalog/jobs", "features/user_profiles"}


def test_feeds_follow_the_tastes_of_their_users(world: World) -> None:
    def share(user: str, pattern: str) -> float:
        query = f"""
            select avg(regexp_matches(lower(jobs.title), '{pattern}')::integer)
            from feed_items join jobs using (job_id)
            where user_id = '{user}' and feed_items.rank <= 10 and not explored
        """
        return float(str(world.rows(query)[0][0]))

    assert share(PYTHON_USER, "python|backend|бэкенд") > share(DESIGN_USER, "python|backend|бэкенд")
    assert share(DESIGN_USER, "design|дизайн|ux|ui") > share(PYTHON_USER, "design|дизайн|ux|ui")


def test_no_feed_holds_what_the_rules_keep_out(world: World) -> None:
    lake = world.workspace.lake
    feeds = lake.scan("ranking", FEEDS).select("user_id", "items").explode("items").unnest("items")
    handled = lake.scan("catalog", INTERACTIONS).filter(pl.col("is_applied") | pl.col("is_dismissed"))
    closed = lake.scan("catalog", JOBS).filter(pl.col("status") != "open")
    assert handled.collect().height > 0
    assert feeds.join(handled, on=["user_id", "job_id"]).collect().height == 0
    assert feeds.join(closed, on="job_id").collect().height == 0


def test_a_score_can_be_recomputed_from_the_stored_components_and_weights(world: World) -> None:
    published = world.workspace.published / world.manifest.generation / "tables"
    weights = pl.read_parquet(published / "recipes.parquet")
    feeds = pl.read_parquet(published / "feeds" / "*.parquet").select("user_id", "recipe", "items")
    items = feeds.explode("items").unnest("items").filter(pl.col("components").is_not_null()).unnest("components")
    scored = (
        items.unpivot(COMPONENTS, index=["user_id", "recipe", "rank", "score"], variable_name="component")
        .join(weights, on=["recipe", "component"])
        .with_columns(part=pl.col("weight") * pl.col("value").cast(pl.Float64).fill_null(pl.col("neutral")))
        .with_columns(part=pl.min_horizontal("part", "cap"))
        .group_by("user_id", "rank", "score")
        .agg(pl.col("part").sum() + pl.col("base").first())
    )
    assert scored.height == feeds.height * 20
    assert scored.select((pl.col("part") - pl.col("score")).abs().max()).item() < 1e-6


def test_every_reason_has_a_text_in_both_languages(world: World) -> None:
    rows = world.rows("select reasons_en, reasons_ru from feed_items where user_id = 'demo-python-almaty'")
    for english, russian in rows:
        assert 1 <= len(english) <= 3  # type: ignore[arg-type]
        assert len(english) == len(russian)  # type: ignore[arg-type]
        assert all(text and "{" not in text for text in [*english, *russian])  # type: ignore[misc]


def test_malformed_entries_are_in_quarantine_with_reasons(world: World) -> None:
    found = world.workspace.lake.scan("bronze", QUARANTINE).collect()
    assert found.height > 10
    assert found["reason"].null_count() == 0
    assert found["raw"].str.len_bytes().max() <= QUARANTINE_RAW_BYTES * 3  # type: ignore[operator]


@pytest.mark.parametrize("job", ["daily", "hourly", "frequent"])
def test_running_a_job_again_with_the_same_as_of_changes_no_row(world: World, job: str) -> None:
    world.run(job, AS_OF)
    before = world.manifest
    assert world.run(job, AS_OF).success
    assert world.manifest.tables == before.tables
    assert world.manifest.generation == before.generation


def test_no_served_file_holds_personal_data(world: World) -> None:
    emails = world.workspace.lake.scan("catalog", USERS).select("email").drop_nulls().collect()["email"]
    assert emails.len() > 100
    folder = world.workspace.published / world.manifest.generation
    body = (folder / "lookup.mdb").read_bytes()
    assert not [email for email in emails if email.encode() in body]


def test_an_application_made_after_the_daily_run_leaves_the_feed_with_the_frequent_one(world: World) -> None:
    job_id = str(world.rows(f"select job_id from feed_items where user_id = '{PYTHON_USER}' and rank = 1")[0][0])
    folder = world.workspace.landing / "interactions"
    event = (
        f'{{"event_id": "late-1", "user_id": "{PYTHON_USER}", "event_type": "apply", "job_id": "{job_id}",'
        ' "occurred_at": "2026-03-02T00:05:00Z"}\n'
    )
    (folder / "late.jsonl").write_text(event, encoding="utf-8")

    assert world.run("frequent", AS_OF + dt.timedelta(minutes=15)).success

    left = world.rows(f"select job_id from feed_items where user_id = '{PYTHON_USER}'")
    assert (job_id,) not in left
    assert len(left) > 10

    environment = {"JOBFEED_DATA": world.workspace.data_dir, "COLUMNS": "200", "TERM": "dumb"}
    before = world.manifest.generation
    idle = CliRunner().invoke(app, ["run", "frequent", "--as-of", "2026-03-02T00:30:00Z"], env=environment)
    assert idle.exit_code == 0
    assert "nothing new since the run as of 2026-03-02T00:15:00+00:00" in idle.output, idle.output
    assert world.manifest.generation == before


def test_the_command_line_shows_feed_quarantine_and_generations(world: World) -> None:
    environment = {"JOBFEED_DATA": world.workspace.data_dir, "COLUMNS": "200", "TERM": "dumb"}
    runner = CliRunner()
    shown = runner.invoke(app, ["feed", PYTHON_USER, "--lang", "ru", "--limit", "5"], env=environment)
    assert shown.exit_code == 0, shown.output
    assert PYTHON_USER in shown.output
    assert runner.invoke(app, ["feed", "nobody"], env=environment).exit_code == 0
    first = world.rows(f"select job_id, 100 * score from feed_items where user_id = '{PYTHON_USER}' and rank = 1")[0]
    utc = "strftime(generated_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ')"
    ranked_at = world.rows(f"select {utc} from feeds where user_id = '{PYTHON_USER}'")
    why = runner.invoke(app, ["why", PYTHON_USER, str(first[0]), "--as-of", ranked_at[0][0]], env=environment)
    assert "Rank 1 of" in why.output
    assert f"{first[1]:.2f}" in why.output
    assert "The stored feed has the same score." in why.output, why.output
    assert runner.invoke(app, ["why", "nobody", "hh:1"], env=environment).exit_code == 1
    assert runner.invoke(app, ["why", PYTHON_USER, "hh:nothing"], env=environment).exit_code == 1
    assert "quarantine" in runner.invoke(app, ["quarantine"], env=environment).output
    assert world.manifest.generation in runner.invoke(app, ["generations", "list"], env=environment).output
    assert "whole" in runner.invoke(app, ["generations", "verify"], env=environment).output
    assert runner.invoke(app, ["generations", "verify", "nonsense"], env=environment).exit_code == 1
    assert runner.invoke(app, ["run", "yearly"], env=environment).exit_code == 2
    assert runner.invoke(app, ["run", "daily", "--as-of", "soon"], env=environment).exit_code == 2
