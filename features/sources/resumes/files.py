"""Resume files to text: plain text, Markdown, PDF and DOCX, with limits on bytes, pages and characters."""

import io
import re
import zipfile
from collections.abc import Iterator

import docx
import pypdf
from docx.table import Table as DocxTable
from docx.table import _Cell
from docx.text.paragraph import Paragraph

from features.errors import SourceError
from features.sources.charset import decode_feed

MAX_BYTES = 10_000_000
MAX_PAGES = 50
MAX_CHARACTERS = 200_000
MAX_UNPACKED_BYTES = 100_000_000
MAX_XML_BYTES = 20_000_000
_OLE = b"\xd0\xcf\x11\xe0"
_MAX_TABLE_DEPTH = 5
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MARKDOWN = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s?)|\*\*|__|`|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)", re.MULTILINE)
_MARKDOWN_LINK = re.compile(r"\[([^\[\]]{1,200})\]\([^()\s]{1,500}\)")
_MARKDOWN_TABLE_RULE = re.compile(r"[\s|:-]*\|[\s|:-]*")
_ONE_WORD_LINES_SHARE = 0.6


class ResumeError(SourceError):
    """A resume that can't be read; `reason` is a code: too_large, encrypted, unreadable, no_text (a scan too),
    unknown_format, bad_json."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)  # the argument itself, so that a pickled error can be restored
        self.reason = reason

    def __str__(self) -> str:
        return f"resume: {self.reason}"


def resume_text(body: bytes, suffix: str) -> str:
    """The text of a resume, at most MAX_CHARACTERS; tables of DOCX are read in place.

    Raises ResumeError, with `no_text` also for a scanned PDF.
    """
    if len(body) > MAX_BYTES:
        raise ResumeError("too_large")
    if suffix == ".pdf":
        found = _pdf_text(body)
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
    return clean


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
    return decode_feed(body, content_type=None, url=None)


def _pdf_text(body: bytes) -> str:
    """Page by page; by layout if the text comes one word a line, because some writers position each word."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(body))
        if reader.is_encrypted and not _opens(reader):
            raise ResumeError("encrypted")
        pages = [page for _, page in zip(range(MAX_PAGES), reader.pages, strict=False)]
        text = _joined(page.extract_text() for page in pages)
        lines = [line for line in text.splitlines() if line.strip()]
        if sum(len(line.split()) == 1 for line in lines) > _ONE_WORD_LINES_SHARE * len(lines):
            text = _joined(page.extract_text(extraction_mode="layout") for page in pages)
    except ResumeError:
        raise
    except Exception:  # damaged and hostile files fail in many ways, which need no distinction here
        raise ResumeError("unreadable") from None
    return text


def _opens(reader: pypdf.PdfReader) -> bool:
    """Whether it opens without a password (many are encrypted only to forbid changes) and with an available cipher."""
    try:
        return reader.decrypt("") != pypdf.PasswordType.NOT_DECRYPTED
    except Exception:
        return False


def _docx_text(body: bytes) -> str:
    if body.startswith(_OLE) and "EncryptedPackage".encode("utf-16-le") in body:
        raise ResumeError("encrypted")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
            if (
                sum(member.file_size for member in members) > MAX_UNPACKED_BYTES
                or sum(member.file_size for member in members if member.filename.endswith(".xml")) > MAX_XML_BYTES
            ):
                raise ResumeError("too_large")
        document = docx.Document(io.BytesIO(body))
        headers = [
            part
            for section in document.sections
            for header in (section.first_page_header, section.header)
            if not header.is_linked_to_previous
            for part in _docx_blocks(header.iter_inner_content(), depth=0)
        ]
        return _joined([*dict.fromkeys(headers), *_docx_blocks(document.iter_inner_content(), depth=0)])
    except ResumeError:
        raise
    except Exception:  # as with PDF: zip, XML and relationship errors of all kinds
        raise ResumeError("unreadable") from None


def _docx_blocks(blocks: Iterator[Paragraph | DocxTable], *, depth: int) -> Iterator[str]:
    """Paragraphs with their anchored text boxes, and the cells of tables, also of nested ones."""
    for block in blocks:
        if isinstance(block, Paragraph):
            yield block.text
            yield from _text_boxes(block)
            continue
        for row in block.rows:
            # A merged cell occurs once per column.
            cells = dict.fromkeys(_cell_text(cell, depth=depth) for cell in row.cells)
            yield "\n".join(cell for cell in cells if cell)


def _cell_text(cell: _Cell, *, depth: int) -> str:
    if depth >= _MAX_TABLE_DEPTH:
        return str(cell.text).strip()
    return "\n".join(part for part in _docx_blocks(cell.iter_inner_content(), depth=depth + 1) if part.strip())


def _text_boxes(paragraph: Paragraph) -> Iterator[str]:
    for box in paragraph._p.iter(f"{_W}txbxContent"):
        # Word writes each box twice, the second time as a fallback for other programs.
        if not any(around.tag == _FALLBACK for around in box.iterancestors()):
            for found in box.iter(f"{_W}p"):
                yield Paragraph(found, paragraph._parent).text


def _joined(parts: Iterator[str] | list[str]) -> str:
    found: list[str] = []
    size = 0
    for part in parts:
        found.append(part)
        size += len(part)
        if size > MAX_CHARACTERS:
            break
    return "\n".join(found)
