import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import psycopg
import pytest

from assets.publishing import generations
from assets.publishing.assets import _copy_to_postgres, generation
from assets.publishing.postgres import PostgresError, replicate
from assets.resources import ANNOUNCE_TAG, AS_OF_TAG, RunClock, Workspace
from features.schemas.features import TRENDING
from features.schemas.insight import DIGESTS
from serving.contract.tables import TABLES
from tests.factories import AS_OF, JOB_IDS, feeds, jobs, make_older, publish_small, publish_small_changes, recipes
from tests.postgres import postgres_server

HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres_server() as found:
        yield found


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)


@pytest.fixture
def dsn(server: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop schema if exists jobfeed cascade")
    return server


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def copied(dsn: str, published: Path, generation: str) -> dict[str, int]:
    return replicate(dsn, published, generation, schema="jobfeed", memory_limit="1GB")


def test_all_tables_arrive_with_their_rows_and_types(dsn: str, tmp_path: Path) -> None:
    strange = 'quote " comma , back \\ slash\nline \0nul, {brace} и кириллица'
    tricky = jobs([{"job_id": "hh:1", "title": strange, "skills": ["a,b", 'c"d', "e\\f", ""], "city": "", "tags": []}])
    name = publish_small(tmp_path, jobs=tricky).manifest.generation

    written = copied(dsn, tmp_path, name)

    assert set(written) == set(TABLES)
    assert (written["feeds"], written["jobs"]) == (2, 8)
    [(title, skills, city, tags, company, published_at)] = rows(
        dsn, "select title, skills, city, tags, closed_at, published_at from jobfeed.jobs where job_id = 'hh:1'"
    )
    assert title == strange.replace("\0", "")
    assert skills == ["a,b", 'c"d', "e\\f", ""]
    assert (city, tags, company) == ("", [], None)
    assert published_at == AS_OF - dt.timedelta(days=1)
    items = rows(
        dsn,
        "select item->>'job_id', (item->>'score')::real, item->'reasons'->0->>'code'"
        " from jobfeed.feeds, jsonb_array_elements(items) as item where user_id = 'anna' order by (item->>'rank')::int",
    )
    assert items[0] == ("hh:1", pytest.approx(0.85), "skills")
    assert [item[0] for item in items] == JOB_IDS[:4]
    assert rows(dsn, "select generation, as_of from jobfeed.generation") == [(name, AS_OF)]


def test_lists_of_structs_arrive_whatever_stands_in_them(dsn: str, tmp_path: Path) -> None:
    names = ["\0", "a\0\0b", "\\u0000", "\\\0", "\\\\u0000\0c", 'q"\0"']
    trends = [{"name": name, "n_jobs": 1, "change": 0.0} for name in names]
    digests = DIGESTS.conform(
        pl.DataFrame(
            {"user_id": ["anna"], "digest_date": [AS_OF.date()], "market_trends": [trends]},
            schema_overrides={"market_trends": DIGESTS.columns["market_trends"]},
        )
    )
    copied(dsn, tmp_path, publish_small(tmp_path, digests=digests).manifest.generation)

    [(found,)] = rows(dsn, "select market_trends from jobfeed.digests")
    assert [trend["name"] for trend in found] == [name.replace("\0", "") for name in names]  # type: ignore[attr-defined]


def test_after_a_rollback_users_of_both_deltas_are_copied(dsn: str, tmp_path: Path) -> None:
    publish_small(tmp_path)
    for job_id in ("hh:1", "hh:2"):
        rows_now = feeds({"anna": [job_id], "борис": ["hh:5"]})
        hours = int(job_id[-1])
        changed = publish_small_changes(tmp_path, as_of=AS_OF + hours * HOUR, feeds=rows_now).manifest.generation
        copied(dsn, tmp_path, changed)
        generations.rollback(tmp_path, None)
    found = rows(dsn, "select user_id, items->0->>'job_id' from jobfeed.feeds order by 1")
    assert found == [("anna", "hh:2"), ("борис", "hh:5")]


def test_only_the_changed_rows_of_a_following_generation_are_copied(dsn: str, tmp_path: Path) -> None:
    copied(dsn, tmp_path, publish_small(tmp_path).manifest.generation)
    publish_small_changes(tmp_path, as_of=AS_OF + HOUR, feeds=feeds({"anna": ["hh:5"], "c": ["hh:1"]}))
    # That one was skipped. Since then anna's feed changed again, and one job did.
    second = publish_small_changes(
        tmp_path,
        as_of=AS_OF + 2 * HOUR,
        feeds=feeds({"anna": ["hh:6"], "c": ["hh:1"]}),
        jobs=jobs([{"job_id": "hh:2", "title": "Renamed"}]),
    ).manifest.generation

    assert copied(dsn, tmp_path, second) == {"feeds": 2, "jobs": 1}
    assert rows(dsn, "select user_id, items->0->>'job_id' from jobfeed.feeds order by 1") == [
        ("anna", "hh:6"),
        ("c", "hh:1"),
    ]
    assert rows(dsn, "select title from jobfeed.jobs where job_id = 'hh:2'") == [("Renamed",)]
    assert copied(dsn, tmp_path, second) == {}


def test_after_a_full_generation_or_one_that_is_gone_all_that_differs_is_copied(dsn: str, tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    copied(dsn, tmp_path, first)
    second = publish_small(tmp_path, as_of=AS_OF + HOUR, feeds=feeds({"a": ["hh:1"], "b": []})).manifest.generation
    assert copied(dsn, tmp_path, second) == {"feeds": 2}
    shutil.rmtree(tmp_path / second)
    assert set(copied(dsn, tmp_path, first)) == set(TABLES)
    assert rows(dsn, "select user_id from jobfeed.feeds order by 1") == [("anna",), ("борис",)]


def test_a_copy_of_an_older_schema_gets_new_columns_and_new_names(dsn: str, tmp_path: Path) -> None:
    name = publish_small(tmp_path).manifest.generation
    copied(dsn, tmp_path, name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute('alter table jobfeed.trending rename column period to "window"')
        connection.execute("alter table jobfeed.recipes drop column cap")
        # A column in the middle: it comes last when it is added again.
        connection.execute("alter table jobfeed.jobs drop column title")
    capped = recipes(cap=0.1)
    later = publish_small(tmp_path, as_of=AS_OF + HOUR, recipes=capped, jobs=jobs([{"job_id": "hh:2", "city": "Oral"}]))
    copied(dsn, tmp_path, later.manifest.generation)
    assert rows(dsn, "select period, area, rank, job_id from jobfeed.trending") == [("24h", "all", 1, "hh:3")]
    assert rows(dsn, "select recipe, component, cap from jobfeed.recipes") == [("marketplace", "skills", 0.1)]
    assert rows(dsn, "select city, title from jobfeed.jobs where job_id = 'hh:3'") == [("Almaty", "Разработчик 3")]


def test_a_generation_of_an_older_schema_is_copied(dsn: str, tmp_path: Path) -> None:
    name = publish_small(tmp_path).manifest.generation
    make_older(tmp_path, name)
    assert copied(dsn, tmp_path, name)["recipes"] == 1
    assert rows(dsn, "select recipe, component, cap from jobfeed.recipes") == [("marketplace", "skills", None)]


def test_a_failure_leaves_what_was_there_and_reveals_no_secret(dsn: str, tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    copied(dsn, tmp_path, first)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("alter table jobfeed.trending add check (score < 10)")
    hot = TRENDING.conform(
        pl.DataFrame({"period": ["24h"], "area": ["all"], "rank": [1], "job_id": ["hh:1"], "score": [99.0]})
    )
    second = publish_small(
        tmp_path, as_of=AS_OF + HOUR, feeds=feeds({"a": ["hh:1"], "b": []}), trending=hot
    ).manifest.generation

    with pytest.raises(PostgresError, match="SQLSTATE 23514") as raised:
        copied(dsn, tmp_path, second)
    assert "99" not in str(raised.value)
    assert rows(dsn, "select user_id from jobfeed.feeds order by 1") == [("anna",), ("борис",)]
    assert rows(dsn, "select generation from jobfeed.generation") == [(first,)]
    with pytest.raises(PostgresError) as raised:
        copied("host=/nowhere user=u password=s3cret", tmp_path, second)
    assert "s3cret" not in str(raised.value) and "nowhere" not in str(raised.value)


def test_readers_see_the_old_generation_until_the_new_one_is_there(dsn: str, tmp_path: Path) -> None:
    copied(dsn, tmp_path, publish_small(tmp_path).manifest.generation)
    second = publish_small(tmp_path, as_of=AS_OF + HOUR, feeds=feeds({"a": ["hh:1"], "b": []})).manifest.generation
    with psycopg.connect(dsn) as reader:
        reader.execute("set transaction isolation level repeatable read")
        before = reader.execute("select user_id from jobfeed.feeds order by 1").fetchall()
        copied(dsn, tmp_path, second)
        assert reader.execute("select user_id from jobfeed.feeds order by 1").fetchall() == before
    assert rows(dsn, "select user_id from jobfeed.feeds order by 1") == [("a",), ("b",)]


def workspace_with_postgres(folder: Path) -> Workspace:
    config = folder / "config"
    config.mkdir()
    (config / "pipeline.yaml").write_text("publishing: {postgres: {enabled: true}}\n")
    return Workspace(data_dir=str(folder), config_dir=str(config))


def test_the_run_copies_where_it_is_switched_on_and_fails_aloud_without_a_server(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspace_with_postgres(tmp_path)
    name = publish_small(workspace.published).manifest.generation

    monkeypatch.delenv("JOBFEED_POSTGRES_DSN", raising=False)
    with pytest.raises(dg.Failure, match="JOBFEED_POSTGRES_DSN is not set"):
        _copy_to_postgres(workspace, name)
    monkeypatch.setenv("JOBFEED_POSTGRES_DSN", "host=/nowhere password=s3cret")
    with pytest.raises(dg.Failure, match=f"{name} is served from its files"):
        _copy_to_postgres(workspace, name)
    monkeypatch.setenv("JOBFEED_POSTGRES_DSN", dsn)
    assert "feeds: 2" in _copy_to_postgres(workspace, name)
    assert _copy_to_postgres(workspace, name) == "up to date"
    assert _copy_to_postgres(Workspace(data_dir=str(tmp_path)), name) == "off"


def test_old_generations_are_removed_although_the_copy_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = workspace_with_postgres(tmp_path)
    for days in range(5):
        publish_small(workspace.published, as_of=AS_OF + dt.timedelta(days=days))
    monkeypatch.setenv("JOBFEED_POSTGRES_DSN", "host=/nowhere")
    result = dg.materialize(
        [generation],
        resources={"workspace": workspace, "clock": RunClock()},
        # The lake is empty.
        tags={AS_OF_TAG: (AS_OF + dt.timedelta(days=30)).isoformat(), ANNOUNCE_TAG: "always"},
        raise_on_error=False,
    )
    [failure] = result.get_step_failure_events()
    assert "is served from its files" in str(failure.step_failure_data.user_failure_data)
    assert len(generations.list_generations(workspace.published)) == 5


@pytest.mark.parametrize(
    ("error", "n_attempts"),
    [
        (psycopg.OperationalError("connection failed: Connection refused"), 4),
        (psycopg.OperationalError('connection failed: FATAL:  password authentication failed for user "u"'), 1),
        (psycopg.OperationalError("connection failed: FATAL:  the database system is starting up"), 4),
        (psycopg.errors.SerializationFailure("conflict"), 4),
        (psycopg.errors.AdminShutdown("terminating"), 4),
        (psycopg.errors.InsufficientPrivilege("permission denied for schema"), 1),
        (psycopg.errors.DiskFull("no space"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_copy_is_tried_again_only_if_that_may_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error, n_attempts: int
) -> None:
    name = publish_small(tmp_path).manifest.generation
    asked = []

    def fail(*_: object, **__: object) -> None:
        asked.append(1)
        raise error

    monkeypatch.setattr("assets.publishing.postgres.psycopg.connect", fail)
    with pytest.raises(PostgresError, match="PostgreSQL keeps the generation that it has"):
        copied("host=unused", tmp_path, name)
    assert len(asked) == n_attempts


def test_a_copy_goes_on_after_the_connection_broke_once(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = publish_small(tmp_path).manifest.generation
    real, asked = psycopg.connect, []

    def at_last(*words: object, **options: object) -> object:
        asked.append(1)
        if len(asked) == 1:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return real(*words, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("assets.publishing.postgres.psycopg.connect", at_last)
    assert copied(dsn, tmp_path, name)["feeds"] == 2
    assert len(asked) == 2
