"""Look-up files on a disk that takes no more."""

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from assets.publishing.lookup.writer import LookupFileWriter


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
