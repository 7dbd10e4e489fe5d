"""Rules that judge the messages of employers."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.applications.sentiment import SENTIMENTS, sentiments

MESSAGES = [
    tuple(line.split("\t", 1)) for line in (Path(__file__).parent / "replies.tsv").read_text("utf-8").splitlines()
]


def judged(text: str) -> str | None:
    result: str | None = sentiments(pl.Series([text])).item()
    return result


@pytest.mark.parametrize(("expected", "message"), MESSAGES, ids=[message[:40] for _, message in MESSAGES])
def test_a_message_is_judged_by_what_it_means_for_the_application(expected: str, message: str) -> None:
    assert judged(message) == expected


@pytest.mark.parametrize(
    "quoted",
    [
        "Thanks, received.\n\n> We would like to invite you to an interview",
        "Thanks, received.\n\nOn Mon, 2 Mar 2026 at 10:00 Bob wrote:\nWe would like to invite you to an interview",
        "Спасибо, получили.\n\n2 марта 2026 Анна написала:\nПриглашаем вас на собеседование",
        "Thanks, received.\n-----Original Message-----\nUnfortunately we decided to go with another candidate",
    ],
)
def test_what_the_answer_quotes_does_not_count(quoted: str) -> None:
    assert judged(quoted) == "neutral"


def test_folded_lines_are_read_as_one_sentence() -> None:
    assert judged("We have decided to move\nforward with other\ncandidates.") == "negative"


def test_a_text_without_words_has_no_sentiment() -> None:
    assert sentiments(pl.Series(["", "  ", "12 !", None], dtype=pl.String)).to_list() == [None] * 4


@given(st.lists(st.text(max_size=300), max_size=5))
def test_any_texts_are_judged_row_by_row(texts: list[str]) -> None:
    together = sentiments(pl.Series(texts, dtype=pl.String)).to_list()
    assert together == [judged(text) for text in texts]
    assert {one for one in together if one is not None} <= set(SENTIMENTS)
