import datetime as dt
import os
import random
from collections.abc import Iterator
from pathlib import Path

import lmdb
import polars as pl
import pytest

from assets.publishing import full, generations
from assets.publishing.build import Published
from assets.publishing.full import publish_full
from assets.publishing.lookup import known_values
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS
from features.schemas.insight import DIGESTS
from tests.factories import AS_OF, publish_small_changes, publishing_run, sources

DAY = dt.timedelta(days=1)
Tables = dict[str, pl.DataFrame]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Of which users and jobs values are made, by table."""
    found: dict[str, set[str]] = {}
    original = full.values_of_rows

    def observed(table: str, rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
        found.setdefault(table, set()).update(rows.to_series().to_list())
        return original(table, rows)

    monkeypatch.setattr(full, "values_of_rows", observed)
    return found


def publish(published: Path, day: int, tables: Tables, *, is_afresh: bool = False) -> Published:
    run = publishing_run(published, as_of=AS_OF + day * DAY, is_afresh=is_afresh)
    return publish_full(run, sources(**tables))


def stored(published: Path) -> dict[bytes, bytes]:
    """Every stored value of the served generation's base, but of fallback feeds, which name the instant."""
    copy = published / "copy.mdb"
    copy.write_bytes((published / str(generations.current_generation(published)) / "lookup.mdb").read_bytes())
    with lmdb.open(str(copy), subdir=False, readonly=True, lock=False) as file, file.begin() as transaction:
        return {key: value for key, value in transaction.cursor() if not key.startswith(b"fallback:")}


def dictionary(published: Path) -> bytes:
    return (published / str(generations.current_generation(published)) / "lookup.dictionary").read_bytes()


def random_tables(rng: random.Random) -> Tables:
    users = sorted(rng.sample([f"u{n}" for n in range(12)], 10))
    digests = [
        {"user_id": user, "digest_date": AS_OF.date() + dt.timedelta(days=day), "html": rng.choice("ab")}
        for user in users
        for day in sorted(rng.sample(range(3), 2))
    ]
    events = [
        {"user_id": user, "application_id": "a", "position": position, "text": rng.choice("ab")}
        for user in users
        for position in range(rng.randint(1, 2))
    ]
    applications = [{"user_id": user, "application_id": "a", "title": rng.choice("ab")} for user in users]
    return {
        "digests": DIGESTS.conform(pl.DataFrame(digests)),
        "application_events": APPLICATION_EVENTS.conform(pl.DataFrame(events)),
        "applications": APPLICATIONS.conform(pl.DataFrame(applications)),
    }


def long_digests(*changed: str) -> Tables:
    rng = random.Random(7)
    words = ["".join(rng.choices("abcdefghij", k=8)) for _ in range(3000)]
    rows = [
        {"user_id": f"u{n:03d}", "digest_date": AS_OF.date(), "html": " ".join(rng.sample(words, 700))}
        for n in range(300)
    ]
    for row in rows:
        row["html"] = f"{row['html']}!" if row["user_id"] in changed else row["html"]
    return {"digests": DIGESTS.conform(pl.DataFrame(rows))}


def test_after_any_changes_the_values_are_those_of_a_generation_made_anew(tmp_path: Path) -> None:
    rng = random.Random(3)
    for day in range(4):
        tables = random_tables(rng)
        publish(tmp_path / "days", day, tables)
        publish(tmp_path / f"anew-{day}", day, tables)
        assert stored(tmp_path / "days") == stored(tmp_path / f"anew-{day}")


def test_only_values_of_other_rows_are_made(tmp_path: Path, made: dict[str, set[str]]) -> None:
    first, second = random_tables(random.Random(1)), random_tables(random.Random(1))
    second["applications"] = second["applications"].with_columns(
        title=pl.when(user_id="u3").then(pl.lit("c")).otherwise("title")
    )
    publish(tmp_path, 0, first)
    made.clear()
    publish(tmp_path, 1, second)
    assert made["applications"] == {"u3"}
    assert made["digests"] == made["application_events"] == made["jobs"] == set()


def test_values_that_a_delta_replaced_are_copied_only_if_the_rows_are_those_of_the_base_again(
    tmp_path: Path, made: dict[str, set[str]]
) -> None:
    tables = random_tables(random.Random(1))
    of_u3 = tables["applications"]["user_id"] == "u3"
    changed = {
        **tables,
        "applications": tables["applications"].with_columns(title=pl.when(of_u3).then(pl.lit("c")).otherwise("title")),
    }
    publish(tmp_path / "published", 0, tables)
    assert publish_small_changes(tmp_path / "published", as_of=AS_OF + DAY / 2, **changed).manifest.kind == "delta"
    publish(tmp_path / "anew", 1, changed)
    made.clear()
    publish(tmp_path / "published", 1, changed)
    assert made["applications"] == {"u3"}
    assert stored(tmp_path / "published") == stored(tmp_path / "anew")


@pytest.mark.parametrize(
    ("damaged", "is_missing"),
    [("lookup.mdb", False), ("lookup.mdb", True), ("lookup.dictionary", False), ("digests.parquet", False)],
)
def test_nothing_is_copied_of_a_damaged_generation(
    tmp_path: Path, made: dict[str, set[str]], damaged: str, is_missing: bool
) -> None:
    tables = long_digests()
    name = publish(tmp_path, 0, tables).manifest.generation
    expected = stored(tmp_path)
    path = next(path for path in sorted((tmp_path / name).rglob(damaged)) if path.parent.name != "tables")
    status, body = path.stat(), bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if is_missing:
        path.unlink()
    made.clear()
    second = publish(tmp_path, 1, tables).manifest
    assert len(made["digests"]) == 300
    assert stored(tmp_path) == expected
    assert generations.verify(tmp_path, second.generation) == []


def test_nothing_is_copied_of_what_other_code_made(
    tmp_path: Path, made: dict[str, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = random_tables(random.Random(1))
    publish(tmp_path, 0, tables)
    monkeypatch.setattr(known_values, "_made_by", lambda: "other code")
    made.clear()
    publish(tmp_path, 1, tables)
    assert made["digests"] == set(tables["digests"]["user_id"])


def test_new_values_are_compressed_as_the_copied_ones_are_until_a_user_is_erased(
    tmp_path: Path, made: dict[str, set[str]]
) -> None:
    publish(tmp_path, 0, long_digests())
    first, learned = stored(tmp_path), dictionary(tmp_path)
    publish(tmp_path, 1, long_digests("u003"))
    assert dictionary(tmp_path) == learned
    assert {key for key, value in stored(tmp_path).items() if first[key] != value} == {
        b"digest:u003",
        b"digest:u003\n2026-03-01",
    }
    erased = {"digests": long_digests()["digests"].filter(pl.col("user_id") > "u050")}
    made.clear()
    publish(tmp_path, 2, erased, is_afresh=True)
    assert len(made["digests"]) == len(erased["digests"])
    assert dictionary(tmp_path) != learned
