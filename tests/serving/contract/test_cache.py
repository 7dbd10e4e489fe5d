"""Paths that a store states lead nowhere else."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.contract.cache import is_inside, lack_of_room


@pytest.mark.parametrize("path", ["a", "a/b.parquet", "..a/b", "a/..b", "кириллица/и пробел"])
def test_a_plain_path_is_inside(path: str) -> None:
    assert is_inside(path)


@given(st.lists(st.sampled_from(["a", "..", ".", "", "/", "b.parquet"]), max_size=5).map("/".join))
def test_a_path_that_is_inside_is_one_of_a_file_of_the_folder(path: str) -> None:
    if is_inside(path):
        assert os.path.normpath(path) == path
        assert Path("/folder", path).resolve().is_relative_to("/folder/")
        assert Path("/folder", path).resolve() != Path("/folder")


def test_a_lack_of_room_is_told_with_both_figures(tmp_path: Path) -> None:
    assert lack_of_room(tmp_path, 0) is None
    assert "1000000000.0 GB are to be fetched and" in str(lack_of_room(tmp_path, 10**18))
