"""Whole runs that end suddenly, or whose disk, files or inputs fail: what is served stays whole, and the next run
leaves the tables of an undisturbed one. tests/benchmarks/fault_campaign.py does the same at random, with processes."""

import datetime as dt
import os
import random
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.catalog.job_changes import replace_jobs
from assets.publishing import generations
from assets.resources import AS_OF_TAG, Workspace
from features.schemas.catalog import JOBS
from features.schemas.ranking import FALLBACK_FEEDS
from pipelines.definitions import build_defs
from pipelines.failures import cause_of
from tests.benchmarks.campaign_runs import QUARTER, START, land, make_market
from tests.disk_faults import DiskFault, install
from tests.tables_of import digests_of

AS_OF = START + QUARTER

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class World:
    """`base`: a market after its first daily run, with something new that landed since."""

    base: Path
    twin: dict[str, str]
    n_changes: int

    def clone(self, name: str) -> Path:
        """Hard links: the pipeline never writes into a file of the lake, only replaces it."""
        target = self.base.with_name(name)
        shutil.copytree(self.base, target, copy_function=_linked)
        return target


def _linked(source: str, target: str) -> None:
    if re.search(r"\.(sqlite|db)", source):
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def run(data: Path, job: str, as_of: dt.datetime) -> list[str]:
    """Why steps failed; empty if the run succeeded."""
    definition = build_defs(Workspace(data_dir=str(data))).resolve_job_def(job)
    with dg.DagsterInstance.ephemeral() as instance:
        result = definition.execute_in_process(
            instance=instance, tags={AS_OF_TAG: as_of.isoformat()}, raise_on_error=False
        )
    causes = [cause_of(event.step_failure_data) for event in result.all_events if event.is_step_failure]
    return causes if not result.success else []


def served_as_of(data: Path) -> dt.datetime:
    """The instant of what is served, which must be whole."""
    name = generations.current_generation(data / "published")
    assert name is not None
    assert generations.verify(data / "published", name) == []
    return dt.datetime.fromisoformat(generations.read_manifest(data / "published", name).as_of)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    base = tmp_path_factory.mktemp("disturbed") / "base"
    make_market(base)
    assert run(base, "daily", START) == []
    land(base, AS_OF, 1, random.Random(1))
    twin = World(base, {}, 0).clone("twin")
    fault = DiskFault(twin)
    uninstall = install(fault)
    try:
        assert run(twin, "frequent", AS_OF) == []
    finally:
        uninstall()
    return World(base, digests_of(twin), fault.n_changes)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.97])
def test_a_run_that_ends_at_some_change_is_made_up_for_by_the_next(world: World, share: float) -> None:
    data = world.clone(f"ended-{share}")
    at = round(share * world.n_changes)
    uninstall = install(DiskFault(data, "EIO", at, lasts=True))
    try:
        assert run(data, "frequent", AS_OF)
    finally:
        uninstall()
    assert served_as_of(data) in (START, AS_OF)
    assert run(data, "frequent", AS_OF) == []
    assert digests_of(data) == world.twin


def test_a_full_disk_is_named_and_nothing_is_lost(world: World) -> None:
    data = world.clone("full")
    uninstall = install(DiskFault(data, "ENOSPC", world.n_changes // 3, lasts=True))
    try:
        causes = run(data, "frequent", AS_OF)
    finally:
        uninstall()
    assert any("No space left on device" in cause for cause in causes)
    assert served_as_of(data) == START
    assert run(data, "frequent", AS_OF) == []
    assert digests_of(data) == world.twin


def test_frequent_runs_go_on_after_an_hourly_one_that_ended_once_it_had_closed_jobs(world: World) -> None:
    data = world.clone("closed")
    lake = Workspace(data_dir=str(data)).lake
    jobs, lists = lake.scan("catalog", JOBS).collect(), lake.scan("ranking", FALLBACK_FEEDS)
    first = pl.col("items").list.first().struct.field("job_id")
    closed = pl.col("job_id").is_in(lists.select(first).collect()["job_id"].implode())
    assert jobs.filter(closed)["status"].unique().to_list() == ["open"]
    status = pl.when(closed).then(pl.lit("closed")).otherwise("status")
    replace_jobs(lake, jobs.with_columns(status=status))
    assert run(data, "frequent", AS_OF) == []
    assert served_as_of(data) == AS_OF
    shown = lists.select(pl.col("items").explode().struct.field("job_id")).collect()["job_id"]
    assert len(shown) and not jobs.filter(closed)["job_id"].is_in(shown.implode()).any()


def test_an_hourly_run_after_a_daily_one_of_nothing_reads_what_landed_since(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    assert run(data, "daily", START) == []
    assert run(data, "hourly", START + QUARTER / 3) == []
    shutil.copytree(world.base / "landing", data / "landing")
    assert run(data, "hourly", AS_OF) == []
    assert served_as_of(data) == AS_OF


def test_no_kind_of_file_in_landing_stops_or_holds_a_run(world: World) -> None:
    data = world.clone("rubbish")
    for kind in ("jobs", "users", "interactions", "hh", "feeds/x", "resumes", "applications", "erasures", "companies"):
        folder = data / "landing" / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "noise.jsonl").write_bytes(random.Random(1).randbytes(2_000))
        (folder / "passwd.jsonl").symlink_to("/etc/passwd")
        (folder / "loop").symlink_to("..")
        (folder / "folder.jsonl").mkdir()
        os.mkfifo(folder / "pipe.jsonl")
    assert run(data, "hourly", AS_OF) == []
    assert served_as_of(data) == AS_OF
