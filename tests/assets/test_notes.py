from pathlib import Path

import pytest

from assets.notes import read_note


def test_a_note_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_text('{"a": [1]}')
    assert read_note(path, dict) == {"a": [1]}


@pytest.mark.parametrize("body", [None, b"", b"[1, 2", b"{}", b'"text"', bytes(40), b"\xff\xfe", b"null", b"1"])
def test_a_note_that_is_gone_damaged_or_of_another_kind_counts_as_missing(tmp_path: Path, body: bytes | None) -> None:
    path = tmp_path / "note.json"
    if body is not None:
        path.write_bytes(body)
    assert read_note(path, list) is None


def test_a_folder_in_the_place_of_a_note_counts_as_missing(tmp_path: Path) -> None:
    assert read_note(tmp_path, dict) is None
