"""Amounts of money in a line of text: numbers in any grouping, their multipliers, and the currencies beside them.

Which of them is the job's pay is decided in salary_text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from features.jobs import pay_words as words
from features.vocabulary.currencies import Currencies, Meanings, is_money_sign

MAX_AMOUNT = 1e9
LAKH_AND_CRORE = (1e5, 1e7)
_NUMBER = re.compile(
    r"(?<!\d)(?<!\d[.,'])(?:"
    r"\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d{1,2})?"  # lakh and crore: 12,00,000
    r"|\d{1,3}(?P<group>[ .,'])\d{3}(?:(?P=group)\d{3})*(?:(?!(?P=group))[.,]\d{1,3})?"
    r"|\d+(?:[.,]\d+)?"
    r")(?!\d)(?![.,']\d)"
)
_MASS = (
    (1e3, r"k|к|т[ыи]с(?:яч\w*|\.)?|thousand|tsd\.?|tausend|tys\.?|tis(?:\.|[ií]c\w*|uć\w*|oč\w*)?|tūkst\.?|ribu|rb"
          r"|bin|mila|mille|tusen|tusind|duizend|tuhat\w*|ezer|mii|hiljad\w*|хиљад\w*|хил(?:яд\w*|\.)?|χιλιάδες|nghìn|ngàn|ming|минг"
          r"|мың|миң|мянга\w*|ათას\w*|հազար|ألف|אלף|พัน|हजार"
          r"|т(?=\.? ?(?:р|тг)\b)|千|천"),
    (1e4, "万|萬|만"),
    (1e5, r"lakhs?|lacs?|lpa|l|लाख"),
    (1e6, r"млн\.?|миллион\w*|мільйон\w*|mln\.?|million\w*|millón|millones|milion\w*|milyon|miljo\w*|mio\.?|juta|jt"
          r"|triệu|сая|mm?|百万"),
    (1e7, r"crores?|cr\.?"),
    (None, r"mil\.?|b|bn|billions?|млрд\.?|миллиард\w*|mld|mrd\.?|трлн|t|tn"),  # too much for pay, or ambiguous
)  # fmt: skip
_TIMES = re.compile("|".join(f"(?P<m{n}> ?(?:{names}))" for n, (_, names) in enumerate(_MASS)))
_WHOLE_TIMES = re.compile(rf"(?:{_TIMES.pattern})(?!\.?[^\W\d_])")
_ATTACHED_ONLY = frozenset({"m", "mm", "l", "b", "t"})  # alone they mean too much else
_RUPEES = frozenset({"INR", "PKR", "LKR", "NPR", "BDT"})
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
# Codes that are words of English, too: only in capitals.
_WORDLIKE = frozenset(
    {
        "all",
        "amd",
        "ars",
        "bam",
        "cup",
        "gel",
        "isk",
        "lak",
        "mad",
        "mop",
        "nad",
        "pen",
        "php",
        "ron",
        "sos",
        "top",
        "try",
    }
)
_END_OF_NUMBER = re.compile(r"(?:[,.]-{1,2}|:-|/-)(?![\d-])")
_SIGNS = "".join(filter(is_money_sign, map(chr, range(0x10000))))
_WORD = r"[^\W\d_]+(?:['.][^\W\d_]+)*\.?"
_SIGN_AFTER = re.compile(rf"[a-z]{{0,4}}[{_SIGNS}](?: ?[a-z]{{1,3}}(?![^\W_]))?")
_WORDS_AFTER = re.compile(rf"{_WORD}(?: {_WORD}){{0,2}}")
_SIGN_BEFORE = re.compile(rf"(?:(?<![^\W_])[a-z]{{1,4}}\.? ?-?)?[{_SIGNS}][a-z]{{0,3}}$|(?<![^\W_])[sb]/\.?$")
_WORDS_BEFORE = re.compile(rf"(?<![^\W\d_])(?:{_WORD} ){{0,2}}{_WORD}$")
# Between a currency and its amount: nothing, or a period: "руб/мес: 80000".
_BETWEEN = (re.compile(r":?[ (]*$"), re.compile(r" ?/ ?[^\W\d_]{1,6}\.?:? ?$"))
_LETTER_BEFORE = re.compile(r"[a-zа-яёіїєґ](?:-|#)?$|[#№]$")
_RUN = re.compile(r" ?([^\W\d_]+)")
_NOTHING_BETWEEN = re.compile(r"[ ,'()]{0,2}|\.")
_SHARE = re.compile(r" ?(?:%|процент|percent|prozent|pct\b|p\.p\.)")
_JOINED = re.compile(rf" ?(?:{words.TO}) ?[{_SIGNS}]?")
# "500 xyz dollars": the word may be a multiplier of any language, unless it is one of these.
_WORD_BETWEEN = re.compile(r" ?([^\W\d_]{2,}\.?) ")
_NO_MULTIPLIER = re.compile(
    rf"(?:{words.TO}|{words.AND}|{words.OR}|{words.UPPER}|{words.LOWER}|per|pro|par|por|in|of|за|plus|base|fix\w*)\.?"
    rf"|.*(?:{words.NET}|{words.GROSS}).*"
)
_FIRST_CJK = "\u2e80"  # from here on, words are written without spaces
_MIN_WHOLE = 1_000.0  # an amount that needs no multiplier
_SIGN_OF_NEXT = re.compile(rf"[a-z]{{0,4}}[{_SIGNS}]\d")
_WINDOW = 40


@dataclass
class Amount:
    """A number of a text and what stands beside it; `start` and `end` include the currency."""

    start: int
    end: int
    value: float
    is_scaled: bool  # it has a multiplier of its own: 60k
    factor: float
    currencies: list[Meanings]
    has_plus: bool
    word_after: str

    @property
    def has_currency(self) -> bool:
        return bool(self.currencies)


@dataclass(frozen=True)
class Line:
    """A text prepared for reading: `cased` as written, `low` in lower case, of the same length."""

    cased: str
    low: str

    @classmethod
    def of(cls, text: str) -> "Line":
        low = text.lower()
        return cls(text if len(low) == len(text) else low, low)


def amounts_in(line: Line, currencies: Currencies) -> list[Amount]:
    """The amounts of a line, from left to right. Percentages, numbers that are part of a word, and numbers that can
    be read in two ways are left out.
    """
    found: list[Amount] = []
    end_of_last, was_number, was_lost = 0, False, False
    for match in _NUMBER.finditer(line.low):
        one = _amount(line, match, currencies, since=found[-1].end if found else 0)
        gap = line.low[end_of_last : match.start()]
        is_glued = was_number and _is_glued(gap, line.low[match.end() :][:1])
        is_joined = was_number and _JOINED.fullmatch(gap)
        if is_glued or (is_joined and was_lost):  # "8 800 555 35 35" is no amount; nor is half of a range
            one = None
        if one is None and found and found[-1].end >= end_of_last and (is_glued or (is_joined and _is_half(found[-1]))):
            found.pop()
        end_of_last, was_number, was_lost = match.end(), True, one is None
        if one is not None:
            if found:  # a currency between two amounts belongs to the first
                one.start = max(one.start, found[-1].end)
            found.append(one)
    return found


def _is_glued(gap: str, following: str) -> bool:
    """Whether two numbers are parts of one, such as a phone's: "8 (800)", though not "level 8 (800 - 900)"."""
    return bool(_NOTHING_BETWEEN.fullmatch(gap)) and ("(" not in gap or following == ")")


def _is_half(one: Amount) -> bool:
    """Whether an amount lacks the multiplier or the unit of the number to which it is joined: "2-3 billion"."""
    return not one.has_currency or one.value < _MIN_WHOLE


def currencies_in(line: Line, currencies: Currencies) -> Iterator[Meanings]:
    """Every word or sign of a line that names a currency, wherever it stands."""
    for match in re.finditer(rf"{_SIGN_AFTER.pattern}|{_WORD}", line.low):
        if (one := _known(line, match.start(), match.group(), currencies)) is not None:
            yield one


def _amount(line: Line, match: re.Match[str], currencies: Currencies, *, since: int) -> Amount | None:
    low, written = line.low, match.group()
    factor, is_scaled, end = _times(low, match.end(), currencies)
    if factor is None:
        return None
    if suffix := _END_OF_NUMBER.match(low, end):
        end = suffix.end()
    has_plus = low[end : end + 1] == "+"
    end += has_plus
    if _SHARE.match(low, end):
        return None
    start, before = _before(line, match.start(), currencies)
    end, after, word = _after(line, end, currencies)
    if not has_plus and low[end : end + 1] == "+":
        has_plus, end = True, end + 1
    if not before and _LETTER_BEFORE.search(low[since : match.start()]):
        return None
    beside = [*before, *after]
    codes = frozenset().union(*(one.codes for one in beside))
    value = _value(written, factor=factor if is_scaled else None, codes=codes)
    is_bare = not beside and not is_scaled and value is not None and value < _MIN_WHOLE
    if is_bare and _has_multiplier(line, end, currencies):
        return None
    if value is None or (factor in LAKH_AND_CRORE and codes and not codes & _RUPEES):
        return None
    return Amount(start, end, value * factor, is_scaled, factor, beside, has_plus, word)


def _times(low: str, position: int, currencies: Currencies) -> tuple[float | None, bool, int]:
    """The multiplier after a number, 1 without one and None if it is none of pay; and where it ends."""
    run = _RUN.match(low, position)
    if run and run[1] not in _ATTACHED_ONLY and currencies.meanings(run[1]) is not None:
        return 1.0, False, position
    match = _WHOLE_TIMES.match(low, position) or _TIMES.match(low, position)
    while match:
        rest = _RUN.match(low, match.end())
        tail = rest[1] if rest and rest.start(1) == match.end() else ""
        word = match.group()
        is_whole = not tail or currencies.meanings(tail) is not None or word.strip() in ("万", "萬", "만", "千", "천")
        if is_whole and not (word.strip() in _ATTACHED_ONLY and word.startswith(" ")):
            factor = next(_MASS[n][0] for n in range(len(_MASS)) if match.group(f"m{n}"))
            return factor, True, match.end()
        # A shorter multiplier may fit: "kusd" after "k".
        match = _TIMES.fullmatch(low, position, match.end() - 1) if match.end() - position > 1 else None
    return 1.0, False, position


def _has_multiplier(line: Line, position: int, currencies: Currencies) -> bool:
    """Whether an unknown word stands between a number and a currency."""
    word = _WORD_BETWEEN.match(line.low, position)
    if word is None or _NO_MULTIPLIER.fullmatch(word[1]):
        return False
    return _starting(line, word.end(), currencies) is not None


def _value(written: str, *, factor: float | None, codes: frozenset[str]) -> float | None:
    """The number; None if it may be two: "1.250k", or "1.250" where a currency has three decimals."""
    single = re.fullmatch(r"(\d{1,3})[.,](\d{3})", written)
    if single and single[1] == "0":
        return float(written.replace(",", "."))
    if single and factor is not None and factor >= 1e6:
        return float(written.replace(",", "."))
    if single and (factor is not None or codes & _THREE_DECIMALS):
        return None
    decimals = re.search(r"[.,](\d{1,2})$", written) or re.search(r"(?<=\d{3})[.,](\d{3})$", _ungrouped_end(written))
    whole = written[: -len(decimals[0])] if decimals else written
    digits = re.sub(r"\D", "", whole)
    if len(digits) > 12:
        return None
    return float(f"{digits}.{decimals[1]}") if decimals else float(digits)


def _ungrouped_end(written: str) -> str:
    """`written` if its last separator differs from the ones before or follows four digits, else nothing."""
    separators = re.findall(r"[ .,']", written)
    is_decimal = len(set(separators)) > 1 or bool(re.fullmatch(r"\d{4,}[.,]\d{3}", written))
    return written if is_decimal and separators[-1] in ".," else ""


def _before(line: Line, position: int, currencies: Currencies) -> tuple[int, list[Meanings]]:
    """Where the currencies directly before a number begin, and the currencies."""
    found: list[Meanings] = []
    start = position
    for _ in range(2):
        one = None
        for pattern in _BETWEEN:
            if one is None and (between := pattern.search(line.low[max(0, start - 12) : start])):
                edge = start - len(between.group())
                one = _ending(line, line.low[max(0, edge - _WINDOW) : edge], edge, currencies)
        if one is None:
            break
        start, meanings = one
        found.append(meanings)
    return start, found


def _ending(line: Line, head: str, edge: int, currencies: Currencies) -> tuple[int, Meanings] | None:
    """The currency with which `head` ends, and where it starts."""
    for pattern in (_SIGN_BEFORE, _WORDS_BEFORE):
        match = pattern.search(head)
        written = match.group() if match else ""
        while written:
            if (one := _known(line, edge - len(written), written, currencies)) is not None:
                return edge - len(written), one
            rest = written.split(" ", 1)[1] if " " in written else ""
            if not rest and pattern is _SIGN_BEFORE:
                rest = written[1:] if len(written) > 1 and not written[1].isalpha() else ""
            written = rest
    return None


def _after(line: Line, position: int, currencies: Currencies) -> tuple[int, list[Meanings], str]:
    """Where the currencies directly after a number end, the currencies, and the last word of them."""
    found: list[Meanings] = []
    end, word = position, ""
    for _ in range(2):
        gap = re.compile(r" ?\(?").match(line.low, end)
        begin = gap.end() if gap else end
        one = _starting(line, begin, currencies)
        if one is None:
            break
        word, meanings = one
        rest = line.cased[begin + len(word) :].lstrip()
        if word.endswith(".") and (not rest or rest[0].isupper()):
            word = word[:-1]  # the dot ends a sentence
        end = begin + len(word)
        if line.low[begin - 1 : begin] == "(" and line.low[end : end + 1] == ")":
            end += 1
        found.append(meanings)
    return end, found, word


def _starting(line: Line, begin: int, currencies: Currencies) -> tuple[str, Meanings] | None:
    for pattern in (_SIGN_AFTER, _WORDS_AFTER):
        match = pattern.match(line.low, begin, min(len(line.low), begin + _WINDOW))
        written = match.group() if match else ""
        if pattern is _SIGN_AFTER and line.low[begin - 1 : begin] == " " and _SIGN_OF_NEXT.match(line.low, begin):
            written = ""  # "45k $60k": the sign belongs to the number after it
        while written:
            if (one := _known(line, begin, written, currencies)) is not None:
                return written, one
            if " " in written:
                written = written.rsplit(" ", 1)[0]
            elif "." in written.rstrip("."):
                written = written.rsplit(".", 1)[0]
            else:
                is_sign = pattern is _SIGN_AFTER and is_money_sign(written[0])
                written = written[0] if (is_sign or written[0] >= _FIRST_CJK) and len(written) > 1 else ""
    return None


def _known(line: Line, start: int, written: str, currencies: Currencies) -> Meanings | None:
    found = currencies.meanings(written)
    if found is None and any(map(is_money_sign, written)):
        # "ca $50,000", "18,000 a $22,000": only capitals may stand apart from their sign
        letters = line.cased[start : start + len(written)].partition(" ")[0]
        if " " not in written or is_money_sign(written[0]) or (letters.isupper() and letters != "A"):
            found = currencies.meanings(written.replace(" ", ""))
    if found and written in _WORDLIKE and not line.cased[start : start + len(written)].isupper():
        return None
    return found
