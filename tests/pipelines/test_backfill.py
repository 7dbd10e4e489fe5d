"""Past days by the job `daily_backfill`, as Dagster runs one partition of it."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from assets.damage import rebuild_due
from assets.publishing import generations
from assets.publishing.past_days import instant_of
from assets.resources import AS_OF_TAG, Workspace
from assets.run_ledger import unfinished_jobs
from pipelines.definitions import build_defs
from pipelines.simulation.market import MarketSize, simulate
from serving.contract.generation import Manifest

AS_OF = dt.datetime(2026, 3, 3, 2, tzinfo=dt.UTC)
PAST_DAY = "2026-03-01"
ASSET = dg.AssetKey(["publishing", "past_days"])


class Pipeline:
    """A small market and the records of its runs."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.workspace = Workspace(data_dir=str(folder))
        self.instance = instance
        self._defs = build_defs(self.workspace)

    def run(self, job: str, **options: object) -> dg.ExecuteInProcessResult:
        definition = self._defs.resolve_job_def(job)
        return definition.execute_in_process(instance=self.instance, **options)  # type: ignore[arg-type] # passed on

    @property
    def served(self) -> Manifest:
        name = generations.current_generation(self.workspace.published)
        assert name is not None
        return generations.read_manifest(self.workspace.published, name)

    def stored(self, as_of: dt.datetime) -> list[str]:
        listed = generations.list_generations(self.workspace.published)
        return [one.generation for one in listed if one.as_of == as_of.isoformat()]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    size = MarketSize(n_users=60, n_jobs=60, n_events=800)
    simulate(tmp_path / "landing", size, seed=3, until=AS_OF - dt.timedelta(hours=2), event_format="parquet")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Pipeline(tmp_path, instance)


def as_of(instant: dt.datetime) -> dict[str, str]:
    return {AS_OF_TAG: instant.isoformat()}


@pytest.mark.slow
def test_a_past_day_is_stored_and_the_jobs_that_are_served_come_back_with_daily(pipeline: Pipeline) -> None:
    assert pipeline.run("daily", tags=as_of(AS_OF)).success
    served = pipeline.served

    result = pipeline.run("daily_backfill", partition_key=PAST_DAY)
    assert result.success
    assert pipeline.served == served
    (stored,) = pipeline.stored(instant_of(PAST_DAY))
    (made,) = result.asset_materializations_for_node("publishing__past_days")
    assert made.partition == PAST_DAY
    assert made.metadata["generation"].value == stored
    assert made.metadata["is_served"].value is False
    assert pipeline.instance.get_materialized_partitions(ASSET) == {PAST_DAY}

    assert rebuild_due(pipeline.workspace.lake) is not None
    assert unfinished_jobs(pipeline.workspace.lake) == []
    assert pipeline.run("daily", tags=as_of(AS_OF)).success
    differing = {table for table in served.tables if pipeline.served.tables[table] != served.tables[table]}
    assert pipeline.served.as_of == AS_OF.isoformat()
    assert "jobs" not in differing, differing
    assert rebuild_due(pipeline.workspace.lake) is None


def test_a_day_that_is_computed_for_another_instant_is_refused(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        defs = build_defs(Workspace(data_dir=str(tmp_path)))
        result = defs.resolve_job_def("daily_backfill").execute_in_process(
            instance=instance,
            partition_key=PAST_DAY,
            run_config={"resources": {"clock": {"config": {"instant": AS_OF.isoformat()}}}},
            asset_selection=[ASSET],
            raise_on_error=False,
        )
    (failed,) = result.get_step_failure_events()
    said = failed.step_failure_data.user_failure_data
    assert said is not None
    assert "the partition is 2026-03-01T02:00:00+00:00" in str(said.description)
