"""An id is found as a whole word, however JSON or an address writes it."""

import json
import re
from urllib.parse import quote

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.erasing.naming import name_any, possible_ids, word_pattern
from features.sources.people.users import is_user_id

ODD_IDS = (
    "анна-1", "auth0|5f7c8ec7", "urn:user:1", "anna smith", 'the "boss"', "corp\\nick", "a/b", "😀", "{5f7c}", "o'neil",
    "org/team & more: anna maria smith", "$anna", "a%20b", "a+b",
)  # fmt: skip
WRITERS = {
    "json": lambda user_id: json.dumps({"n": 1, "user_id": user_id, "skills": "bad"}),
    "letters": lambda user_id: json.dumps({"user_id": user_id}, ensure_ascii=False),
    "upper": lambda user_id: re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda m: m[0].upper(), json.dumps({"user_id": user_id})),
    "slashes": lambda user_id: json.dumps({"user_id": user_id}).replace("/", "\\/"),
    "nested": lambda user_id: json.dumps({"traits": json.dumps({"user_id": user_id})}),
    "cut": lambda user_id: json.dumps({"user_id": user_id, "about": "x" * 20})[:-10],
    "unbalanced": lambda user_id: '{"a": x", "user_id": ' + json.dumps(user_id),
    "address": lambda user_id: f"/click?user_id={quote(user_id, safe='')}&job=1",
}


@pytest.mark.parametrize("user_id", ODD_IDS)
@pytest.mark.parametrize("writer", WRITERS)
def test_an_id_of_any_signs_is_found_however_it_is_written(user_id: str, writer: str) -> None:
    text = WRITERS[writer](user_id)
    assert is_user_id(user_id)
    assert name_any(pl.Series([text, None, "x"]), [user_id, "other"]).to_list() == [True, False, False]
    assert user_id in possible_ids(text)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=20),
    st.sampled_from(sorted(WRITERS)),
)
def test_what_is_removed_by_its_id_is_refused_by_its_hash(user_id: str, writer: str) -> None:
    text = WRITERS[writer](user_id)
    assert name_any(pl.Series([text]), [user_id]).item()
    assert user_id in possible_ids(text)


@pytest.mark.parametrize(
    ("text", "user_id"),
    [
        ("anna smith,2026-03-01,click", "anna smith"),
        ("2026-03-01;auth0|5f7c8ec7;click", "auth0|5f7c8ec7"),
        ("anna smith asks for it", "anna smith"),
        ("user=urn:user:1; done", "urn:user:1"),
        ("resumes/anna maria von der smith.pdf", "anna maria von der smith"),
        ("the user u1.", "u1"),
    ],
)
def test_an_id_is_found_in_lines_names_and_sentences(text: str, user_id: str) -> None:
    assert name_any(pl.Series([text]), [user_id]).item()
    assert user_id in possible_ids(text)


@pytest.mark.parametrize("text", [json.dumps("жанна"), json.dumps("аннаж"), json.dumps("анна-1"), "жанна", "x%D0%B0"])
def test_a_longer_id_is_another_one(text: str) -> None:
    assert not name_any(pl.Series([text]), ["анна", "а"]).item()
    assert not {"анна", "а"} & possible_ids(text)


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        ('{"user_id": "u1"}', True),
        ("u1", True),
        ("resumes/u1.pdf", True),
        ("a,u1,b", True),
        ("u12", False),
        ("xu1", False),
        ("u1-2", False),
        ("u1_2", False),
        ("жu1", False),
    ],
)
def test_an_id_is_found_as_a_word_only(text: str, is_named: bool) -> None:
    assert pl.Series([text]).str.contains(word_pattern(["u1", "u3"])).item() is is_named
    assert name_any(pl.Series([text]), ["u1", "u3"]).item() is is_named
    assert ("u1" in possible_ids(text)) is is_named
