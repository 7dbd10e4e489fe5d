import datetime as dt
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import lmdb
import orjson
import polars as pl
import pytest
import zstandard

from assets.lake import Lake
from assets.publishing import delta, generations
from assets.publishing.build import Published
from assets.publishing.delta import publish_delta
from assets.publishing.diff import TableDifference, differing_tables
from assets.publishing.full import publish_full
from assets.publishing.lookup import delta_files as layers
from assets.publishing.tables import Source
from assets.publishing.validation import ValidationFailedError
from assets.ranking.listed import feeds_table
from assets.ranking.matches import matches_table
from features.schemas.catalog import INTERACTIONS
from features.schemas.features import PREFERENCES, TRENDING
from features.schemas.insight import DIGESTS
from features.schemas.ranking import FEEDS, MATCHES
from features.schemas.training import SIMILAR_JOBS
from serving.contract.keys import KEYSPACES, USER_PREFIXES
from serving.contract.tables import KEYS, TABLES
from serving.service.store import Store
from tests import factories
from tests.factories import AS_OF, JOB_IDS, feeds, jobs, matches, publish_small, publish_small_changes
from tests.packed import names_of, plain_value, unpacked_feed

HOUR = dt.timedelta(hours=1)


def values_of(folder: Path) -> dict[bytes, Any]:
    """Every look-up value of a generation as the service would give it out."""
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    found: dict[bytes, Any] = {}
    for stack in KEYSPACES:
        for file in reversed(manifest["lookup"][stack]):
            copy = folder.parent / "copy.mdb"
            copy.write_bytes((folder / file["path"]).read_bytes())
            with lmdb.open(str(copy), subdir=False, readonly=True, lock=False) as env, env.begin() as transaction:
                for key, value in transaction.cursor():
                    is_of_stack = key.split(b":")[0].decode() in USER_PREFIXES
                    if is_of_stack == (stack == "users") and key != b"dictionary:":
                        found[key] = value
            copy.unlink()
    values, names = {}, names_of(folder)
    for key, value in found.items():
        if value:
            text = zstandard.ZstdDecompressor().decompress(value) if value[0] == 0x28 else value
            values[key] = plain_value(key, text, folder, names)
            if key.startswith(b"fallback:"):
                values[key][0] = None  # as of when, which an unchanged one does not follow
    return values


def rows_of(folder: Path) -> dict[str, pl.DataFrame]:
    with duckdb.connect(str(folder / "jobfeed.duckdb"), read_only=True) as con:
        con.sql("set timezone = 'UTC'")
        return {table: con.sql(f'select * from "{table}"').pl().sort(KEYS[table]) for table in TABLES}


def preferences(users: Mapping[str, float]) -> pl.DataFrame:
    rows = [
        {"user_id": user, "dimension": "skill", "value": value, "affinity": affinity, "confidence": 0.5, "n": 2}
        for user, affinity in users.items()
        for value in ("Python", "SQL")
    ]
    return PREFERENCES.conform(pl.DataFrame(rows, schema_overrides=dict(PREFERENCES.columns)))


def digests(keys: list[tuple[str, int]]) -> pl.DataFrame:
    rows = [
        {"user_id": user, "digest_date": AS_OF.date() + dt.timedelta(days=day), "html": f"<p>{day}", "title": user}
        for user, day in keys
    ]
    return DIGESTS.conform(pl.DataFrame(rows, schema_overrides=dict(DIGESTS.columns)))


def trending(job_ids: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame({"job_id": job_ids}).select(
        period=pl.lit("24h"), area=pl.lit("all"), rank=pl.int_range(1, pl.len() + 1), job_id="job_id", score=1.0
    )
    return TRENDING.conform(frame)


def random_tables(rng: random.Random) -> dict[str, pl.DataFrame]:
    users = rng.sample([f"u{n}" for n in range(30)], 24)
    return {
        "feeds": feeds({user: rng.sample(JOB_IDS, rng.randint(0, 4)) for user in users}),
        "jobs": jobs(
            [{"job_id": rng.choice(JOB_IDS), "title": rng.choice("AB")}, {"job_id": f"hh:1{rng.randint(0, 3)}"}]
        ),
        "preferences": preferences({user: rng.choice([0.5, 0.25]) for user in users[:6]}),
        "matches": pl.concat(
            matches(user, [(job_id, rng.randint(60, 100)) for job_id in rng.sample(JOB_IDS, 2)]) for user in users[:6]
        ),
        "digests": digests(sorted({(rng.choice(users[:3]), rng.randint(0, 2)) for _ in range(3)})),
        "trending": trending(rng.sample(JOB_IDS, 2)),
        "similar_jobs": SIMILAR_JOBS.conform(
            pl.DataFrame({"job_id": rng.sample(JOB_IDS, 2), "items": [[{"job_id": JOB_IDS[0], "score": 0.5}]] * 2})
        ),
    }


def test_after_any_changes_a_generation_is_equal_to_one_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_BATCH_FEEDS", 2)
    monkeypatch.setattr("assets.publishing.validation._CHECKED_FEEDS", 2)
    rng = random.Random(5)
    publish_small(tmp_path / "delta", **random_tables(rng))
    for hour in range(1, layers.MERGED_DELTAS + 3):
        tables = random_tables(rng)
        changed = publish_small_changes(tmp_path / "delta", as_of=AS_OF + hour * HOUR, **tables).manifest
        assert changed.kind == "delta"
    anew = publish_small(tmp_path / "full", as_of=AS_OF + hour * HOUR, **tables).manifest

    one, other = tmp_path / "delta" / changed.generation, tmp_path / "full" / anew.generation
    assert len(changed.lookup["users"]) < layers.MERGED_DELTAS
    assert values_of(one) == values_of(other)
    rows, expected = rows_of(one), rows_of(other)
    for table in TABLES:
        assert rows[table].equals(expected[table]), table
        assert changed.tables[table]["rows"] == anew.tables[table]["rows"], table
    assert generations.verify(tmp_path / "delta", changed.generation) == []


def test_what_did_not_change_is_shared_and_what_did_is_small(tmp_path: Path) -> None:
    first = tmp_path / publish_small(tmp_path).manifest.generation
    changed = publish_small_changes(tmp_path, as_of=AS_OF + HOUR, feeds=feeds({"anna": ["hh:5"], "борис": ["hh:5"]}))
    second = tmp_path / changed.manifest.generation

    own = {str(path.relative_to(second)) for path in second.rglob("*") if path.is_file() and path.stat().st_nlink == 1}
    assert own == {
        "manifest.json", "jobfeed.duckdb", "changes/0001/feeds.parquet", "changed/feeds.parquet",
        "lookup/users-0001.mdb",
    }  # fmt: skip
    assert (second / "lookup.mdb").samefile(first / "lookup.mdb")
    assert changed.manifest.base == first.name


@pytest.mark.parametrize(
    ("table", "versions"),
    [
        # Of small tables and of rows that only go a delta holds no changed rows, but look-up values.
        ("trending", [trending(["hh:1"]), trending(["hh:2"]), trending(["hh:3"])]),
        ("preferences", [preferences(dict.fromkeys(users, 0.5)) for users in ("abc", "ab", "a")]),
    ],
)
def test_a_delta_never_writes_into_the_files_of_the_one_before(
    tmp_path: Path, table: str, versions: list[pl.DataFrame]
) -> None:
    made = [publish_small(tmp_path).manifest.generation]
    for hour, rows in enumerate(versions, start=1):
        made.append(publish_small_changes(tmp_path, as_of=AS_OF + hour * HOUR, **{table: rows}).manifest.generation)
    assert [generations.verify(tmp_path, name) for name in made] == [[]] * len(made)
    anew = publish_small(tmp_path / "full", **{table: versions[-1]}).manifest.generation
    assert values_of(tmp_path / made[-1]) == values_of(tmp_path / "full" / anew)


def test_after_a_rollback_new_changes_are_distinct_from_the_rolled_back_ones(tmp_path: Path) -> None:
    publish_small(tmp_path)
    feeds_of = [feeds({"anna": [job_id], "борис": ["hh:5"]}) for job_id in ("hh:1", "hh:2")]
    bad = publish_small_changes(tmp_path, as_of=AS_OF + HOUR, feeds=feeds_of[0]).manifest
    generations.rollback(tmp_path, None)
    good = publish_small_changes(tmp_path, as_of=AS_OF + 2 * HOUR, feeds=feeds_of[1]).manifest

    assert good.parent == bad.parent
    found = differing_tables(tmp_path, bad.generation, good.generation, memory_limit="1GB")
    assert found == [TableDifference("feeds", 0, 0, 1)]


def test_nothing_new_announces_nothing(tmp_path: Path) -> None:
    first = publish_small(tmp_path)
    again = publish_small_changes(tmp_path, as_of=AS_OF + HOUR)
    assert not again.is_new
    assert generations.current_generation(tmp_path) == first.manifest.generation
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".building")] == []


def test_a_new_sighting_alone_is_no_change(tmp_path: Path) -> None:
    publish_small(tmp_path)
    seen = jobs([{"job_id": "hh:1", "last_seen_at": AS_OF + HOUR}])
    assert not publish_small_changes(tmp_path, as_of=AS_OF + HOUR, jobs=seen).is_new


def test_a_past_instant_another_code_and_a_damaged_base_are_published_in_full(tmp_path: Path) -> None:
    first = publish_small(tmp_path)
    replayed = publish_small_changes(tmp_path, as_of=AS_OF, feeds=feeds({"anna": ["hh:5"], "борис": ["hh:6"]}))
    assert (first.manifest.kind, replayed.manifest.kind) == ("full", "full")
    (tmp_path / replayed.manifest.generation / "tables" / "jobs.parquet").unlink()
    assert publish_small_changes(tmp_path, as_of=AS_OF + HOUR).manifest.kind == "full"
    assert publish_small_changes(tmp_path / "none", as_of=AS_OF).manifest.kind == "full"


def test_too_many_lookup_files_lead_to_a_full_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "MAX_LOOKUP_FILES", 2)
    publish_small(tmp_path)
    kinds = [
        publish_small_changes(
            tmp_path, as_of=AS_OF + n * HOUR, feeds=feeds({"a": [f"hh:{n}"], "b": ["hh:1"]})
        ).manifest.kind
        for n in (1, 2, 3)
    ]
    assert kinds == ["delta", "full", "delta"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"feeds": feeds({"anna": ["hh:404"], "борис": ["hh:1"]})}, "jobs that are not published"),
        ({"feeds": feeds({"anna": ["hh:1", "hh:1"], "борис": ["hh:1"]})}, "jobs shown twice"),
        ({"feeds": pl.concat([feeds({"anna": ["hh:1"]})] * 2)}, "occur more than once"),
        ({"feeds": feeds({"anna": ["hh:1"]})}, "feeds: 1 rows; the served generation"),
        ({"jobs": jobs([{"job_id": "hh:1", "status": "closed"}])}, "in feeds that did not change: 1"),
        ({"jobs": jobs().filter(pl.col("job_id") != "hh:8")}, "in feeds that did not change: 1"),
    ],
)
def test_changes_that_break_a_rule_are_refused(tmp_path: Path, changes: dict[str, pl.DataFrame], reason: str) -> None:
    first = publish_small(tmp_path)
    with pytest.raises(ValidationFailedError, match=reason):
        publish_small_changes(tmp_path, as_of=AS_OF + HOUR, **changes)
    assert generations.current_generation(tmp_path) == first.manifest.generation


def test_a_job_that_a_user_of_a_changed_feed_applied_to_is_refused(tmp_path: Path) -> None:
    row = {"user_id": "anna", "job_id": "hh:5", "is_applied": True, "is_dismissed": False}
    interactions = INTERACTIONS.conform(pl.DataFrame([row]))
    publish_small(tmp_path, interactions=interactions)
    with pytest.raises(ValidationFailedError, match="applied to or dismissed: 1"):
        publish_small_changes(
            tmp_path, as_of=AS_OF + HOUR, interactions=interactions, feeds=feeds({"anna": ["hh:5"], "борис": ["hh:1"]})
        )


class LayeredFeeds:
    """Feeds in shard files under layers, as ranking writes them."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.published = Lake(folder / "lake"), folder / "published"
        self.table = feeds_table(self.lake)

    def rank_all(self, **shards: dict[str, list[str]]) -> None:
        for shard, lists in shards.items():
            self.lake.replace_partition("ranking", FEEDS, shard, feeds(lists))
        self.table.rebase({})

    def rank_some(self, lists: dict[str, list[str]], *gone: str) -> None:
        """Adds a layer; the number of rows is not of interest here."""
        self.table.add(feeds(lists), pl.DataFrame({"user_id": gone}, {"user_id": pl.String}), {}, n_rows_before=0)

    def publish(self, as_of: dt.datetime, how: Callable[..., Published] = publish_delta) -> Published:
        files = self.lake.files("ranking", FEEDS.name)
        tables = factories.sources() | {"feeds": Source(files=files, layered=self.table)}
        return how(factories.publishing_run(self.published, as_of=as_of), tables)

    def served(self) -> dict[str, list[str]]:
        folder = self.published / str(generations.current_generation(self.published))
        with duckdb.connect(str(folder / "jobfeed.duckdb"), read_only=True) as con:
            rows = con.sql("select user_id, list_transform(items, lambda i: i.job_id) from feeds").fetchall()
        looked_up = {
            key.removeprefix(b"feed:").decode(): [item[0] for item in value[4]]
            for key, value in values_of(folder).items()
            if key.startswith(b"feed:")
        }
        assert dict(rows) == looked_up
        return looked_up


def test_a_delta_holds_only_the_feeds_of_new_layers(tmp_path: Path) -> None:
    world = LayeredFeeds(tmp_path)
    world.rank_all(**{"shard=0": {"a": ["hh:1", "hh:2"], "b": ["hh:2"]}, "shard=1": {"c": ["hh:3"], "d": ["hh:4"]}})
    world.publish(AS_OF, publish_full)

    # a is ranked again; that run published nothing. Then c is, d goes, e comes.
    world.rank_some({"a": ["hh:5"]})
    world.rank_some({"c": ["hh:6"], "e": ["hh:7"]}, "d")
    first = world.publish(AS_OF + 2 * HOUR)
    assert first.manifest.kind == "delta"
    changed = pl.read_parquet(world.published / first.manifest.generation / "changed" / "feeds.parquet")
    assert dict(changed.select("user_id", "layer").iter_rows()) == {"a": 1, "c": 1, "d": None, "e": 1}
    assert world.served() == {"a": ["hh:5"], "b": ["hh:2"], "c": ["hh:6"], "e": ["hh:7"]}
    assert first.manifest.rows("feeds") == 4

    # Layers that were merged still show what is new; then e goes and d comes back.
    world.rank_some({"b": []})
    world.table.merge_layers()
    second = world.publish(AS_OF + 3 * HOUR)
    rows = pl.read_parquet(world.published / second.manifest.generation / "changes" / "0002" / "feeds.parquet")
    assert rows["user_id"].to_list() == ["b"]
    assert world.served() == {"a": ["hh:5"], "b": [], "c": ["hh:6"], "e": ["hh:7"]}
    world.rank_some({"d": ["hh:8"]}, "e")
    third = world.publish(AS_OF + 4 * HOUR)
    assert world.served() == {"a": ["hh:5"], "b": [], "c": ["hh:6"], "d": ["hh:8"]}
    assert third.manifest.rows("feeds") == 4
    assert not world.publish(AS_OF + 5 * HOUR).is_new


def test_feeds_that_were_all_ranked_again_are_published_in_full(tmp_path: Path) -> None:
    world = LayeredFeeds(tmp_path)
    world.rank_all(**{"shard=0": {"a": ["hh:1"]}})
    world.publish(AS_OF, publish_full)
    world.rank_all(**{"shard=1": {"b": ["hh:1"]}})
    assert world.publish(AS_OF + HOUR).manifest.kind == "full"
    assert world.served() == {"a": ["hh:1"], "b": ["hh:1"]}


def test_a_full_generation_holds_the_layers_too(tmp_path: Path) -> None:
    world = LayeredFeeds(tmp_path)
    world.rank_all(**{"shard=0": {"a": ["hh:1"], "b": ["hh:2"]}, "shard=1": {"c": ["hh:3"]}})
    world.rank_some({"a": ["hh:4"], "d": ["hh:5"]}, "c")
    assert world.publish(AS_OF).manifest.kind == "full"
    assert world.served() == {"a": ["hh:4"], "b": ["hh:2"], "d": ["hh:5"]}
    world.rank_some({"b": ["hh:6"]})
    assert world.publish(AS_OF + HOUR).manifest.kind == "delta"
    assert world.served() == {"a": ["hh:4"], "b": ["hh:6"], "d": ["hh:5"]}


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ([("skill", "Data Analysis", "ru", "Анализ данных"), ("place", "Osh", "ru", "Ош")], "delta"),
        ([("place", "Osh", "ru", "Ош")], "delta"),
        ([("skill", "Data Analysis", "ru", "Анализ")], "full"),
    ],
)
def test_only_another_name_of_the_same_thing_changes_all_texts(
    tmp_path: Path, names: list[tuple[str, ...]], kind: str
) -> None:
    publish_small(tmp_path)
    table = pl.DataFrame(names, schema=list(TABLES["display_names"]), orient="row")
    made = publish_small_changes(tmp_path, as_of=AS_OF + HOUR, display_names=table)
    assert made.manifest.kind == kind
    assert rows_of(tmp_path / made.manifest.generation)["display_names"].sort("kind").equals(table.sort("kind"))


def test_matches_in_parts_are_published_with_their_layers(tmp_path: Path) -> None:
    lake, published = Lake(tmp_path / "lake"), tmp_path / "published"
    table = matches_table(lake)
    for part, user in (("part=0", "b"), ("part=1", "a")):
        lake.replace_partition("ranking", MATCHES, part, matches(user, [("hh:1", 80), ("hh:2", 70)]))
    table.rebase({})

    def publish(hour: int) -> tuple[Published, dict[str, list[str]]]:
        source = Source(files=lake.files("ranking", MATCHES.name), layered=table)
        run = factories.publishing_run(published, as_of=AS_OF + hour * HOUR)
        made = publish_delta(run, factories.sources() | {"matches": source})
        folder = published / made.manifest.generation
        rows = rows_of(folder)["matches"]
        found = {
            key.removeprefix(b"matches:").decode(): [match["job_id"] for match in value]
            for key, value in values_of(folder).items()
            if key.startswith(b"matches:")
        }
        assert {user: set(jobs) for user, jobs in found.items()} == {
            user: set(part["job_id"]) for (user,), part in rows.group_by("user_id")
        }
        return made, found

    assert publish(0)[1] == {"a": ["hh:1", "hh:2"], "b": ["hh:1", "hh:2"]}
    table.add(matches("a", [("hh:3", 90)]), pl.DataFrame({"user_id": ["b"]}), {}, n_rows_before=4)
    made, found = publish(1)
    assert (made.manifest.kind, made.manifest.rows("matches"), found) == ("delta", 1, {"a": ["hh:3"]})


def test_jobs_that_changed_feeds_refer_to_are_published_with_them(tmp_path: Path) -> None:
    lake_jobs = tmp_path / "jobs.parquet"
    jobs([{"job_id": "hh:9", "status": "open"}, {"job_id": "hh:old", "status": "closed"}]).write_parquet(lake_jobs)
    published = tmp_path / "published"
    publish_small(published, jobs=jobs())

    def changed(hour: int, **tables: pl.DataFrame) -> set[str]:
        sources = factories.sources(**tables)
        sources["jobs"] = Source(frame=pl.scan_parquet(lake_jobs), read_from=[lake_jobs])
        made = publish_delta(factories.publishing_run(published, as_of=AS_OF + hour * HOUR), sources)
        assert made.manifest.kind == "delta"
        return set(rows_of(published / made.manifest.generation)["jobs"]["job_id"])

    assert changed(1) == {*JOB_IDS, "hh:9"}
    assert changed(2, trending=trending(["hh:old"])) == {*JOB_IDS, "hh:9", "hh:old"}


def first_job_of(published: Path, store: Store) -> str:
    assert store.generation is not None
    packed = store.generation.reader().get_packed("feed", "anna")
    assert packed is not None
    return str(unpacked_feed(packed, names_of(published / store.generation.name))[4][0][0])


def test_the_service_follows_changes_and_a_rollback(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    store = Store(tmp_path)
    store.refresh()
    shown = []
    for hour in range(1, 4):
        lists = {"anna": [f"hh:{hour + 1}"], "борис": ["hh:5"]}
        publish_small_changes(tmp_path, as_of=AS_OF + hour * HOUR, feeds=feeds(lists))
        store.refresh()
        assert store.refusal is None
        assert store.generation is not None
        shown.append(first_job_of(tmp_path, store))
    generations.rollback(tmp_path, first)
    store.refresh()
    assert store.generation is not None
    shown.append(first_job_of(tmp_path, store))
    assert shown == ["hh:2", "hh:3", "hh:4", "hh:1"]


def test_a_day_of_changes_does_not_take_away_the_way_back_to_yesterday(tmp_path: Path) -> None:
    yesterday = publish_small(tmp_path).manifest.generation
    today = publish_small(tmp_path, as_of=AS_OF + 24 * HOUR).manifest.generation
    names = [
        publish_small_changes(
            tmp_path, as_of=AS_OF + hour * HOUR, feeds=feeds({"anna": [f"hh:{hour % 8 + 1}"], "борис": ["hh:5"]})
        ).manifest.generation
        for hour in (25, 26, 27)
    ]
    removed = generations.prune(tmp_path, kept=2)
    assert removed == [names[0]]
    assert generations.verify(tmp_path, names[2]) == []
    assert generations.rollback(tmp_path, yesterday) == yesterday
    assert generations.rollback(tmp_path, today) == today
