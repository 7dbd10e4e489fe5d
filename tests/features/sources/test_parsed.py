"""What is struck out of text that was refused: how to reach a person, and the person's name where a key tells it."""

import polars as pl
import pytest

from features.sources.parsed import mask_contacts


def struck_out(text: str) -> str:
    return str(pl.DataFrame({"raw": [text]}).select(mask_contacts(pl.col("raw"))).item())


@pytest.mark.parametrize(
    "line",
    [
        '{"email": "anna@mail.example", "phone": "+7 999 123-45-67", "full_name": "Anna \\" Smith"}',
        '{"user_id": "u1", "Email" : "anna@mail.example", "phone": 79991234567, "full_name": "Anna Smith',
        "anna@mail.example;+7 (999) 123-45-67",
        "{'user_id': 'u1', 'email': 'anna@mail.example', 'phone': '8 999 123-45-67', 'firstName': 'Anna'}",
        '{"context": {"traits": {"email": "anna@mail.example", "last_name": "Smith"}}}',
    ],
)
def test_no_contacts_are_left(line: str) -> None:
    assert not any(secret in struck_out(line) for secret in ("anna", "Anna", "Smith", "999", "123-45"))


def test_all_else_is_left_as_it_is() -> None:
    line = '{"event_id":"e+1","user_id":"u1","occurred_at":"2026-11-20T10:00:00+05:00","dwell_seconds":1764000000}'
    assert struck_out(line) == line
