"""The matcher against a slow obvious search."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.text.phrases import PhraseMatcher, lookup_key, normal_form, one_alphabet

PHRASES = {"a": "A", "a b": "AB", "b": "B", "b a b": "BAB", "Cc": "CC"}
WORDS = st.lists(st.sampled_from(["a", "b", "Cc", "cc", "CC", "x"]), max_size=8)


def slow_matches(words: list[str]) -> list[str]:
    meanings, start = [], 0
    while start < len(words):
        for length in (3, 2, 1):
            phrase = " ".join(words[start : start + length])
            if len(words[start : start + length]) == length and phrase in PHRASES:
                meanings.append(PHRASES[phrase])
                start += length
                break
        else:
            start += 1
    return meanings


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, max_size=4))
def test_matches_are_leftmost_longest_and_whole_words(texts: list[list[str]]) -> None:
    matcher = PhraseMatcher.of(PHRASES, exact_case=["Cc"])
    result = matcher.matches(pl.Series([" / ".join(words) for words in texts], dtype=pl.String))
    for row, words in enumerate(texts):
        assert result.filter(pl.col("row") == row)["meaning"].to_list() == slow_matches(words)


def test_russian_endings_do_not_matter() -> None:
    keys = pl.DataFrame({"name": ["Холодные звонки", "холодных звонков", "ХОЛОДНЫМИ ЗВОНКАМИ"]})
    assert keys.select(lookup_key(pl.col("name")))["name"].n_unique() == 1


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40))
def test_both_cases_of_a_normal_form_have_one_length(text: str) -> None:
    frame = pl.DataFrame({"text": [text]}).select(normal_form(pl.col("text")))
    lower = frame.select(pl.col("text").str.to_lowercase())
    assert frame["text"].str.len_bytes()[0] == lower["text"].str.len_bytes()[0]


def test_a_word_of_two_alphabets_becomes_one_of_one_and_the_text_given_stays() -> None:
    texts = pl.Series(["Doсker", "Docker"])  # the first has a Cyrillic letter
    assert one_alphabet(texts).to_list() == ["Docker", "Docker"]
    assert texts.to_list() == ["Doсker", "Docker"]
