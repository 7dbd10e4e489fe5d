"""Pay and times in any words: sane values or nothing."""

import datetime as dt
import math
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.salary_text import parse_text
from features.sources.timestamps import read_timestamp
from features.vocabulary.currencies import Currencies
from tests.features.sources.fuzzing import FUZZ, NASTY_TEXTS, nasty_values

CURRENCIES = Currencies.load(Path(__file__).resolve().parents[3] / "data" / "vocabulary")
_FEW = settings(FUZZ, max_examples=max(10, FUZZ.max_examples // 10))  # a call is slow, and takes many texts

_PAY_WORDS = (
    "от",
    "до",
    "from",
    "up to",
    "$",
    "€",
    "₽",
    "руб.",
    "тыс.",
    "k",
    "K",
    "млн",
    "100",
    "100 000",
    "1.5",
    "1,5",
    "–",
    "-",
    "/",
    "в месяц",
    "per hour",
    "a year",
    "на руки",
    "gross",
    "смена",
    "USD",
    "\u00a0",
    "\u202f",
    "9" * 40,
    "+",
    "~",
    "(",
    ")",
)
_TIME_WORDS = (
    "2026",
    "-",
    "03",
    "12",
    "T",
    ":",
    "30",
    "Z",
    "+03:00",
    "+9999",
    "MSK",
    "марта",
    "Mar",
    "Thu,",
    " ",
    ".",
    "24:00:00",
    "г.",
    "99",
    "1773311400",
    "в",
    "PM",
    "W53",
    "٣",
)


@given(
    st.lists(
        st.lists(st.sampled_from(_PAY_WORDS + NASTY_TEXTS), max_size=12).map(" ".join) | st.text(max_size=40),
        max_size=40,
    )
)
@_FEW
def test_pay_in_any_words_is_a_sane_range_or_nothing(texts: list[str]) -> None:
    clean = [text.encode("utf-8", "replace").decode() for text in texts]
    found = parse_text(pl.Series("salary_text", clean, dtype=pl.String), currencies=CURRENCIES)
    assert found.height == len(texts)
    for lower, upper in found.select("salary_min", "salary_max").iter_rows():
        amounts = [one for one in (lower, upper) if one is not None]
        assert all(math.isfinite(one) and one > 0 for one in amounts)
    assert found.equals(parse_text(pl.Series("salary_text", clean, dtype=pl.String), currencies=CURRENCIES))


@given(st.lists(st.sampled_from(_TIME_WORDS), max_size=14).map("".join) | nasty_values)
@FUZZ
def test_times_in_any_words_are_plausible_instants_or_nothing(written: object) -> None:
    found = read_timestamp(written)
    assert found is None or (found.tzinfo is dt.UTC and 1990 <= found.year < 2100)
