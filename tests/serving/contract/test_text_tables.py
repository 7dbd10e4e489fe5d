"""Text tables: what was added is read back, and a disk that takes no more is an error of the system."""

import errno
from pathlib import Path

import numpy as np
import pytest

from serving.contract.text_tables import TEXT_TABLE_WIDTHS, TextTableWriter, load_text_table

_WIDTH = TEXT_TABLE_WIDTHS["reasons"]


def write(path: Path, *, n: int) -> np.ndarray:
    """A base of `n` reasons, whose offsets are returned."""
    offsets = np.arange(n * _WIDTH, dtype=np.int64).reshape(n, _WIDTH)
    with TextTableWriter(path, "reasons", is_base=True) as table:
        table.add(b"text", offsets, np.arange(n))
    return offsets


@pytest.mark.parametrize("n", [0, 1, 5_000])
def test_offsets_are_read_back(tmp_path: Path, n: int) -> None:
    offsets = write(tmp_path / "reasons.npy", n=n)
    table = load_text_table([tmp_path / "reasons.npy"], "reasons")
    assert np.array_equal(table.offsets, offsets)
    assert table.texts.tobytes() == b"text"


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_takes_no_more_offsets_says_why(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too large") as raised:
        write(tmp_path / "reasons.npy", n=5_000)
    assert raised.value.errno == errno.EFBIG
