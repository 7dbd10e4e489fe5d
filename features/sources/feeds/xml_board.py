"""XML boards: reads job elements one after another, also out of large and sloppy documents."""

import html
import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from lxml import etree

from features.sources.feeds.entries import TRUNCATED, Entries, FeedContext, FeedEntry, FeedError
from features.sources.feeds.feed_format import FeedFormat
from features.sources.feeds.xml_text import what_it_is, xml_text
from features.sources.values import text

Xml = Mapping[str, object]
# Outside of CDATA: a reference that XML may not define or allow, or a bare ampersand.
_LOOSE = re.compile(r"<!\[CDATA\[.*?\]\]>|&(?:#\w{1,8};|([A-Za-z]\w{0,30});)?", re.DOTALL)
_XML_NAMES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_MAX_DEPTH = 8


@dataclass(frozen=True)
class XmlBoard:
    """How one board's document is read: `tag` is the element of a job, `id` is an element in it.

    `columns` gets the job with its child elements by name, in lower case: texts, objects, or lists of repeated ones.
    The content of `markup` is taken as text with its tags, even if they are not escaped.
    """

    root: str
    tag: str
    columns: Callable[[Xml, FeedContext], dict[str, object]]
    id: tuple[str, ...] = ("id",)
    markup: frozenset[str] = frozenset({"description"})

    @property
    def format(self) -> FeedFormat:
        return FeedFormat(partial(read_xml_board, self), root_tags=frozenset({self.root}))


def read_xml_board(board: XmlBoard, body: bytes, feed: FeedContext) -> Entries:
    """The jobs of a document; of one that breaks off, those before the break, then TRUNCATED.

    Raises FeedError if the root is another one (an HTML page, an empty document), or if a DTD declares entities.
    """
    decoded = xml_text(body, feed)
    for job in xml_elements(board, decoded, feed):
        if isinstance(job, str):
            yield TRUNCATED, decoded[-400:]
        else:
            guid = next((found for name in board.id if (found := text(job.get(name)))), None)
            yield FeedEntry(guid, board.columns(job, feed)), job


def xml_elements(board: XmlBoard, decoded: str, feed: FeedContext) -> Iterator[Xml | str]:
    """Each job, then TRUNCATED if the document breaks off. Elements are dropped once read, so memory stays bounded."""
    document = io.BytesIO(_LOOSE.sub(_mended, decoded).encode("utf-8", "replace"))
    parsed = etree.iterparse(
        document,
        encoding="utf-8",
        recover=True,  # one bad character must not cost the jobs after it
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    held: Xml | None = None  # the last job: it may be cut
    try:
        for _, element in parsed:
            if _name(element) != board.tag:
                continue
            if held is not None:
                yield held
            job = _object(element, board.markup)
            held = job if isinstance(job, dict) else {}
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise FeedError(feed.name, what_it_is(decoded, expected=f"XML <{board.root}>")) from error
    if parsed.root is None or (_name(parsed.root) != board.root and held is None):
        raise FeedError(feed.name, what_it_is(decoded, expected=f"XML <{board.root}>"))
    is_cut = any(error.type_name == "ERR_TAG_NOT_FINISHED" for error in parsed.error_log)
    if held is not None and not (is_cut and _ends_within(board.tag, decoded)):
        yield held
    if is_cut:
        yield TRUNCATED


def _ends_within(tag: str, decoded: str) -> bool:
    """Whether a document that breaks off does so within a job; the parser closes that job as if it were whole."""
    opened, closed = (
        max((match.start() for match in re.finditer(pattern, decoded, re.IGNORECASE)), default=-1)
        for pattern in (rf"<(?:\w{{1,20}}:)?{tag}[\s/>]", rf"</(?:\w{{1,20}}:)?{tag}\s*>")
    )
    return opened > closed


def _mended(match: re.Match[str]) -> str:
    whole = match[0]
    if whole.startswith("<") or match[1] in _XML_NAMES:
        return whole
    # HTML has more names, and a character in place of numbers that are none, such as half of an emoji.
    known = html.unescape(whole)
    return html.escape(known, quote=False) if known != whole else "&amp;" + whole[1:]


def _name(element: etree._Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _object(element: etree._Element, markup: frozenset[str], depth: int = 0) -> object:
    """The text of an element without children, else its children by name; a repeated one is a list."""
    if len(element) == 0:
        return element.text
    if _name(element) in markup or depth >= _MAX_DEPTH:
        parts = [element.text or "", *(etree.tostring(child, encoding="unicode") for child in element)]
        return "".join(parts)
    found: dict[str, object] = {}
    for child in element:
        name, value = _name(child), _object(child, markup, depth + 1)
        if name not in found:
            found[name] = value
        elif isinstance(known := found[name], list):
            known.append(value)
        else:
            found[name] = [known, value]
    return found
