"""Whether an answer of a model is true to its text: names and numbers must stand there, sentences are plain text."""

import re
import unicodedata
from collections.abc import Iterable

from features.llm.prompts import visible_text

_SPACES = re.compile(r"\s+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_YEARS_AFTER = r"\s*\+?\s*-?\s*(?:years?|yrs?|лет|года?|г\.)(?!\w)"
_NEAR_CHARACTERS = 60
# An address is what a sentence about a job never needs: of a page, a mailbox or an account.
_ADDRESS = re.compile(
    r"://|www\.|@|\b[\w-]+\.(?:[a-z]{2,6}|рф)/|\b[\w-]{2,}\.(?:com|net|org|io|ru|info|biz|xyz|me|рф)\b", re.I
)
_MARKUP = re.compile(r"[<>\[\]{}`|\\*_]|(?<![a-z])#|&[a-z#]\w*;", re.I)  # C# is a skill


def folded(text: str) -> str:
    """`text` for comparison: compatible forms and letter case are one, white space is one space."""
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")).strip()


def occurs(phrase: str, within: str) -> bool:
    """Whether `phrase` stands in the `folded` text as whole words."""
    wanted = folded(phrase)
    return bool(wanted) and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", within) is not None


def occurring(phrases: Iterable[str | None], within: str, *, max_characters: int = 120) -> list[str]:
    """Those of `phrases` that stand in the `folded` text, on one line, each once."""
    lines = (_SPACES.sub(" ", visible_text(each, max_characters=1000)) for each in phrases if each)
    kept = {folded(each): each for each in lines if len(each) <= max_characters and occurs(each, within)}
    return list(kept.values())


def states_years(years: float, within: str, *, beside: str | None = None) -> bool:
    """Whether the `folded` text states so many years, near the phrase `beside` if one is given."""
    number = re.escape(f"{years:g}").replace(r"\.", "[.,]")
    statement = re.compile(rf"(?<![\d.,]){number}(?![\d]){_YEARS_AFTER}")
    if beside is None:
        return statement.search(within) is not None
    for match in re.finditer(re.escape(folded(beside)), within):
        near = within[max(0, match.start() - _NEAR_CHARACTERS) : match.end() + _NEAR_CHARACTERS]
        if statement.search(near):
            return True
    return False


def plain_sentence(text: str, *, facts: str, max_characters: int) -> str | None:
    """`text` on one line; None if it is empty, too long, or holds markup, an address or a number that `facts` lack."""
    line = _SPACES.sub(" ", visible_text(text, max_characters=4 * max_characters))
    if not line or len(line) > max_characters or _MARKUP.search(line) or _ADDRESS.search(line):
        return None
    return line if numbers_of(line) <= numbers_of(facts) else None


def numbers_of(text: str) -> frozenset[str]:
    """The numbers in a text; separators of thousands do not tell two apart."""
    plain = (match.replace(",", "") for match in _NUMBER.findall(text))
    return frozenset(re.sub(r"(\.[1-9]?)0{1,2}$", r"\1", number).rstrip(".") for number in plain)
