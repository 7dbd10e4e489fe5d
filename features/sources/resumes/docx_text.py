"""The text of a Word document: paragraphs, lists, tables, content controls and text boxes, each part once."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from lxml.etree import _Element

from features.errors import JobfeedError
from features.sources.resumes.sections import COLUMN_BREAK, names_section

MAX_UNPACKED_BYTES = 100_000_000
MAX_XML_BYTES = 10_000_000
_MAX_ELEMENTS = 200_000
_MAX_HEADER_SECTIONS = 3
_MAX_DEPTH = 12
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_SIGNS = {f"{_W}tab": "\t", f"{_W}br": "\n", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}
# Word writes each text box twice, the second time as a fallback for other programs.
_LEFT_OUT = frozenset({_FALLBACK, f"{_W}del", f"{_W}pPr", f"{_W}rPr", f"{_W}instrText"})
_COLUMN_LINES = 3


class TooLargeError(JobfeedError):
    """The parts of the document unpack to more than is read."""


@dataclass
class _Reader:
    """Reads blocks in place; text boxes follow at the end, because they stand beside the text."""

    boxes: list[_Element] = field(default_factory=list)
    n_elements: int = 0  # that were visited

    def lines(self, container: _Element, *, depth: int = 0) -> Iterator[str]:
        for block in container:
            self.n_elements += 1
            if self.n_elements > _MAX_ELEMENTS or depth > _MAX_DEPTH:
                return
            if block.tag == f"{_W}p":
                yield from self._paragraph(block).split("\n")
            elif block.tag == f"{_W}tbl":
                for row in block.iterchildren(f"{_W}tr"):
                    yield from self._row(row, depth=depth)
            elif block.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}smartTag"):
                yield from self.lines(block, depth=depth + 1)

    def _paragraph(self, paragraph: _Element) -> str:
        found: list[str] = []
        waiting = list(reversed(paragraph[:_MAX_ELEMENTS]))
        while waiting and self.n_elements <= _MAX_ELEMENTS:
            element = waiting.pop()
            self.n_elements += 1
            if element.tag == f"{_W}txbxContent":
                self.boxes.append(element)
            elif element.tag == f"{_W}t":
                found.append(element.text or "")
            elif element.tag in _SIGNS:
                found.append(_SIGNS[element.tag])
            elif element.tag not in _LEFT_OUT:
                waiting.extend(reversed(element))
        text = "".join(found)
        return f"• {text}" if text.strip() and _is_listed(paragraph) else text

    def _row(self, row: _Element, *, depth: int) -> Iterator[str]:
        """Short cells on one line; cells of many lines as columns if one of them has a section of its own."""
        cells = [
            kept
            for cell in chain(row.iterchildren(f"{_W}tc"), row.iterfind(f"{_W}sdt/{_W}sdtContent/{_W}tc"))
            if self.n_elements <= _MAX_ELEMENTS
            if (kept := [each for each in self.lines(cell, depth=depth + 1) if each.strip()])
        ]
        if all(len(cell) == 1 for cell in cells) and not any(names_section(cell[0]) for cell in cells):
            yield "   ".join(cell[0] for cell in cells)  # not tabs, which may stand between words
            return
        are_columns = len(cells) > 1 and any(
            len(cell) >= _COLUMN_LINES and any(map(names_section, cell)) for cell in cells
        )
        for cell in cells:
            if are_columns:
                yield COLUMN_BREAK
            yield from cell


def docx_text(body: bytes) -> str:
    """The text. Raises TooLargeError, or what zip, XML and relationships raise."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        members = archive.infolist()
        n_xml = sum(member.file_size for member in members if member.filename.endswith((".xml", ".rels")))
        if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES or n_xml > MAX_XML_BYTES:
            raise TooLargeError
    import docx  # takes 0.1 s to load, and few resumes need it

    document = docx.Document(io.BytesIO(body))
    reader = _Reader()
    found: dict[str, None] = {}
    for section, _ in zip(document.sections, range(_MAX_HEADER_SECTIONS), strict=False):
        for header in (section.first_page_header, section.header):
            if not header.is_linked_to_previous:
                found.update(dict.fromkeys(reader.lines(header._element)))
    lines = [*found, *reader.lines(document.element.body)]
    while reader.boxes and reader.n_elements <= _MAX_ELEMENTS:
        box = [each for each in reader.lines(reader.boxes.pop(0)) if each.strip()]
        lines += [COLUMN_BREAK, *box] if len(box) >= _COLUMN_LINES else box
    return "\n".join(lines)


def _is_listed(paragraph: _Element) -> bool:
    properties = paragraph.find(f"{_W}pPr")
    if properties is None:
        return False
    style = properties.find(f"{_W}pStyle")
    has_list_style = style is not None and str(style.get(f"{_W}val", "")).startswith("List")
    return properties.find(f"{_W}numPr") is not None or (has_list_style and "Paragraph" not in style.get(f"{_W}val"))
