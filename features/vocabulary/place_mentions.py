"""The words of a location text that may name places, with what stands between them. What they mean together is decided
in place_readings and place_context.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from features.vocabulary.place_words import (
    ABROAD,
    AFTER_EXCLUDING,
    ALL_NOISE,
    BEFORE_PLACE,
    CONNECTIVES,
    EXCLUDING,
    NOISE,
    SHOUTED_WORDS,
    STREET,
    TIME_ZONES,
    WORLDWIDE,
)

MAX_TEXT_LENGTH = 300
_MAX_TOKENS = 60
_MAX_WORDS = 6
_MAX_MENTIONS = 24
_LONGEST_CODE = 3
_WITH_STATES = frozenset({"US", "CA", "AU"})


class Gap(IntEnum):
    """What stands before a word: `SOFT` within one name, `COMMA`, another mark, or what separates items of a list."""

    SOFT = 0
    COMMA = 1
    BRACKET = 2
    MARK = 3
    LIST = 4


@dataclass(frozen=True, slots=True)
class Town:
    """One town that a name may mean; `weight` is its population times the number of its names in all languages."""

    name: str
    region: str | None
    country: str
    latitude: float
    longitude: float
    population: float
    weight: float
    is_own_name: bool


@dataclass(frozen=True, slots=True)
class Region:
    """A state, province or the like; `weight` is the population of its towns."""

    name: str
    country: str
    is_code: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Meaning:
    """All that a name may mean. `area` holds the countries of an area such as Europe."""

    country: str | None = None
    is_country_code: bool = False
    regions: tuple[Region, ...] = ()
    towns: tuple[Town, ...] = ()
    area: tuple[str, ...] = ()

    @property
    def has_long_name(self) -> bool:
        """Whether it is the full name of a country or region."""
        return (self.country is not None and not self.is_country_code) or any(not one.is_code for one in self.regions)


@dataclass(frozen=True, slots=True)
class Mention:
    """A known name in a text. `gap` is the widest gap since the mention before."""

    key: str
    gap: Gap
    meaning: Meaning
    is_code_like: bool = False  # two or three letters that can be a code only beside what it belongs to
    allows_town: bool = True
    is_after_county: bool = False  # "Orange County, CA"
    is_ukrainian: bool = False  # after "м.", which abbreviates "town" in Ukrainian and "metro" in Russian

    @property
    def states(self) -> tuple[Region, ...]:
        """The regions whose code it is, in the countries where people write such a code alone."""
        return tuple(one for one in self.meaning.regions if one.is_code and one.country in _WITH_STATES)

    @property
    def is_code_of_two(self) -> bool:
        """Whether it is the code of a country and of a state elsewhere."""
        return self.meaning.is_country_code and not self.is_code_like and bool(self.states)

    @property
    def is_short(self) -> bool:
        """Whether it is as short as a code ("SF")."""
        return len(self.key) <= _LONGEST_CODE and self.key.isascii()

    @property
    def countries(self) -> set[str]:
        """The countries that it may name or lie in, as a town or under a full name."""
        found = {town.country for town in self.meaning.towns}
        return found | {self.meaning.country} if self.meaning.country is not None else found


@dataclass(frozen=True, slots=True)
class Mentions:
    """The mentions of a text without those that it excludes. `is_worldwide` and `is_abroad`: words that set aside the
    country of the feed, such as "outside Russia".
    """

    found: tuple[Mention, ...] = ()
    is_worldwide: bool = False
    is_abroad: bool = False


@dataclass(slots=True)
class Token:
    """A word of a text: folded, as written, what stands before it, and the number of its segment."""

    key: str
    raw: str
    gap: Gap
    segment: int
    ends_clause: bool  # whether a bracket ends or a mark of a list stands before it
    span: int = 0  # number of words of the mention that starts here
    name: str = ""  # its key
    is_noise: bool = field(default=False)


# A town that is known in spite of unknown words after it: "Berlin Mitte".
_LARGE_TOWN = 300_000
_ABBREVIATED = {
    "обл": "область", "респ": "республика", "st": "saint", "ft": "fort", "mt": "mount", "кр": "край",
    "ste": "sainte",
}  # fmt: skip
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ё": "е", "ѐ": "е"}
)
_FLAG = re.compile("[\U0001f1e6-\U0001f1ff]{2}")
_FLAG_LETTERS = {0x1F1E6 + position: letter for position, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
_APOSTROPHES = re.compile("['’ʻ`‘ʼʹ´]")
_CYRILLIC = re.compile("[а-я]$")
_CLAUSE_END = re.compile(r"[)\];|\n•·]")
_SHORTEST_STEM = 3
# Endings of cases and those of the nominatives that they may belong to, in names without accents (й is и).
_RUSSIAN_CASES = (
    ("ии", ("ия",)), ("ию", ("ия",)), ("ах", ("ы", "и")), ("ях", ("и",)), ("а", ("", "о")), ("у", ("", "а")),
    ("ы", ("а",)), ("е", ("", "а", "ь", "о")), ("и", ("ь", "я", "а")), ("я", ("ь", "и", "е")), ("ю", ("я", "ь")),
)  # fmt: skip
_WORD = re.compile(rf"{_FLAG.pattern}|[^\W_]+")


def candidate_keys(tokens: Sequence[Token]) -> Iterator[str]:
    """Every key that a mention in these tokens may have."""
    for start in range(len(tokens)):
        for n_words in range(1, _MAX_WORDS + 1):
            yield from _keys(tokens, start, n_words)


def tokenised(text: str | None) -> list[Token]:
    """The words of a text with the gap before each."""
    if not text:
        return []
    shown = _FLAG.sub(r", \g<0> ,", text[:MAX_TEXT_LENGTH])
    plain = _without_accents(shown)
    tokens: list[Token] = []
    end, segment = 0, 0
    for word in _WORD.finditer(plain):
        between = plain[end : word.start()]
        gap = _gap(between) if tokens else Gap.LIST
        segment += gap != Gap.SOFT
        key = word[0].translate(_FLAG_LETTERS).lower().translate(_LETTERS)
        tokens.append(Token(_ABBREVIATED.get(key, key), word[0], gap, segment, bool(_CLAUSE_END.search(between))))
        end = word.end()
        if len(tokens) == _MAX_TOKENS:
            break
    return tokens


def mentions(tokens: Sequence[Token], meanings: Mapping[str, Meaning]) -> Mentions:
    """The known names among the tokens, the longest first; `meanings` has those of all `candidate_keys`."""
    keys = {token.key for token in tokens}
    _mark(tokens, meanings)
    unknown = _unknown_words(tokens)
    streets = {tokens[position].segment for position in _unnamed(tokens) if tokens[position].key in STREET}
    is_shouted = _is_shouted(tokens)
    excluded = _excluded(tokens)
    found: list[Mention] = []
    gap, position = Gap.LIST, 0
    while position < len(tokens):
        token = tokens[position]
        gap = max(gap, token.gap)
        if not token.span:
            gap = Gap.LIST if _is_connective(tokens, position) else gap
            position += 1
            continue
        one = _mention(tokens, position, meanings[token.name], gap=gap, unknown=unknown, is_shouted=is_shouted)
        if one is not None and token.segment not in streets and position not in excluded:
            found.append(one)
            gap = Gap.SOFT
        position += token.span
        if position < len(tokens) and tokens[position].gap == Gap.LIST:
            gap = Gap.LIST
    without = [meanings[tokens[position].name] for position in excluded if tokens[position].span]
    is_abroad = bool(keys & ABROAD) or any(one.country is not None or one.area for one in without)
    return Mentions(tuple(found[:_MAX_MENTIONS]), bool(keys & WORLDWIDE), is_abroad)


def _excluded(tokens: Sequence[Token]) -> set[int]:
    """The positions of what the text excludes: the places after "except" to the end of the bracket or list item."""
    excluded: set[int] = set()
    unnamed = set(_unnamed(tokens))
    for position in unnamed:
        if tokens[position].key not in EXCLUDING:
            continue
        first = position + 1
        while first in unnamed and tokens[first].key in AFTER_EXCLUDING and not tokens[first].ends_clause:
            first += 1
        # Of "not remote, Berlin" nothing is excluded.
        if first < len(tokens) and first not in unnamed and not tokens[first].ends_clause:
            ends = (end for end in range(first + 1, len(tokens)) if tokens[end].ends_clause)
            excluded.update(range(first, next(ends, len(tokens))))
    return excluded


def _mark(tokens: Sequence[Token], meanings: Mapping[str, Meaning]) -> None:
    """Sets `span` at the start of each mention and `is_noise` of the words around; a conjunction ends a segment."""
    position = n_clauses = 0
    while position < len(tokens):
        token = tokens[position]
        for n_words in range(min(_MAX_WORDS, len(tokens) - position), 0, -1):
            known = next((key for key in _keys(tokens, position, n_words) if key in meanings), None)
            if known is not None and not (n_words == 1 and _is_plain_word(tokens, position)):
                token.span, token.name = n_words, known
                break
        else:
            has_digit = any(char.isdigit() for char in token.key)
            token.is_noise = has_digit or token.key in ALL_NOISE
            n_clauses += _is_connective(tokens, position)
        for word in tokens[position : position + max(token.span, 1)]:
            word.segment += n_clauses * _MAX_TOKENS
        position += max(token.span, 1)


def _is_plain_word(tokens: Sequence[Token], position: int) -> bool:
    """Whether the word is one of English or Russian here, though it may also be a code ("in", "OR") or a town."""
    token = tokens[position]
    if _is_connective(tokens, position):
        return True
    is_capital = token.raw.isupper() and len(token.raw) in (2, 3)
    return token.key in TIME_ZONES or (token.key in NOISE | WORLDWIDE and not is_capital)


def _is_connective(tokens: Sequence[Token], position: int) -> bool:
    """ "OR" in capitals is Oregon after a comma or at the end of a segment, and a conjunction between names."""
    token = tokens[position]
    if token.key not in CONNECTIVES or position == 0:
        return False
    if token.raw != "OR":
        return True
    follows = position + 1 < len(tokens) and tokens[position + 1].gap == Gap.SOFT
    return token.gap == Gap.SOFT and follows and not tokens[position + 1].key.isdigit()


def _unnamed(tokens: Sequence[Token]) -> Iterator[int]:
    """The positions of the words that belong to no mention."""
    position = 0
    while position < len(tokens):
        if not tokens[position].span:
            yield position
        position += max(tokens[position].span, 1)


def _unknown_words(tokens: Sequence[Token]) -> Counter[int]:
    """Per segment the number of words that are neither a known name nor noise."""
    return Counter(tokens[position].segment for position in _unnamed(tokens) if not tokens[position].is_noise)


def _mention(
    tokens: Sequence[Token],
    position: int,
    meaning: Meaning,
    *,
    gap: Gap,
    unknown: Mapping[int, int],
    is_shouted: bool,
) -> Mention | None:
    """The mention at `position` as far as the words around it allow."""
    token, end = tokens[position], position + tokens[position].span
    before = tokens[position - 1] if position and token.gap == Gap.SOFT else None
    is_first = before is None
    is_last = end == len(tokens) or tokens[end].gap != Gap.SOFT
    is_surrounded = token.segment in unknown
    allows_town = True
    if is_surrounded:
        large = tuple(town for town in meaning.towns if town.is_own_name and town.population >= _LARGE_TOWN)
        allows_town = is_first and bool(large)
        is_named_last = is_last or (before is not None and before.key in BEFORE_PLACE)
        if not allows_town and not is_named_last:
            return None
    is_code_like = False
    if _FLAG.fullmatch(token.raw):
        meaning = Meaning(meaning.country, is_country_code=True)
    if token.span == 1 and len(token.key) <= _LONGEST_CODE and token.raw.isalpha() and token.raw.isascii():
        is_capital = token.raw.isupper() and not (is_shouted and token.key in SHOUTED_WORDS and token.gap == Gap.SOFT)
        if is_surrounded and not is_last:
            return None
        is_code_like = not is_capital
        if is_code_like and meaning.area:
            meaning = replace(meaning, area=())
        if is_code_like and (token.gap == Gap.SOFT or not is_last) and not meaning.has_long_name:
            meaning = Meaning(towns=meaning.towns)
    is_after_county = position > 0 and tokens[position - 1].key == "county"
    is_ukrainian = before is not None and before.key == "м"
    return Mention(token.name, gap, meaning, is_code_like, allows_town, is_after_county, is_ukrainian)


def _is_shouted(tokens: Sequence[Token]) -> bool:
    return sum(len(token.raw) > 3 for token in tokens) > 1 and all(token.raw.upper() == token.raw for token in tokens)


def _key(tokens: Sequence[Token], start: int, n_words: int) -> str | None:
    """The words as a key; None if they are not within one name. Names of countries may have a comma."""
    if start + n_words > len(tokens):
        return None
    key = tokens[start].key
    for token in tokens[start + 1 : start + n_words]:
        if token.gap > Gap.BRACKET:
            return None
        key += f", {token.key}" if token.gap == Gap.COMMA else f" {token.key}"
    return key


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return _APOSTROPHES.sub("", "".join(char for char in decomposed if unicodedata.category(char) != "Mn"))


def _keys(tokens: Sequence[Token], start: int, n_words: int) -> Iterator[str]:
    """The words as a key, and after a Russian preposition ("из Казахстана") in the nominative too."""
    key = _key(tokens, start, n_words)
    if key is None:
        return
    yield key
    if start and tokens[start].gap == Gap.SOFT and tokens[start - 1].key in BEFORE_PLACE and _CYRILLIC.search(key):
        for ending, nominatives in _RUSSIAN_CASES:
            if key.endswith(ending) and len(key) - len(ending) >= _SHORTEST_STEM:
                yield from (key.removesuffix(ending) + nominative for nominative in nominatives)


def _gap(between: str) -> Gap:
    if re.search(r"[;|\n•·+&]", between):
        return Gap.LIST
    if between.strip() != "(" and re.search(r"[()\[\]:/\\–—→>]|\s-|-\s", between):
        return Gap.MARK
    if between.strip() == "(":
        return Gap.BRACKET
    return Gap.COMMA if "," in between else Gap.SOFT
