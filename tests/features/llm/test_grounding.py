"""Whether an answer is true to its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.llm.grounding import folded, numbers_of, occurring, occurs, plain_sentence, states_years

TEXT = folded("Senior Data  Engineer at Acme Corp.\nPython (5 years), C++, Go. Опыт работы 7 лет. Ёлка")


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("data engineer", True), ("Data Engineer at Acme", True), ("C++", True), ("елка", True),
        ("Engineer Data", False),
        ("Pyth", False),
        ("Kubernetes", False), ("", False), (".*", False), ("Acme Corp.", True),
    ],
)  # fmt: skip
def test_a_phrase_occurs_as_whole_words(phrase: str, expected: bool) -> None:
    assert occurs(phrase, TEXT) is expected


@given(st.lists(st.text(max_size=30) | st.sampled_from(["Python", "python", "Go", "Rust"])))
def test_what_is_kept_stands_in_the_text_once(phrases: list[str]) -> None:
    kept = occurring(phrases, TEXT)
    assert all(occurs(each, TEXT) for each in kept)
    assert len({folded(each) for each in kept}) == len(kept)
    assert "rust" not in [each.lower() for each in kept]


@pytest.mark.parametrize(
    ("years", "beside", "expected"),
    [(7, None, True), (5, None, True), (5, "Python", True), (6, None, False), (50, None, False), (5, "Rust", False)],
)
def test_years_are_stated(years: float, beside: str | None, expected: bool) -> None:
    assert states_years(years, TEXT, beside=beside) is expected


@pytest.mark.parametrize(
    "text",
    [
        "Visit https://evil.example now",
        "Write to boss@evil.example", "See evil.com/job", "See evil.ru", "<b>Great</b>",
        "[click](x)", "Great &lt;b&gt;", "You match 99 percent", "", "x" * 201, "`rm`", "Use {{ template }}",
    ],
)  # fmt: skip
def test_a_sentence_with_markup_an_address_or_an_invented_number_is_none(text: str) -> None:
    assert plain_sentence(text, facts="You match 85 percent", max_characters=200) is None


def test_a_plain_sentence_is_kept_on_one_line() -> None:
    kept = plain_sentence("You match\u200b 85 %,\n and C# pays 1,000.50.", facts="85 1000.5", max_characters=200)
    assert kept == "You match 85 %, and C# pays 1,000.50."


@given(st.integers(0, 10**9))
def test_separators_of_thousands_make_no_other_number(number: int) -> None:
    assert numbers_of(f"{number:,}") == numbers_of(str(number)) == {str(number)}
