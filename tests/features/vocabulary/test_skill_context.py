"""What postings ask for: neither what they deny, nor what the company says of itself, nor words of another trade."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary.skill_context import asking_part
from features.vocabulary.skills import SkillVocabulary

VOCABULARY = SkillVocabulary.load(Path(__file__).parents[3] / "data" / "vocabulary")


def labelled_sentences() -> list[list[str]]:
    lines = (Path(__file__).parent / "skill_contexts.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


def listed(cell: str) -> set[str]:
    return set(cell.split("|")) - {"-"}


TEXTS = [row[0].replace("\\n", "\n") for row in labelled_sentences()]
FOUND = dict(zip(TEXTS, VOCABULARY.find(asking_part(pl.Series(TEXTS))).to_list(), strict=True))


@pytest.mark.parametrize(("text", "asked", "not_asked"), labelled_sentences())
def test_a_posting_asks_for_what_it_needs_only(text: str, asked: str, not_asked: str) -> None:
    found = set(FOUND[text.replace("\\n", "\n")])
    assert listed(asked) <= found
    assert not listed(not_asked) & found


def test_labels_name_skills_of_the_vocabulary() -> None:
    labels = {name for row in labelled_sentences() for cell in row[1:] for name in listed(cell)}
    assert labels <= VOCABULARY.names


def test_a_word_of_two_trades_counts_without_any_evidence() -> None:
    assert VOCABULARY.find(pl.Series(["Выкладка"]))[0].to_list() == ["Merchandising"]


def test_each_text_is_read_by_itself() -> None:
    together = VOCABULARY.find(asking_part(pl.Series(TEXTS))).to_list()
    apart = [VOCABULARY.find(asking_part(pl.Series([text])))[0].to_list() for text in TEXTS[:40]]
    assert together[:40] == apart


def test_the_texts_given_are_not_changed() -> None:
    texts = pl.Series(TEXTS)
    asking_part(texts)
    assert texts.to_list() == TEXTS


@given(st.lists(st.none() | st.text(max_size=80), max_size=4))
def test_texts_without_cues_stay_as_they_are(texts: list[str | None]) -> None:
    series = pl.Series("text", texts, dtype=pl.String)
    kept = asking_part(series)
    assert kept.len() == series.len()
    assert kept.is_null().to_list() == series.is_null().to_list()
