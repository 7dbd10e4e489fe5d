"""The text of a PDF in reading order, from the positions of its words: rows, columns, margins, wrapped lines."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from features.sources.resumes.dates import find_dates, find_periods
from features.sources.resumes.employment import BULLET, is_duration
from features.sources.resumes.pdf_words import Word
from features.sources.resumes.sections import COLUMN_BREAK, names_section

GAP = "   "  # between parts of a row that stand apart
_MAX_DEPTH = 6
_MIN_COLUMN_ROWS = 3
_PAGE_NUMBER = re.compile(r"(?:page|стр\.?|страница)?\s*\d{1,2}\s*(?:(?:of|из|/)\s*\d{1,2})?", re.IGNORECASE)
_WITHOUT_DIGITS = re.compile(r"\d+")
_LONG_ROW_WORDS = 9
_CONTACT = re.compile(r"@|https?:|www\.|\d[\d ()-]{6,}\d")


@dataclass(frozen=True)
class Segment:
    """Words of one row without a wide gap among them."""

    text: str
    left: float
    right: float
    first_word: float  # its width


@dataclass(frozen=True)
class Row:
    """Segments on one baseline, from left to right."""

    segments: tuple[Segment, ...]
    y: float
    height: float
    page: int

    @property
    def text(self) -> str:
        return GAP.join(each.text for each in self.segments)

    @property
    def left(self) -> float:
        return self.segments[0].left

    @property
    def right(self) -> float:
        return self.segments[-1].right


def text_in_reading_order(words: Sequence[Word]) -> str:
    """Lines from top to bottom, columns one after the other with COLUMN_BREAK between them, wrapped lines joined."""
    blocks = _blocks(_with_dates_at_top(_without_repeated(_rows(words))), depth=0)
    found: list[str] = []
    for block in blocks:
        if isinstance(block, str):
            found.append(block)
        else:
            found += _lines(block, max((row.right for row in block), default=0.0))
    return "\n".join(found)


def largest_text(words: Sequence[Word]) -> str | None:
    """What is set in the largest letters of the first page: in most resumes the name."""
    rows = [row for row in _rows([word for word in words if word.page == 0]) if re.search(r"[^\W\d_]{2}", row.text)]
    if not rows:
        return None
    largest = max(row.height for row in rows)
    found = [row.text for row in rows if row.height > 0.95 * largest]
    others = [row for row in rows if row.height <= 0.95 * largest]
    return " ".join(found) if len(found) <= 2 and others else None


def _rows(words: Sequence[Word]) -> list[Row]:
    """Words on the same baseline as rows."""
    found: list[Row] = []
    for page, of_page in groupby(words, key=lambda word: word.page):
        row: list[Word] = []
        for word in sorted(of_page, key=lambda word: (word.y, word.left)):
            if row and abs(word.y - row[0].y) > 0.35 * min(max(one.height for one in row), word.height):
                found.append(_row(row, page))
                row = []
            row.append(word)
        if row:
            found.append(_row(row, page))
    return found


def _row(words: Sequence[Word], page: int) -> Row:
    ordered = sorted(words, key=lambda word: word.left)
    height = max(word.height for word in ordered)
    groups: list[list[Word]] = [[ordered[0]]]
    for before, word in pairwise(ordered):
        is_item = len(groups[-1]) == 1 and BULLET.match(before.text + " ")
        if word.left - before.right > 0.9 * min(before.height, word.height) and not is_item:
            groups.append([])
        groups[-1].append(word)
    segments = tuple(
        Segment(_spelt(group), group[0].left, group[-1].right, group[0].right - group[0].left) for group in groups
    )
    return Row(segments, ordered[0].y, height, page)


def _spelt(words: Sequence[Word]) -> str:
    """The text of words; letters that stand apart ("S K I L L S") are one word."""
    if len(words) < 4 or any(len(word.text) > 1 for word in words):
        return " ".join(word.text for word in words)
    gaps = [b.left - a.right for a, b in pairwise(words)]
    wide = 1.8 * sorted(gaps)[len(gaps) // 2]
    parts = [words[0].text]
    for gap, word in zip(gaps, words[1:], strict=True):
        parts.append(f" {word.text}" if gap > wide else word.text)
    return "".join(parts)


def _without_repeated(rows: Sequence[Row]) -> list[Row]:
    """Rows without page numbers and what several pages have at the same height; the first page keeps its head."""
    places = {(_WITHOUT_DIGITS.sub("", row.text), round(row.y), row.page) for row in rows}
    pages = Counter((text, y) for text, y, _ in places)
    middle = max((row.y for row in rows), default=0.0) / 2
    return [
        row
        for row in rows
        if not _PAGE_NUMBER.fullmatch(row.text.strip())
        and (pages[_WITHOUT_DIGITS.sub("", row.text), round(row.y)] == 1 or (row.page == 0 and row.y < middle))
    ]


def _with_dates_at_top(rows: Sequence[Row]) -> list[Row]:
    """The rows, with a date at the right margin moved up to a place in the row above, which begins an entry."""
    found: list[Row] = []
    for row in rows:
        before = found[-1] if found else None
        if (
            before is not None
            and len(row.segments) > 1
            and len(before.segments) > 1
            and BULLET.match(row.text)
            and not BULLET.match(before.text)
            and not find_periods(before.text)
            and find_periods(row.segments[-1].text)
        ):
            found[-1] = replace(before, segments=(*before.segments, row.segments[-1]))
            row = replace(row, segments=row.segments[:-1])
        found.append(row)
    return found


def _blocks(rows: Sequence[Row], *, depth: int) -> Iterator[list[Row] | str]:
    """Rows that follow each other in one column; COLUMN_BREAK between columns."""
    split = _gutter(rows) if depth < _MAX_DEPTH else None
    if split is None:
        yield list(rows)
        return
    start, end, at = split
    band = rows[start:end]
    left, right = _side(band, at, is_left=True), _side(band, at, is_left=False)
    if start:
        yield from _blocks(rows[:start], depth=depth + 1)
    if _is_margin(left, right):
        yield from _beside_margin(left, right, edge=max(row.right for row in right))
    else:
        yield COLUMN_BREAK
        yield from _blocks(left, depth=depth + 1)
        yield COLUMN_BREAK
        yield from _blocks(right, depth=depth + 1)
    if end < len(rows):
        yield from _blocks(rows[end:], depth=depth + 1)


def _gutter(rows: Sequence[Row]) -> tuple[int, int, float] | None:
    """(first row, end, position) of the largest run of rows that two columns share; None if there is one column."""
    starts = Counter(round(each.left / 3) * 3 for row in rows for each in row.segments)
    outer = min((row.left for row in rows), default=0.0)
    best: tuple[int, int, int, float] | None = None
    for at, count in starts.items():
        if at < outer + 40 or count < _MIN_COLUMN_ROWS:
            continue
        for start, end in _runs(rows, at):
            band = rows[start:end]
            left, right = _side(band, at, is_left=True), _side(band, at, is_left=False)
            if min(len(left), len(right)) < _MIN_COLUMN_ROWS or not _are_columns(left, right, at):
                continue
            if best is None or len(left) + len(right) > best[0]:
                best = (len(left) + len(right), start, end, at)
    return best[1:] if best else None


def _runs(rows: Sequence[Row], at: float) -> Iterator[tuple[int, int]]:
    """Runs of rows that no segment crosses at this position; each begins with something at the right of it."""
    start: int | None = None
    for index, row in enumerate(rows):
        is_crossed = any(each.left < at - 4 and each.right > at - 4 for each in row.segments)
        if is_crossed:
            if start is not None:
                yield start, index
            start = None
        elif start is None and row.right > at:
            start = index
    if start is not None:
        yield start, len(rows)


def _side(band: Sequence[Row], at: float, *, is_left: bool) -> list[Row]:
    found = []
    for row in band:
        kept = tuple(each for each in row.segments if (each.left < at - 4) == is_left)
        if kept:
            found.append(replace(row, segments=kept))
    return found


def _are_columns(left: Sequence[Row], right: Sequence[Row], at: float) -> bool:
    """Whether the sides are columns, or a margin with what it labels, rather than rows with something at their end."""
    headings = [sum(names_section(row.text) for row in side) for side in (left, right)]
    if min(headings) > 0 or _is_margin(left, right):
        return True
    baselines = {(row.page, row.y) for row in left}
    n_shared = sum((row.page, row.y) in baselines for row in right)
    if headings[1] == 0 and n_shared > 0.7 * len(right):
        return False
    is_aligned = sum(abs(row.left - at) < 6 for row in right) > 0.5 * len(right)
    return is_aligned and (sum(headings) > 0 or n_shared < 0.5 * min(len(left), len(right)))


def _is_margin(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Whether the left side only dates or names what stands at the right of it."""
    if any(names_section(row.text) for row in right):
        return False
    text = " ".join(row.text for row in left)
    n_dated = len(find_periods(text))
    n_words = len(re.findall(r"[^\W\d_]{2,}", text))
    if n_dated >= 2 and n_words <= 8 * n_dated:
        return True
    baselines = {(row.page, row.y) for row in right}
    n_shared = sum((row.page, row.y) in baselines for row in left)
    longest = max(len(row.text) for row in left)
    return n_shared >= 0.75 * len(left) and longest <= 40 and len(right) >= len(left)


def _beside_margin(left: Sequence[Row], right: Sequence[Row], *, edge: float) -> Iterator[str]:
    """Each label of the margin, then the rows beside and below it."""
    labels = _labels(left, {(row.page, row.y) for row in right})
    starts = [(label[0].page, label[0].y - 0.5 * label[0].height) for label in labels]
    rest = list(right)
    for index, label in enumerate(labels):
        until = starts[index + 1] if index + 1 < len(starts) else (10**6, 0.0)
        before = [row for row in rest if (row.page, row.y) < starts[index]]
        beside = [row for row in rest if starts[index] <= (row.page, row.y) < until]
        yield from _lines(before, edge)
        text = " ".join(row.text for row in label)
        is_value = len(beside) == 1 or (beside and not find_periods(text) and not names_section(text))
        if is_value and beside and beside[0].y - label[0].y < 0.5 * label[0].height:
            joined = _lines(beside, edge)
            is_date = find_periods(text) or find_dates(text)
            yield f"{text}{GAP}{joined[0]}" if is_date else f"{text.rstrip(': ')}: {joined[0]}"
            yield from joined[1:]
        else:
            yield text
            yield from _lines(beside, edge)
        rest = [row for row in rest if (row.page, row.y) >= until]
    yield from _lines(rest, edge)


def _labels(left: Sequence[Row], baselines: set[tuple[int, float]]) -> list[list[Row]]:
    """The rows of a margin, grouped where a label or a date takes several."""
    found: list[list[Row]] = []
    for row in left:
        if found and _goes_on(found[-1], row, is_shared=(row.page, row.y) in baselines):
            found[-1].append(row)
        else:
            found.append([row])
    return found


def _goes_on(label: Sequence[Row], row: Row, *, is_shared: bool) -> bool:
    """Whether the row of a margin belongs to the label above it."""
    before = " ".join(each.text for each in label)
    if row.page != label[-1].page or row.y - label[-1].y > 2.2 * row.height:
        return False
    if names_section(row.text) or names_section(before):
        return False
    if is_duration(row.text):
        return True
    if any(period.end > len(before) for period in find_periods(f"{before} {row.text}")):
        return not find_periods(row.text)
    return not is_shared and not find_periods(row.text)


def _lines(rows: Sequence[Row], edge: float) -> list[str]:
    """The rows of a column as text; a row that continues a paragraph or an item is joined to it."""
    found: list[str] = []
    begun: Row | None = None  # the row that the last line of `found` began with
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and begun is not None and _is_wrapped(begun, before, row, edge):
            found[-1] = _together(found[-1], row.text)
            continue
        found.append(row.text)
        begun = row
    return found


def _is_wrapped(begun: Row, before: Row, row: Row, edge: float) -> bool:
    """Whether `row` goes on with the paragraph of `begun`, whose last row is `before`."""
    is_near = row.page != before.page or row.y - before.y < 1.75 * before.height
    if BULLET.match(row.text) or not is_near or len(row.segments) > 1 or not 0.85 < row.height / before.height < 1.18:
        return False
    if BULLET.match(begun.text):
        return row.left > begun.left + 3
    texts = (before.text, row.text)
    if len(before.segments) > 1 or any(names_section(each) or _CONTACT.search(each) for each in texts):
        return False
    if find_periods(before.text):
        return False
    is_full = before.right + row.segments[0].first_word > edge - 0.3 * row.height
    goes_on = row.text[:1].islower() or before.text.endswith((",", "-"))
    return is_full and row.left >= begun.left - 3 and (goes_on or len(before.text.split()) >= _LONG_ROW_WORDS)


def _together(line: str, more: str) -> str:
    if re.search(r"[a-zа-яё]-$", line) and more[:1].islower():
        return line[:-1] + more
    return f"{line} {more}"
