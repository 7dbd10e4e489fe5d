"""Resume files to text: plain text, Markdown, PDF and DOCX, within caps on bytes, pages and characters."""

import io
import re
import zipfile
from collections.abc import Iterator

import docx
import pypdf
from docx.table import Table as DocxTable
from docx.text.paragraph import Paragraph

from features.sources.encoding import decode_feed

MAX_BYTES = 10_000_000
MAX_PAGES = 50
MAX_CHARACTERS = 200_000
MAX_UNPACKED_BYTES = 100_000_000
_MARKDOWN = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?)|\*\*|__|`", re.MULTILINE)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,200})\]\([^()\s]{1,500}\)")
_ONE_WORD_LINES_SHARE = 0.6


class ResumeError(ValueError):
    """A resume that can't be read; `reason` is a code: too_large, unreadable, no_text, unknown_format, bad_json."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"resume: {reason}")
        self.reason = reason


def resume_text(body: bytes, suffix: str) -> str:
    """The text of a resume, at most MAX_CHARACTERS of it; tables of DOCX are read in their place.

    Raises ResumeError, with `no_text` for a scanned PDF too: there is nothing to make a profile of.
    """
    if len(body) > MAX_BYTES:
        raise ResumeError("too_large")
    if suffix == ".pdf":
        found = _pdf_text(body)
    elif suffix == ".docx":
        found = _docx_text(body)
    elif suffix == ".md":
        found = _MARKDOWN.sub("", _MARKDOWN_LINK.sub(r"\1", _plain_text(body)))
    elif suffix == ".txt":
        found = _plain_text(body)
    else:
        raise ResumeError("unknown_format")
    clean = found[:MAX_CHARACTERS].replace("\x00", "").replace("\u00a0", " ").replace("\r", "\n")
    if len(re.findall(r"\w", clean)) < 20:
        raise ResumeError("no_text")
    return clean


def _plain_text(body: bytes) -> str:
    return decode_feed(body, content_type=None, url=None)


def _pdf_text(body: bytes) -> str:
    """Page by page; where the text comes one word a line (some writers place each word), by layout instead."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(body))
        pages = [page for _, page in zip(range(MAX_PAGES), reader.pages, strict=False)]
        text = _joined(page.extract_text() for page in pages)
        lines = [line for line in text.splitlines() if line.strip()]
        if sum(len(line.split()) == 1 for line in lines) > _ONE_WORD_LINES_SHARE * len(lines):
            text = _joined(page.extract_text(extraction_mode="layout") for page in pages)
    except Exception:  # damaged and hostile files fail in many ways, none of which is ours to tell apart
        raise ResumeError("unreadable") from None
    return text


def _docx_text(body: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise ResumeError("too_large")
        document = docx.Document(io.BytesIO(body))
        headers = (paragraph.text for section in document.sections for paragraph in section.header.paragraphs)
        return _joined([*headers, *_docx_blocks(document.iter_inner_content())])
    except ResumeError:
        raise
    except Exception:  # as with PDF: zip, XML and relationship errors of all kinds
        raise ResumeError("unreadable") from None


def _docx_blocks(blocks: Iterator[Paragraph | DocxTable]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Paragraph):
            yield block.text
            continue
        for row in block.rows:
            cells = dict.fromkeys(cell.text.strip() for cell in row.cells)  # a merged cell is listed once a column
            yield "\n".join(cell for cell in cells if cell)


def _joined(parts: Iterator[str] | list[str]) -> str:
    found: list[str] = []
    size = 0
    for part in parts:
        found.append(part)
        size += len(part)
        if size > MAX_CHARACTERS:
            break
    return "\n".join(found)
