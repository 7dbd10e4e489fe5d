"""The words of a PDF with their positions, by PDFium. Their order on the page is decided elsewhere."""

import ctypes
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import pypdfium2
from pypdfium2 import raw

from features.errors import JobfeedError

# Hyphens of all kinds; \x02 is PDFium's sign for one at the end of a line.
_HYPHENS = frozenset("\x02\u00ad\u2010\u2011")
# Ligatures at their places in the fonts of LaTeX, where the file does not say what they stand for.
_LATEX_LIGATURES = {
    "\x1b": "ff", "\x1c": "fi", "\x1d": "fl", "\x1e": "ffi", "\x1f": "ffl",
    "\x0b": "ff", "\x0c": "fi", "\x0e": "ffi", "\x0f": "ffl",
}  # fmt: skip
_WORD_GAP, _LINE_SHIFT = 0.22, 0.35  # in heights of the text


@dataclass(frozen=True)
class Word:
    """A word with its edges and its baseline in points; `y` grows downwards, `page` counts from 0."""

    text: str
    left: float
    right: float
    y: float
    height: float
    page: int


class PasswordError(JobfeedError):
    """The file opens with a password only."""


def read_words(body: bytes, *, max_pages: int, max_characters: int) -> list[Word]:
    """The words of the first pages, in the order of the file. Raises PasswordError, or what PDFium raises."""
    try:
        document = pypdfium2.PdfDocument(body)
    except pypdfium2.PdfiumError as error:
        if error.err_code == raw.FPDF_ERR_PASSWORD:
            raise PasswordError from None
        raise
    found: list[Word] = []
    left = max_characters
    with document:
        for number in range(min(len(document), max_pages)):
            if left <= 0:
                break
            page = document[number]
            text = page.get_textpage()
            n_characters = min(text.count_chars(), left)
            left -= n_characters
            found.extend(_words(_characters(text, n_characters, top=page.get_height()), number))
            text.close()
            page.close()
    return found


@dataclass(slots=True)
class _Character:
    text: str
    left: float
    right: float
    y: float
    height: float


def _characters(text: "pypdfium2.PdfTextPage", count: int, *, top: float) -> Iterator[_Character | None]:
    """The characters; None for white space."""
    box, x, y = raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()
    for index in range(count):
        code = raw.FPDFText_GetUnicode(text.raw, index)
        letter = _readable(chr(code)) if 0 < code < 0x110000 else ""
        if not letter:
            continue
        if letter.isspace():
            yield None
            continue
        raw.FPDFText_GetLooseCharBox(text.raw, index, ctypes.byref(box))
        raw.FPDFText_GetCharOrigin(text.raw, index, ctypes.byref(x), ctypes.byref(y))
        yield _Character(letter, box.left, box.right, top - y.value, abs(box.top - box.bottom) or 1.0)


def _readable(letter: str) -> str:
    """The character in its usual form: ligatures apart, signs of icon fonts as bullets, unknown ones left out."""
    if letter in _HYPHENS:
        return "-"
    if letter in _LATEX_LIGATURES:
        return _LATEX_LIGATURES[letter]
    category = unicodedata.category(letter)
    if category == "Co":
        return "•"
    if category in ("Cn", "Cs", "Cf", "Cc"):
        return " " if letter in "\t\n\r" else ""
    return (
        unicodedata.normalize("NFKC", letter)
        if re.match("[\ufb00-\ufb06\u2000-\u200a\u00a0\u202f]", letter)
        else letter
    )


def _words(characters: Iterator[_Character | None], page: int) -> Iterator[Word]:
    word: list[_Character] = []
    for one in characters:
        if word and (one is None or not _continues(word[-1], one)):
            yield _joined(word, page)
            word = []
        if one is not None:
            word.append(one)
    if word:
        yield _joined(word, page)


def _continues(before: _Character, one: _Character) -> bool:
    height = min(before.height, one.height)
    return (
        abs(one.y - before.y) < _LINE_SHIFT * height
        # The letters of a ligature share one box.
        and (-height < one.left - before.right < _WORD_GAP * height or one.left == before.left)
    )


def _joined(word: list[_Character], page: int) -> Word:
    text = unicodedata.normalize("NFC", "".join(one.text for one in word)).replace("--", "-")
    height = max(one.height for one in word)
    return Word(text, word[0].left, word[-1].right, word[0].y, height, page)
