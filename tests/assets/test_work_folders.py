"""A folder that a process works in goes with it; one of a killed process goes when anybody looks."""

import subprocess
import sys
from pathlib import Path

import pytest

from assets.work_folders import remove_abandoned, work_folder

# Makes a folder with a file, says so, and waits to be killed.
_WORKER = """
import sys, time
from pathlib import Path
from assets.work_folders import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "rows").write_text("user-1")
    print("works", flush=True)
    time.sleep(600)
"""


def files(parent: Path) -> list[str]:
    return sorted(path.read_text() for path in parent.rglob("rows"))


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    return tmp_path / "lake" / ".duckdb"


@pytest.fixture
def worker(parent: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", _WORKER, str(parent)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"works\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    with process:
        process.kill()


def test_a_folder_is_its_owners_alone_and_goes_with_the_block(parent: Path) -> None:
    with work_folder(parent) as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "rows").write_text("user-1")
    with pytest.raises(RuntimeError, match="broken"), work_folder(parent) as folder:
        (folder / "rows").write_text("user-1")
        raise RuntimeError("broken")
    assert [path for path in parent.iterdir() if path.is_dir()] == []


def test_what_another_process_works_on_stays_until_it_is_killed(parent: Path, worker: subprocess.Popen[bytes]) -> None:
    try:
        with work_folder(parent) as own:
            (own / "rows").write_text("user-2")
            remove_abandoned(parent)
            assert files(parent) == ["user-1", "user-2"]
    finally:
        end(worker)
    with work_folder(parent):
        assert files(parent) == []


def test_what_killed_processes_left_goes_without_another_folder(parent: Path, worker: subprocess.Popen[bytes]) -> None:
    end(worker)
    assert files(parent) == ["user-1"]
    remove_abandoned(parent)
    assert files(parent) == []


def test_files_beside_the_folders_are_of_nobody(parent: Path) -> None:
    remove_abandoned(parent)  # nobody has worked yet
    parent.mkdir(parents=True)
    (parent / "rows").write_text("user-1")
    (parent / "killed-before-its-lock").mkdir()
    (parent / "killed-before-its-lock" / "rows").write_text("user-2")
    remove_abandoned(parent)
    assert files(parent) == []
