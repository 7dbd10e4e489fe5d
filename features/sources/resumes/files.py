"""Resume files to text: plain text, Markdown, PDF and DOCX, with limits on bytes, pages and characters."""

import re
from typing import NamedTuple

from features.sources.charset import decode_feed
from features.sources.resumes.docx_text import TooLargeError, docx_text
from features.sources.resumes.fields import MAX_BYTES, ResumeError
from features.sources.resumes.pdf_layout import largest_text, text_in_reading_order
from features.sources.resumes.pdf_words import PasswordError, read_words
from features.sources.resumes.sections import COLUMN_BREAK

MAX_PAGES = 50
MAX_CHARACTERS = 200_000
_OLE = b"\xd0\xcf\x11\xe0"
_MARKDOWN = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?)|\*\*|__|`|(?<![\w])[*_](?=\S)|(?<=\S)[*_](?!\w)", re.MULTILINE)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,200})\]\([^()\s]{1,500}\)")
_MARKDOWN_TABLE_RULE = re.compile(r"[\s|:-]*\|[\s|:-]*")
_BY_WORD = re.compile(r"(?<=[^\s:])\t(?=\S)")
_MIN_TABS = 12
_SPACED = re.compile(r"(?<=\S) (?=\S)")


class ResumeText(NamedTuple):
    """The text of a resume, with COLUMN_BREAK lines between columns; `largest` is what the largest letters spell."""

    text: str
    largest: str | None = None


def resume_text(body: bytes, suffix: str) -> ResumeText:
    """The text of a resume, at most MAX_CHARACTERS, in reading order; tables of DOCX are read in place.

    Raises ResumeError, with `no_text` also for a scanned PDF.
    """
    if len(body) > MAX_BYTES:
        raise ResumeError("too_large")
    largest = None
    if suffix == ".pdf":
        found, largest = _pdf_text(body)
    elif suffix == ".docx":
        found = _docx_text(body)
    elif suffix == ".md":
        found = _markdown_text(_plain_text(body)[:MAX_CHARACTERS])
    elif suffix == ".txt":
        found = _plain_text(body)
    else:
        raise ResumeError("unknown_format")
    clean = found[:MAX_CHARACTERS].replace("\x00", "").replace("\u00a0", " ").replace("\r", "\n")
    if len(re.findall(r"\w", clean)) < 20:
        raise ResumeError("no_text")
    return ResumeText(_without_tabs_by_word(clean), largest)


def _without_tabs_by_word(text: str) -> str:
    """The text with spaces for tabs if tabs stand between most words, as some programs write them."""
    n_tabs = len(_BY_WORD.findall(text))
    return _BY_WORD.sub(" ", text) if n_tabs > _MIN_TABS and n_tabs > 2 * len(_SPACED.findall(text)) else text


def _markdown_text(written: str) -> str:
    """The text without markup, targets of links and headers of tables."""
    kept: list[str] = []
    for each in written.splitlines():
        if "-" in each and _MARKDOWN_TABLE_RULE.fullmatch(each):
            del kept[-1:]
        else:
            kept.append(each)
    return _MARKDOWN.sub("", _MARKDOWN_LINK.sub(r"\1", "\n".join(kept)))


def _plain_text(body: bytes) -> str:
    return decode_feed(body, content_type=None, url=None).replace(COLUMN_BREAK, "\n")


def _pdf_text(body: bytes) -> tuple[str, str | None]:
    try:
        words = read_words(body, max_pages=MAX_PAGES, max_characters=MAX_CHARACTERS)
        return text_in_reading_order(words), largest_text(words)
    except PasswordError:
        raise ResumeError("encrypted") from None
    except Exception:  # damaged and hostile files fail in many ways, which need no distinction here
        raise ResumeError("unreadable") from None


def _docx_text(body: bytes) -> str:
    if body.startswith(_OLE) and "EncryptedPackage".encode("utf-16-le") in body:
        raise ResumeError("encrypted")
    try:
        return docx_text(body)
    except TooLargeError:
        raise ResumeError("too_large") from None
    except Exception:  # as with PDF: zip, XML and relationship errors of all kinds
        raise ResumeError("unreadable") from None
