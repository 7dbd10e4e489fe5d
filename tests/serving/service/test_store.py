import datetime as dt
import json
import os
import re
import shutil
from pathlib import Path

import lmdb
import orjson
import polars as pl
import pytest

from assets.publishing import generations
from assets.publishing.lookup.writer import LookupFileWriter
from serving.contract.generation import GenerationError, manifest_checksum, read_pointer
from serving.contract.keys import DIGEST_PREFIX, FEED_PREFIX, JOB_PREFIX, lookup_key
from serving.service.lookup import LookupFiles, Reader
from serving.service.store import Store
from tests.factories import AS_OF, feeds, publish_small, publish_small_changes
from tests.packed import names_of, unpacked_feed
from tests.serving.client import call
from tests.serving.world import serve

LATER = AS_OF + dt.timedelta(days=1)


def flip(path: Path, *, at: int = -10) -> None:
    body = bytearray(path.read_bytes())
    body[at] ^= 255
    path.write_bytes(bytes(body))


def flip_unnoticed(path: Path, *, at: int = -10) -> None:
    """Like rot on the disk: the time of the last change stays."""
    status = path.stat()
    flip(path, at=at)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_untouched_files_are_served_at_once_and_read_through_afterwards(tmp_path: Path) -> None:
    publish_small(tmp_path)
    store = Store(tmp_path)
    store._follow_pointer()
    assert store.generation is not None
    assert not store.generation.is_verified

    store.refresh()
    assert store.generation.is_verified


def test_at_the_start_a_damaged_generation_gives_way_to_the_newest_good_one(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    second = publish_small(tmp_path, as_of=LATER).manifest.generation
    flip(tmp_path / second / "lookup.mdb")
    store = Store(tmp_path)
    store._follow_pointer()

    assert store.generation is not None
    assert store.generation.name == first
    assert store.refusal is not None
    assert "content differs" in store.refusal


def test_generations_that_were_rolled_back_are_the_last_resort(tmp_path: Path) -> None:
    first, second, third = (
        publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=day)).manifest.generation for day in range(3)
    )
    generations.rollback(tmp_path, second)
    flip(tmp_path / second / "lookup.mdb")
    store = Store(tmp_path)
    store._follow_pointer()
    assert store.generation is not None
    assert store.generation.name == first

    flip(tmp_path / first / "lookup.mdb")
    store = Store(tmp_path)
    store._follow_pointer()
    assert store.generation is not None
    assert store.generation.name == third


def test_damage_with_unchanged_file_times_is_found_after_the_start(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    second = publish_small(tmp_path, as_of=LATER).manifest.generation
    flip_unnoticed(tmp_path / second / "lookup.mdb")
    store = Store(tmp_path)
    store.refresh()

    assert store.generation is not None
    assert store.generation.name == first
    assert "content differs" in (store.refusal or "")


def test_without_another_good_generation_a_damaged_one_is_no_longer_served(tmp_path: Path) -> None:
    only = publish_small(tmp_path).manifest.generation
    flip_unnoticed(tmp_path / only / "lookup.mdb")
    store = Store(tmp_path)
    store._follow_pointer()
    assert store.generation is not None
    store.refresh()
    assert store.generation is None
    assert "content differs" in (store.refusal or "")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: flip(folder / "manifest.json", at=40), "manifest"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest can't be read"),
        (lambda folder: (folder / "lookup.mdb").unlink(), "is missing"),
        (lambda folder: (folder / "tables" / "jobs.parquet").unlink(), "is missing"),
        (lambda folder: os.truncate(folder / "lookup.mdb", 4096), "4096 bytes; expected"),
        (lambda folder: shutil.rmtree(folder), "manifest can't be read"),
        (lambda folder: flip(folder / "lookup.mdb", at=5000), "content differs from its checksum"),
    ],
)
def test_a_switch_to_a_damaged_generation_is_refused_with_a_reason(tmp_path: Path, damage: object, reason: str) -> None:
    first = publish_small(tmp_path).manifest.generation
    store = Store(tmp_path)
    store.refresh()
    second = publish_small(tmp_path, as_of=LATER).manifest.generation
    damage(tmp_path / second)  # type: ignore[operator]
    store.refresh()

    assert store.generation is not None
    assert store.generation.name == first
    assert reason in (store.refusal or "")


def test_a_repaired_generation_is_served_when_it_is_announced_again(tmp_path: Path) -> None:
    publish_small(tmp_path)
    store = Store(tmp_path)
    store.refresh()
    second = publish_small(tmp_path, as_of=LATER).manifest.generation
    lookup = tmp_path / second / "lookup.mdb"
    body = lookup.read_bytes()
    lookup.write_bytes(body[:-1])
    store.refresh()
    assert store.refusal is not None
    lookup.write_bytes(body)
    (tmp_path / "current.new").write_text(second + "\n")
    (tmp_path / "current.new").rename(tmp_path / "current")
    store.refresh()

    assert store.refusal is None
    assert store.generation is not None
    assert store.generation.name == second


@pytest.mark.parametrize("pointer", ["../../etc", "", "a b", "x" * 100])
def test_a_pointer_that_holds_no_name_changes_nothing(tmp_path: Path, pointer: str) -> None:
    name = publish_small(tmp_path).manifest.generation
    store = Store(tmp_path)
    store.refresh()
    (tmp_path / "current").write_text(pointer)
    store.refresh()
    assert store.generation is not None
    assert store.generation.name == name


def test_readiness_says_what_is_wrong_with_the_pointer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    app = serve(store)

    def status_and_reasons() -> tuple[str, list[str]]:
        store.refresh()
        found = call(app, "/readyz").json
        return found["status"], found["reasons"]

    pointer = tmp_path / "current"
    assert status_and_reasons() == ("not ready", ["no generation is published yet"])
    pointer.write_bytes(b"\xff")
    assert status_and_reasons() == ("not ready", ["current can't be read: UnicodeDecodeError"])
    assert call(app, "/v1/market").json["detail"] == "current can't be read: UnicodeDecodeError"
    pointer.unlink()
    name = publish_small(tmp_path).manifest.generation
    assert status_and_reasons() == ("ready", [])
    pointer.write_text("../elsewhere")
    assert status_and_reasons() == ("stale", ["current names no generation"])
    pointer.unlink()
    assert status_and_reasons() == ("stale", ["current is missing"])
    pointer.write_text(name)
    assert status_and_reasons() == ("ready", [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema_version": "9.0", "lookup": None, "base": 3}, "schema version 9.0; this version reads 1."),
        ({"base": 3}, "manifest can't be read: ValidationError: Expected `str`, got `int` - at `$.base`"),
        ({"lookup": {"users": [], "things": []}}, "look-up files are of an older version"),
    ],
)
def test_a_manifest_that_this_version_can_not_read_is_refused_by_service_and_roll_back(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    name, served = (publish_small(tmp_path, as_of=at).manifest.generation for at in (AS_OF, LATER))
    path = tmp_path / name / "manifest.json"
    fields = json.loads(path.read_text()) | changes
    path.unlink()
    path.write_text(json.dumps(fields | {"checksum": manifest_checksum(fields)}))
    with pytest.raises(GenerationError, match=re.escape(reason)):
        generations.rollback(tmp_path, name)
    assert read_pointer(tmp_path) == served
    (tmp_path / "current").write_text(name)
    store = Store(tmp_path)
    store._follow_pointer()
    assert reason in (store.refusal or "")


def values(pairs: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame({"id": list(pairs), "value": list(pairs.values())})


def test_newer_files_win_and_their_tombstones_hide_older_values(tmp_path: Path) -> None:
    for name, pairs, gone in (("base", {"a": "1", "b": "2"}, []), ("new", {"a": "3", "c": "4"}, ["b"])):
        with LookupFileWriter(tmp_path / name) as file:
            file.put(FEED_PREFIX, values(pairs))
            file.put_gone(FEED_PREFIX, gone)
    files = LookupFiles()
    reader = Reader({"users": [files.open(tmp_path / name, "") for name in ("new", "base")], "things": []})

    assert [reader.get(FEED_PREFIX, key) for key in "abcd"] == [b"3", None, b"4", None]
    assert reader.get_many(FEED_PREFIX, ["d", "c", "b", "a", "a"]) == [None, b"4", None, b"3", b"3"]


def test_long_values_are_stored_compressed_and_a_damaged_one_is_never_returned(tmp_path: Path) -> None:
    value = '["' + "compressible " * 200 + '"]'
    with LookupFileWriter(tmp_path / "x.mdb") as file:
        file.put(FEED_PREFIX, values({"a": value}))
    with lmdb.open(str(tmp_path / "x.mdb"), subdir=False, lock=False, map_size=1 << 20) as environment:
        with environment.begin() as transaction:
            stored = transaction.get(lookup_key(FEED_PREFIX, "a"))
        assert stored is not None
        assert len(stored) < 200
        with environment.begin(write=True) as transaction:
            transaction.put(lookup_key(FEED_PREFIX, "b"), stored[:-1] + bytes([stored[-1] ^ 1]))
    reader = Reader({"users": [LookupFiles().open(tmp_path / "x.mdb", "")], "things": []})

    assert reader.get(FEED_PREFIX, "a") == value.encode()
    with pytest.raises(GenerationError, match="damaged"):
        reader.get(FEED_PREFIX, "b")


def test_long_values_share_a_dictionary_that_was_learned_from_some(tmp_path: Path) -> None:
    words = [f"hh:{number * 7919}" for number in range(20_000)]
    pairs = {f"u{user}": orjson.dumps(words[user : user + 200]).decode() for user in range(0, 19_800, 10)}
    with LookupFileWriter(tmp_path / "x.mdb") as file:
        file.learn(list(pairs.values())[::2])
        file.put(DIGEST_PREFIX, values(pairs))
    opened = LookupFiles().open(tmp_path / "x.mdb", "")
    assert opened.dictionary is not None
    reader = Reader({"users": [opened], "things": []})
    assert {user: reader.get(DIGEST_PREFIX, user) for user in pairs} == {user: pairs[user].encode() for user in pairs}


def test_generations_that_share_a_file_share_its_opening(tmp_path: Path) -> None:
    with LookupFileWriter(tmp_path / "x.mdb") as file:
        file.put(JOB_PREFIX, values({"a": "1"}))
    os.link(tmp_path / "x.mdb", tmp_path / "y.mdb")
    files = LookupFiles()
    assert files.open(tmp_path / "x.mdb", "sha") is files.open(tmp_path / "y.mdb", "sha")


def test_a_feed_of_a_later_generation_is_read_by_the_same_store(tmp_path: Path) -> None:
    publish_small(tmp_path)
    store = Store(tmp_path)
    store.refresh()
    publish_small(tmp_path, as_of=LATER, feeds=feeds({"anna": ["hh:2"], "борис": ["hh:1"]}))
    store.refresh()
    assert store.generation is not None
    packed = store.generation.reader().get_packed(FEED_PREFIX, "anna")
    assert packed is not None
    assert unpacked_feed(packed, names_of(tmp_path / store.generation.name))[4][0][0] == "hh:2"


class BrokenPages:
    """Fails like py-lmdb on corrupt pages."""

    def get(self, key: bytes) -> bytes:
        raise lmdb.CorruptedError(key)

    def getmulti(self, keys: list[bytes]) -> list[tuple[bytes, bytes]]:
        raise lmdb.CorruptedError(keys)


def test_corrupt_pages_are_an_error_of_the_generation(tmp_path: Path) -> None:
    publish_small(tmp_path)
    store = Store(tmp_path)
    store._follow_pointer()
    assert store.generation is not None
    reader = store.generation.readers.mine()
    for views in reader._keyspaces.values():
        for view in views:
            view.transaction = view.cursor = BrokenPages()

    with pytest.raises(GenerationError, match="can't be read"):
        reader.get_many(JOB_PREFIX, ["hh:1"])
    for views in reader._keyspaces.values():
        for view in views:
            view.transaction = view.cursor = BrokenPages()
    with pytest.raises(GenerationError, match="can't be read"):
        reader.get(JOB_PREFIX, "hh:1")
    # An error ends with its look-up: what lies on whole pages is read as before.
    assert reader.get(JOB_PREFIX, "hh:1") is not None


def test_one_damaged_page_does_not_spoil_the_look_ups_of_the_others(tmp_path: Path) -> None:
    users = [f"user-{number:05d}" for number in range(3_000)]
    with LookupFileWriter(tmp_path / "x.mdb") as file:
        file.put(FEED_PREFIX, values({user: f'"{user}"' for user in users}))
    body = bytearray((tmp_path / "x.mdb").read_bytes())
    reader = Reader({"users": [LookupFiles().open(tmp_path / "x.mdb", "")], "things": []})
    page = body.index(b"user-01500") // 4096
    body[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    with (tmp_path / "x.mdb").open("rb+") as handle:  # in place, as a failing disk does
        handle.write(body)
    outcomes = []
    for user in users:
        try:
            outcomes.append(reader.get(FEED_PREFIX, user) == f'"{user}"'.encode())
        except GenerationError:
            outcomes.append(None)
    assert 0 < outcomes.count(None) < 200
    assert outcomes.count(True) == len(users) - outcomes.count(None)


def test_a_generation_that_is_damaged_while_it_is_served_gives_way_once_a_look_up_failed(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    second = publish_small(tmp_path, as_of=LATER).manifest.generation
    store = Store(tmp_path)
    store.refresh()
    assert store.generation is not None
    assert store.generation.name == second
    assert store.generation.is_verified
    flip_unnoticed(tmp_path / second / "lookup.mdb")
    store.refresh()
    assert store.generation.name == second  # nobody has read the page
    store.suspect()
    store.refresh()
    assert store.generation is not None
    assert store.generation.name == first
    assert "content differs" in (store.refusal or "")


def test_a_shared_file_is_verified_after_the_generation_that_it_was_opened_for_is_removed(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    store = Store(tmp_path)
    store.refresh()
    changed = feeds({"anna": ["hh:2"], "борис": ["hh:5"]})
    second = publish_small_changes(tmp_path, as_of=LATER, feeds=changed).manifest.generation
    store.refresh()
    shutil.rmtree(tmp_path / first)
    store.suspect()
    store.refresh()
    assert store.generation is not None
    assert store.generation.name == second
    assert store.generation.is_verified


def test_a_suspicion_without_damage_changes_nothing_and_costs_one_reading_a_minute(tmp_path: Path) -> None:
    publish_small(tmp_path)
    store = Store(tmp_path)
    store.refresh()
    served = store.generation
    assert served is not None
    for _ in range(3):
        store.suspect()
        was_verified = served.is_verified
        store.refresh()
        assert store.generation is served
        assert served.is_verified
    assert was_verified  # the second and third suspicion came within a minute
