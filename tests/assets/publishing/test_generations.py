import datetime as dt
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import duckdb
import polars as pl
import pytest

from assets.publishing import build, full, generations, tables
from assets.publishing.database import export_database
from assets.publishing.validation import ValidationFailedError
from features.schemas.catalog import INTERACTIONS
from features.schemas.features import PREFERENCES, USER_PROFILES
from features.schemas.insight import DIGESTS
from features.schemas.ranking import FALLBACK_FEEDS
from serving.contract.generation import GenerationError
from serving.service.store import Store
from tests.factories import AS_OF, JOB_IDS, feeds, item, jobs, publish_small

LATER = AS_OF + dt.timedelta(days=1)


def test_a_generation_is_readable_with_nothing_but_duckdb(tmp_path: Path) -> None:
    name = publish_small(tmp_path).manifest.generation

    with duckdb.connect(str(tmp_path / name / "jobfeed.duckdb"), read_only=True) as con:
        rows = con.sql(
            "select rank, job_id, match_percent, reasons_en, reasons_ru, skills from feed_items"
            " where user_id = 'anna' order by rank"
        ).fetchall()

    assert [row[:3] for row in rows] == [(1, "hh:1", 85), (2, "hh:2", 75), (3, "hh:3", 65), (4, "hh:4", 55)]
    assert rows[0][3:5] == (["Matches your skills: Python, SQL"], ["Подходит по навыкам: Python, SQL"])
    assert rows[0][5] == pytest.approx(0.85)


def test_the_pointer_names_the_newest_generation_and_its_files_verify(tmp_path: Path) -> None:
    first = publish_small(tmp_path)
    second = publish_small(tmp_path, as_of=LATER)

    assert generations.current_generation(tmp_path) == second.manifest.generation
    assert second.manifest.parent == first.manifest.generation
    assert generations.verify(tmp_path, second.manifest.generation) == []
    assert [m.generation for m in generations.list_generations(tmp_path)] == [
        second.manifest.generation,
        first.manifest.generation,
    ]


def test_publishing_the_same_content_again_announces_nothing(tmp_path: Path) -> None:
    first = publish_small(tmp_path)
    again = publish_small(tmp_path)

    assert not again.is_new
    assert again.manifest == first.manifest
    assert len(generations.list_generations(tmp_path)) == 1


def test_how_long_digests_took_does_not_make_another_generation(tmp_path: Path) -> None:
    publish_small(tmp_path)
    slower = DIGESTS.conform(
        pl.DataFrame(
            {
                "user_id": ["anna"],
                "digest_date": [AS_OF.date()],
                "title": ["1 new job"],
                "summary": ["One"],
                "html": ["<!doctype html><p>hello"],
                "text": ["hello"],
                "generation_time_seconds": [9.0],
            }
        )
    )

    assert not publish_small(tmp_path, digests=slower).is_new


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"feeds": feeds({"anna": ["hh:404"], "b": ["hh:1"]})}, "jobs that are not published"),
        ({"jobs": jobs([{"job_id": "hh:1", "status": "closed"}])}, "jobs that are not open"),
        ({"feeds": feeds({"anna": ["hh:1", "hh:1"], "b": ["hh:1"]})}, "jobs shown twice"),
        ({"feeds": pl.concat([feeds({"anna": ["hh:1"]})] * 2)}, "occur more than once"),
        (
            {"jobs": jobs([{"job_id": job_id, "company_id": "one"} for job_id in JOB_IDS])},
            "more of one company at the top than the cap allows",
        ),
        (
            {
                "fallback_feeds": pl.DataFrame(
                    {"segment": ["all"], "items": [[item(1, "hh:1", score=1.5)]]},
                    schema_overrides=dict(FALLBACK_FEEDS.columns),
                )
            },
            "scores outside 0 to 1",
        ),
        ({"feeds": feeds({"anna": ["hh:1"]})}, "feeds: 1 rows; the served generation"),
    ],
)
def test_a_generation_that_breaks_a_rule_is_refused_and_the_last_one_stays(
    tmp_path: Path, changes: dict[str, pl.DataFrame], reason: str
) -> None:
    first = publish_small(tmp_path)

    with pytest.raises(ValidationFailedError, match=reason):
        publish_small(tmp_path, as_of=LATER, **changes)

    assert generations.current_generation(tmp_path) == first.manifest.generation
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".building")] == []


def test_sizes_are_not_compared_with_a_generation_of_another_time(tmp_path: Path) -> None:
    publish_small(tmp_path)
    assert publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=8), feeds=feeds({"anna": ["hh:1"]})).is_new


@pytest.mark.parametrize("is_duplicate", [False, True])
def test_a_job_that_the_user_applied_to_is_refused(tmp_path: Path, is_duplicate: bool) -> None:
    copy = jobs([{"job_id": "hh:copy", "status": "closed", "duplicate_of": "hh:1"}])
    row = {"user_id": "anna", "job_id": "hh:copy" if is_duplicate else "hh:1", "is_applied": True}
    interactions = INTERACTIONS.conform(pl.DataFrame([row]))
    with pytest.raises(ValidationFailedError, match="applied to or dismissed: 1"):
        publish_small(tmp_path, jobs=copy, interactions=interactions)


def test_a_job_that_the_user_blocked_is_refused(tmp_path: Path) -> None:
    profiles = USER_PROFILES.conform(pl.DataFrame({"user_id": ["anna"], "blocked_companies": [["Company 1"]]}))
    with pytest.raises(ValidationFailedError, match="of a company that the user blocked: 1"):
        publish_small(tmp_path, profiles=profiles)


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (full, "write_table"), (full, "described"), (full, "_write_lookup"), (full, "size_problems"),
        (build, "write_database"), (build, "checksums"),
    ],
)  # fmt: skip
def test_a_build_that_dies_at_any_step_leaves_the_last_generation_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    first = publish_small(tmp_path)

    def die(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, step, die)
        with pytest.raises(KeyboardInterrupt):
            publish_small(tmp_path, as_of=LATER)
    assert generations.current_generation(tmp_path) == first.manifest.generation
    assert generations.verify(tmp_path, first.manifest.generation) == []
    assert publish_small(tmp_path, as_of=LATER).is_new


@pytest.mark.parametrize("step", ["seal", "announce"])
def test_a_death_around_the_announcement_leaves_the_old_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first = publish_small(tmp_path)

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(generations, step, die)
        with pytest.raises(KeyboardInterrupt):
            publish_small(tmp_path, as_of=LATER)
    assert generations.current_generation(tmp_path) == first.manifest.generation
    second = publish_small(tmp_path, as_of=LATER)
    assert second.is_new
    assert generations.verify(tmp_path, second.manifest.generation) == []


def test_flipped_truncated_and_missing_files_are_found(tmp_path: Path) -> None:
    name = publish_small(tmp_path).manifest.generation
    database, lookup = tmp_path / name / "jobfeed.duckdb", tmp_path / name / "lookup.mdb"
    body = bytearray(database.read_bytes())
    body[5000] ^= 1
    database.write_bytes(bytes(body))
    lookup.write_bytes(lookup.read_bytes()[:-1])
    (tmp_path / name / "tables" / "jobs.parquet").unlink()

    problems = "\n".join(generations.verify(tmp_path, name))

    assert "jobfeed.duckdb: content differs" in problems
    assert "lookup.mdb:" in problems and "expected" in problems
    assert "tables/jobs.parquet: is missing" in problems


def test_a_damaged_generation_that_is_made_again_is_replaced_by_a_whole_one(tmp_path: Path) -> None:
    publish_small(tmp_path)
    name = publish_small(tmp_path, as_of=LATER).manifest.generation
    lookup = tmp_path / name / "lookup.mdb"
    store = Store(tmp_path)
    for rolled_back in (True, False):
        lookup.write_bytes(lookup.read_bytes()[:-1] + b"?")
        if rolled_back:
            generations.rollback(tmp_path, None)
        assert generations.verify(tmp_path, name) != []

        assert publish_small(tmp_path, as_of=LATER).is_new
        assert generations.current_generation(tmp_path) == name
        assert generations.verify(tmp_path, name) == []
    store.refresh()
    assert store.generation is not None
    assert store.generation.name == name
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".building")] == []


def test_rollback_serves_the_one_before_and_refuses_a_damaged_one(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    second = publish_small(tmp_path, as_of=LATER).manifest.generation

    assert generations.rollback(tmp_path, None) == first
    assert generations.current_generation(tmp_path) == first
    (tmp_path / second / "lookup.mdb").unlink()
    with pytest.raises(GenerationError, match="damaged"):
        generations.rollback(tmp_path, second)
    with pytest.raises(GenerationError, match="not a generation's name"):
        generations.rollback(tmp_path, "../../etc")
    assert generations.current_generation(tmp_path) == first


def test_what_a_rollback_is_about_to_announce_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=d)).manifest.generation for d in range(4)]
    checking, go_on = threading.Event(), threading.Event()
    original = generations.verify_touched

    def slow(published: Path, generation: str) -> list[str]:
        found = original(published, generation)
        checking.set()
        assert go_on.wait(30)
        return found

    monkeypatch.setattr(generations, "verify_touched", slow)
    with ThreadPoolExecutor(2) as pool:
        rolled_back = pool.submit(generations.rollback, tmp_path, names[0])
        assert checking.wait(30)
        pruned = pool.submit(generations.prune, tmp_path, kept=1)
        time.sleep(0.3)
        assert not pruned.done()
        go_on.set()
        assert rolled_back.result() == names[0]
        assert names[0] not in pruned.result()
    assert generations.verify(tmp_path, names[0]) == []


def test_young_ones_are_kept_however_many_because_impressions_of_them_may_still_come(tmp_path: Path) -> None:
    names = [publish_small(tmp_path, as_of=AS_OF + dt.timedelta(hours=h)).manifest.generation for h in range(6)]
    since = AS_OF + dt.timedelta(hours=1)
    assert generations.prune(tmp_path, kept=2, created_since=since) == names[:1]
    assert generations.prune(tmp_path, kept=2, created_since=AS_OF + dt.timedelta(hours=9)) == names[3:0:-1]


def test_only_the_newest_are_kept_and_never_is_the_served_one_removed(tmp_path: Path) -> None:
    names = [publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=d)).manifest.generation for d in range(4)]
    generations.rollback(tmp_path, names[0])
    (tmp_path / ".building-left-by-a-kill").mkdir()

    removed = generations.prune(tmp_path, kept=2)

    assert removed == [names[1]]
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {names[0], names[2], names[3]}


def test_feeds_of_the_lake_are_shared_not_copied(tmp_path: Path) -> None:
    shard = tmp_path / "lake" / "shard=0000.parquet"
    shard.parent.mkdir()
    feeds({"anna": ["hh:1"]}).write_parquet(shard)
    published = tmp_path / "published"
    folder = published / ".building-x"

    files = tables.write_table(folder, "feeds", tables.Source(files=[shard]))

    assert files[0].stat().st_ino == shard.stat().st_ino
    shutil.rmtree(published)
    assert shard.exists()


def test_the_views_follow_the_generation_to_where_it_was_moved(tmp_path: Path) -> None:
    name = publish_small(tmp_path / "a").manifest.generation
    moved = tmp_path / "it's moved"
    shutil.move(tmp_path / "a", moved)

    with duckdb.connect(str(moved / name / "jobfeed.duckdb"), read_only=True) as con:
        con.sql("set variable jobfeed_folder = $folder", params={"folder": str(moved / name)})
        assert con.sql("select count(*) from feed_items").fetchall() == [(8,)]


def test_an_exported_database_holds_the_rows_itself(tmp_path: Path) -> None:
    name = publish_small(tmp_path / "published").manifest.generation
    export_database(tmp_path / "published", name, tmp_path / "all.duckdb", memory_limit="1GB")
    shutil.rmtree(tmp_path / "published")

    with duckdb.connect(str(tmp_path / "all.duckdb"), read_only=True) as con:
        assert con.sql("select count(*) from feed_items").fetchall() == [(8,)]
        assert con.sql("select count(*) from jobs").fetchall() == [(8,)]
        kinds = dict(con.sql("select column_name, column_type from (describe feeds)").fetchall())
    assert kinds["generated_at"] == "TIMESTAMP WITH TIME ZONE"


def test_a_damaged_manifest_is_reported_and_does_not_stop_a_new_generation(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    manifest = tmp_path / first / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"code_version": "test"', '"code_version": "best"'))

    with pytest.raises(GenerationError, match="checksum"):
        generations.read_manifest(tmp_path, first)
    assert publish_small(tmp_path, as_of=LATER).is_new


def test_a_damaged_pointer_does_not_stop_a_new_generation(tmp_path: Path) -> None:
    publish_small(tmp_path)
    (tmp_path / "current").write_bytes(b"\xff\x00rubbish")
    with pytest.raises(GenerationError, match="expected a generation's name"):
        generations.current_generation(tmp_path)
    second = publish_small(tmp_path, as_of=LATER)
    assert second.is_new
    assert generations.current_generation(tmp_path) == second.manifest.generation


@pytest.mark.parametrize("pointer", [None, b"\xff\x00rubbish", b"20260301T020000Z-00000000"])
def test_a_rollback_to_a_named_generation_mends_the_pointer(tmp_path: Path, pointer: bytes | None) -> None:
    names = [publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=d)).manifest.generation for d in range(2)]
    (tmp_path / "current").unlink()
    if pointer is not None:
        (tmp_path / "current").write_bytes(pointer)
    if pointer is None or b"rubbish" in pointer:
        with pytest.raises(GenerationError, match=names[0]):
            generations.rollback(tmp_path, None)
    assert generations.rollback(tmp_path, names[1]) == names[1]
    assert generations.current_generation(tmp_path) == names[1]


def test_a_rollback_goes_past_generations_that_were_removed(tmp_path: Path) -> None:
    names = [publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=d)).manifest.generation for d in range(3)]
    shutil.rmtree(tmp_path / names[1])
    assert generations.rollback(tmp_path, None) == names[0]
    with pytest.raises(GenerationError, match="is the first generation"):
        generations.rollback(tmp_path, None)


def test_a_quick_verification_reads_only_files_that_were_written_to(tmp_path: Path) -> None:
    name = publish_small(tmp_path).manifest.generation
    database = tmp_path / name / "jobfeed.duckdb"
    status = database.stat()
    body = bytearray(database.read_bytes())
    body[5000] ^= 1
    database.write_bytes(bytes(body))
    assert generations.verify_touched(tmp_path, name) != []
    os.utime(database, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert generations.verify_touched(tmp_path, name) == []
    assert generations.verify(tmp_path, name) != []


def test_a_folder_in_the_place_of_the_pointer_is_named_and_stops_no_build(tmp_path: Path) -> None:
    made = publish_small(tmp_path).manifest.generation
    pointer = tmp_path / "current"
    pointer.unlink()
    pointer.mkdir()
    for ask in (
        lambda: generations.current_generation(tmp_path),
        lambda: generations.announce(tmp_path, made),
        lambda: generations.rollback(tmp_path, made),
        lambda: publish_small(tmp_path, as_of=LATER),
    ):
        with pytest.raises(GenerationError, match=r"current is a folder.*Remove the folder"):
            ask()
    pointer.rmdir()
    assert publish_small(tmp_path, as_of=LATER).is_announced


def test_a_flipped_byte_of_any_file_is_found_also_with_the_old_time(tmp_path: Path) -> None:
    name = publish_small(tmp_path).manifest.generation
    files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file() and path.stat().st_size)
    assert "jobfeed.duckdb" in [path.name for path in files]
    for path in files:
        whole, status = path.read_bytes(), path.stat()
        body = bytearray(whole)
        body[len(body) // 2] ^= 1
        path.write_bytes(body)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert not generations.is_whole(tmp_path, name), path.name
        path.write_bytes(whole)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert generations.is_whole(tmp_path, name)


def preferences(*rows: tuple[str, str]) -> pl.DataFrame:
    """Rows of PREFERENCES by user and value."""
    names = [{"user_id": user, "dimension": "skill", "value": value} for user, value in rows]
    return PREFERENCES.conform(pl.DataFrame(names))


def stored(path: Path, rows: pl.DataFrame) -> tables.Source:
    rows.write_parquet(path)
    return tables.Source(frame=pl.scan_parquet(path), read_from=[path])


def test_a_table_that_the_lake_holds_in_order_is_shared_and_any_other_is_written_in_order(tmp_path: Path) -> None:
    in_order = preferences(("a", "go"), ("a", "sql"), ("b", "go"))
    for name, rows, is_shared in (
        ("shared", in_order, True),
        ("unsorted", in_order.reverse(), False),
        ("unsorted in the last column", in_order[[1, 0, 2]], False),
        ("with a column more", in_order.with_columns(more=1), False),
        ("without rows", in_order.clear(), True),
    ):
        folder = tmp_path / name
        folder.mkdir()
        lake_file = folder / "lake.parquet"
        (path,) = tables.write_table(folder, "preferences", stored(lake_file, rows))
        assert path.samefile(lake_file) == is_shared, name
        assert pl.read_parquet(path).equals(rows.select(in_order.columns).sort(PREFERENCES.key)), name
