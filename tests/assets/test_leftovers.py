import datetime as dt
import os
from pathlib import Path

import pytest

from assets.digests.outbox import LOCK
from assets.lake import Lake
from assets.leftovers import remove_half_written

BEGAN_AT = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
OF_RUNS = (
    "lake/.tmp-1-.erasing.json", "lake/catalog/.tmp-1-users.parquet", "lake/catalog/.layers/users/.tmp-1.parquet",
    "lake/digests/.tmp-1-digests.parquet", "models/training/.tmp-1-als.npz",
)  # fmt: skip
OF_SENDER = ("lake/digests/digest_outbox/.tmp-1-date=2026-02-28.parquet", "lake/digests/.tmp-1-outbox.sqlite3")
OF_NOTES = ("lake/.runs/outcomes/.tmp-1-digests.json", "lake/.locks/.tmp-1-run.json")
WHOLE = ("lake/catalog/users.parquet",)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    for name in (*OF_RUNS, *OF_SENDER, *OF_NOTES, *WHOLE):
        write(tmp_path / name, BEGAN_AT - SECOND)
    return Lake(tmp_path / "lake")


def write(path: Path, at: dt.datetime) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("user-1")
    os.utime(path, (at.timestamp(), at.timestamp()))


def removed(lake: Lake) -> set[str]:
    data = lake.root.parent
    paths = remove_half_written(lake, data / "models", before=BEGAN_AT)
    assert not any(path.exists() for path in paths)
    return {path.relative_to(data).as_posix() for path in paths}


def test_what_was_being_written_before_the_turn_is_removed(lake: Lake) -> None:
    assert removed(lake) == {*OF_RUNS, *OF_SENDER}
    assert all((lake.root.parent / name).exists() for name in (*OF_NOTES, *WHOLE))


def test_what_the_run_itself_may_be_writing_stays(lake: Lake) -> None:
    written = lake.root / "catalog/.tmp-2-users.parquet"
    write(written, BEGAN_AT + SECOND)
    removed(lake)
    assert written.exists()


def test_what_a_sender_may_be_writing_stays_until_it_has_ended(lake: Lake) -> None:
    with lake.lock(LOCK):
        assert removed(lake) == {*OF_RUNS}
    assert removed(lake) == {*OF_SENDER}
