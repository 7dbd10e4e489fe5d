"""Which jobs a delta brings along: those that its changed rows name, open or not."""

import datetime as dt
from pathlib import Path

import duckdb
import polars as pl
import pytest

from assets.lake import Lake
from assets.publishing.assets import reason_tables
from assets.publishing.build import Published
from assets.publishing.delta import publish_delta
from assets.publishing.full import publish_full
from assets.publishing.published_jobs import published_jobs
from assets.publishing.tables import Source
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS, INTERACTIONS, JOBS
from features.schemas.ranking import FEEDS
from features.schemas.table import Table
from serving.contract.feed_codec import decode_feed
from serving.service.store import Store
from tests import factories
from tests.factories import AS_OF, JOB_IDS, feeds, jobs

HOUR = dt.timedelta(hours=1)
OLD = {"job_id": "hh:old", "status": "closed", "title": "Old job"}
TEMPLATES = reason_tables(
    {
        "similar_to_saved": {"en": "Similar to {ref}", "ru": "Похоже на {ref}"},
        "skills": {"en": "Skills: {ref}", "ru": "Навыки: {ref}"},
    }
)


def feeds_with(code: str, ref: str) -> pl.DataFrame:
    """The feeds of two users; anna's only item has this reason."""
    rows = feeds({"anna": ["hh:1"], "борис": JOB_IDS[4:]}).to_dicts()
    rows[0]["items"][0]["reasons"] = [{"code": code, "ref": ref, "value": None}]
    return FEEDS.conform(pl.DataFrame(rows, schema_overrides=dict(FEEDS.columns)))


class World:
    """A served full generation without the closed job, which nobody had met. Its catalog is in a lake."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.published = Lake(folder / "lake"), folder / "published"
        self.lake.replace("catalog", JOBS, jobs([OLD]))
        self.lake.replace("catalog", INTERACTIONS, INTERACTIONS.empty())
        publish_full(factories.publishing_run(self.published), self._sources())
        assert self.jobs() == set(JOB_IDS)

    def publish_changes(self, **tables: pl.DataFrame) -> Published:
        made = publish_delta(factories.publishing_run(self.published, as_of=AS_OF + HOUR), self._sources(**tables))
        assert made.manifest.kind == "delta"
        return made

    def jobs(self) -> set[str]:
        return {row[0] for row in self.rows("select job_id from jobs")}

    def rows(self, query: str) -> list[tuple[str, ...]]:
        folder = self.published / (self.published / "current").read_text().strip()
        with duckdb.connect(str(folder / "jobfeed.duckdb"), read_only=True) as con:
            return con.sql(query).fetchall()

    def _sources(self, **tables: pl.DataFrame) -> dict[str, Source]:
        catalog = Source(frame=published_jobs(self.lake), read_from=self.lake.files("catalog", "jobs"))
        return {**factories.sources(**TEMPLATES, **tables), "jobs": catalog}


@pytest.mark.parametrize("others", [[], [{"job_id": "hh:8", "title": "Renamed"}]])
def test_a_closed_job_that_a_reason_names_is_published_with_the_feed(
    tmp_path: Path, others: list[dict[str, str]]
) -> None:
    """Nothing referred to it in the full generation: its first event came later."""
    world = World(tmp_path)
    if others:
        world.lake.replace("catalog", JOBS, jobs([OLD, *others]))
    world.publish_changes(feeds=feeds_with("similar_to_saved", "hh:old"))

    assert world.jobs() == {*JOB_IDS, "hh:old"}
    assert world.rows("select reasons_en from feed_items where user_id = 'anna'") == [(["Similar to Old job"],)]
    store = Store(world.published)
    store.refresh()
    assert store.generation is not None
    reader = store.generation.reader()
    assert b'"title":"Old job"' in (reader.get("detail", "hh:old") or b"")
    packed = reader.get_packed("feed", "anna")
    assert packed is not None
    _, [item] = decode_feed(packed)
    [(_, named)] = item.reasons
    assert named is not None
    assert str(named) == (reader.get("job", "hh:old") or b"").decode()


def test_a_reference_that_is_no_job_brings_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish_changes(feeds=feeds_with("skills", "hh:old"))
    assert world.jobs() == set(JOB_IDS)


@pytest.mark.parametrize("table", [APPLICATIONS, APPLICATION_EVENTS])
def test_a_closed_job_of_a_changed_application_is_published_with_it(tmp_path: Path, table: Table) -> None:
    world = World(tmp_path)
    row = {"user_id": "anna", "application_id": "a", "position": 1, "event_id": "e", "job_id": "hh:old"}
    rows = pl.DataFrame([{name: row[name] for name in row if name in table.columns}])
    world.publish_changes(**{table.name: table.conform(rows)})
    assert world.jobs() == {*JOB_IDS, "hh:old"}
