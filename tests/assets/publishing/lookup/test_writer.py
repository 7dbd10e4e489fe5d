"""Look-up files on a disk that takes no more."""

import errno
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from assets.publishing.lookup.writer import LookupFileWriter


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may get longer than 64 kB, so that a write ends before all is written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize(("free", "number"), [(0, errno.ENOSPC), (1 << 40, errno.EIO)])
def test_what_the_disk_does_not_take_is_an_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, number: int
) -> None:
    path = tmp_path / "lookup" / "base.mdb"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(OSError, match=str(path)) as raised, LookupFileWriter(path) as file:
        for n in range(64):
            file.put_raw([(f"k{n}".encode(), bytes(8192))])
    assert raised.value.errno == number
