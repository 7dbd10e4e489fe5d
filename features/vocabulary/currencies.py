"""Words and signs of money: which currencies a word may stand for, and which of them it stands for in a country."""

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MIN_STEM = 3  # of a word with any ending
_QUOTES = str.maketrans(dict.fromkeys("’‘ʻʼ`´", "'"))


@dataclass(frozen=True)
class Meanings:
    """The currencies that a word may stand for: in the countries named, and in all others (`default`, if any)."""

    word: str
    in_country: Mapping[str, str]
    default: str | None
    codes: frozenset[str]

    def of(self, country: str | None) -> str | None:
        """The currency in `country`, an ISO 3166 code; None if the word is ambiguous there."""
        return self.in_country.get(country or "", self.default)

    @property
    def is_certain(self) -> bool:
        """Whether the word is one currency's everywhere."""
        return len(self.codes) == 1


@dataclass(frozen=True)
class Currencies:
    """currency_words.csv: `words` by spelling in lower case, `stems` of those with any ending; and `units_per_usd`, the
    newest rates of currencies.csv, which tell what is a usual amount.
    """

    words: Mapping[str, Meanings]
    stems: Mapping[str, Meanings]
    units_per_usd: Mapping[str, float]

    @classmethod
    def load(cls, folder: Path) -> "Currencies":
        rows: defaultdict[str, dict[str, str]] = defaultdict(dict)
        with (folder / "currency_words.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows[row["word"]][row["currency"]] = row["countries"]
        found = {word: _meanings(word, countries) for word, countries in rows.items()}
        return cls(
            words={word: one for word, one in found.items() if not word.endswith("*")},
            stems={word[:-1]: one for word, one in found.items() if word.endswith("*")},
            units_per_usd=_newest_rates(folder),
        )

    def meanings(self, word: str) -> Meanings | None:
        """What a word in lower case with plain apostrophes stands for; None if it names no money."""
        if (found := self.words.get(word)) is not None:
            return found
        bare = word.rstrip(".")
        if bare != word and (found := self.words.get(bare)) is not None:
            return found
        if " " in bare or not (bare[:_MIN_STEM].isalpha() or "'" in bare):
            return None
        return next((self.stems[bare[:n]] for n in range(len(bare), _MIN_STEM - 1, -1) if bare[:n] in self.stems), None)


def is_money_sign(character: str) -> bool:
    """Whether a character is a currency sign of Unicode, such as $ or €."""
    return unicodedata.category(character) == "Sc"


def plain_quotes(text: str) -> str:
    """`text` with every apostrophe as ', as the words are spelt here."""
    return text.translate(_QUOTES)


def _newest_rates(folder: Path) -> dict[str, float]:
    with (folder / "currencies.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["as_of_date"])
    return {row["currency"]: float(row["units_per_usd"]) for row in rows}


def _meanings(word: str, rows: Mapping[str, str]) -> Meanings:
    in_country = {country: code for code, countries in rows.items() for country in countries.split()}
    default = next((code for code, countries in rows.items() if not countries), None)
    return Meanings(word, in_country, default, frozenset(rows))
