import sqlite3
from contextlib import closing
from pathlib import Path

from assets.storage.local_files import content, remove_copies

DATABASE = "lake/llm/ledger.sqlite"


def test_the_copy_of_a_database_stays_while_it_is_read(tmp_path: Path) -> None:
    """Another process of this machine may begin its turn meanwhile: sender and runs change different parts."""
    (tmp_path / DATABASE).parent.mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        database.executescript("create table answers (content); insert into answers values ('yes')")
    with content(tmp_path, DATABASE) as copy:
        assert copy.stat().st_mode & 0o077 == 0
        remove_copies(tmp_path)
        with closing(sqlite3.connect(copy)) as read:
            assert read.execute("select content from answers").fetchall() == [("yes",)]
    assert not copy.exists()


def test_copies_of_killed_processes_are_removed(tmp_path: Path) -> None:
    left = [tmp_path / ".store/copies/of-an-older-version", tmp_path / ".store/copies/killed/copy"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("user-1")
    remove_copies(tmp_path)
    assert [path for path in left if path.exists()] == []
