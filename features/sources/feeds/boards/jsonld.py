"""Pages with schema.org JobPosting (JSON-LD or microdata), and the sitemaps that lead to them."""

import gzip
import html
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import chompjs

from features.sources.charset import decode_feed
from features.sources.feeds.entries import Entries, FeedContext, FeedEntry, FeedError
from features.sources.feeds.feed_format import FeedFormat, JobPage
from features.sources.feeds.json_board import page_at_link, page_document
from features.sources.feeds.xml_board import XmlBoard, xml_elements
from features.sources.feeds.xml_text import xml_text
from features.sources.jobs.job_posting import find_job_postings, read_job_posting
from features.sources.values import language_code, link, text

if TYPE_CHECKING:
    from lxml import html as lxml_html

_MAX_UNPACKED_BYTES = 50_000_000
_MAX_SCRIPT_CHARACTERS = 1_000_000
_GZIP = b"\x1f\x8b"
_HEAD_BYTES = 4_096
_SCRIPTS = "//script[contains(translate(@type, 'LDJSON', 'ldjson'), 'ld+json')]"
_CDATA = re.compile(r"^\s*(?:/\*|//|<!--)?\s*<!\[CDATA\[\s*(?:\*/)?|(?:/\*|//)?\s*\]\]>\s*(?:\*/|-->)?\s*$")
_BEFORE = re.compile(r"^[^{\[]+")  # comments
_SITEMAPS = {
    root: XmlBoard(root, tag, lambda entry, feed: {}) for root, tag in (("urlset", "url"), ("sitemapindex", "sitemap"))
}
_ROOT = re.compile(r"<([A-Za-z][\w.-]{0,60})")
_NO_CONTEXT = FeedContext("", "jsonld")


def read_jsonld(body: bytes, feed: FeedContext) -> Entries:
    """The postings of a page, or of a document that is JSON-LD itself; a sitemap has none.

    Raises FeedError if it is none of them, or a page without a posting.
    """
    unpacked = _unpacked(body, feed)
    if (sitemap := _sitemap(unpacked)) is not None:
        for entry in xml_elements(sitemap, xml_text(unpacked, feed), feed):
            if isinstance(entry, str):
                yield entry, unpacked[-400:]
        return
    document = page_document(unpacked)
    page = None
    if not isinstance(document, dict | list):
        page = _Page(decode_feed(unpacked, content_type=feed.content_type, url=feed.url), feed)
    found = list(find_job_postings(document if page is None else page.items()))
    if not found:
        raise FeedError(feed.name, "no schema.org JobPosting in the page")
    rows = [read_job_posting(posting) for posting in found]
    guids = Counter(row["guid"] for row in rows)
    for columns, posting in zip(rows, found, strict=True):
        guid = text(columns.pop("guid"))
        if len(rows) == 1 and (address := feed.page_url or (page.canonical if page is not None else None)):
            # Sites write one and the same identifier or address into all of their pages.
            guid, columns["url"] = None, address
        elif len(rows) > 1 and (guid is None or guids[guid] > 1):
            guid = "\x1f".join(str(columns[name] or "") for name in ("title", "location_text", "url"))
        columns["language"] = columns["language"] or (page.language if page is not None else None)
        yield FeedEntry(guid, columns), posting


class _Page:
    """The structured data of an HTML page."""

    def __init__(self, decoded: str, feed: FeedContext) -> None:
        from lxml import etree
        from lxml import html as lxml_html

        parser = lxml_html.HTMLParser(encoding="utf-8")
        try:
            self.tree: lxml_html.HtmlElement = lxml_html.document_fromstring(decoded.encode("utf-8", "replace"), parser)
        except (etree.ParserError, ValueError):
            raise FeedError(feed.name, "no HTML page") from None
        self._base = feed.page_url or feed.url

    @property
    def canonical(self) -> str | None:
        """The address that the page gives as its own."""
        stated = self.tree.xpath("//link[@rel='canonical']/@href | //meta[@property='og:url']/@content")
        return next((found for one in stated if (found := link(one, self._base))), None)

    @property
    def language(self) -> str | None:
        return language_code(self.tree.get("lang"))

    def items(self) -> list[object]:
        """JSON-LD objects; without a posting among them, microdata."""
        found = [one for script in self.tree.xpath(_SCRIPTS) for one in _script_items(script)]
        return found if any(find_job_postings(found)) else self._microdata()

    def _microdata(self) -> list[object]:
        if not self.tree.xpath("//*[contains(@itemtype, 'JobPosting')]"):
            return []
        import extruct  # takes 0.4 s, and few sites need it

        try:
            found = extruct.extract(self.tree, base_url=self._base, syntaxes=["microdata"], uniform=True)
        except Exception:  # hostile markup makes it fail in many ways
            return []
        return list(found["microdata"])


def _script_items(script: "lxml_html.HtmlElement") -> list[object]:
    """The objects of a script element. Sites wrap them in comments, escape them as HTML, or leave a comma too much."""
    stated = _BEFORE.sub("", _CDATA.sub("", script.text_content())).strip()
    if not stated or len(stated) > _MAX_SCRIPT_CHARACTERS:
        return []
    readers: list[Callable[[str], object]] = [
        lambda written: json.loads(written, strict=False),
        lambda written: chompjs.parse_js_object(written, loader_kwargs={"strict": False}),
    ]
    for written in (stated, html.unescape(stated)):
        for read in readers:
            try:
                value = read(written)
            except (ValueError, RecursionError):
                continue
            return value if isinstance(value, list) else [value]
    return []


def _unpacked(body: bytes, feed: FeedContext) -> bytes:
    """`body` without gzip, which sitemaps are often packed with. Raises FeedError if it is damaged or too large."""
    if not body.startswith(_GZIP):
        return body
    try:
        with gzip.open(io.BytesIO(body)) as packed:
            found = packed.read(_MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise FeedError(feed.name, "damaged gzip") from None
    if len(found) > _MAX_UNPACKED_BYTES:
        raise FeedError(feed.name, f"more than {_MAX_UNPACKED_BYTES} bytes unpacked")
    return found


def _sitemap(body: bytes) -> XmlBoard | None:
    """How to read `body` if it is a sitemap."""
    root = _ROOT.search(body[:_HEAD_BYTES].decode("utf-8", "replace"))
    return _SITEMAPS.get(root[1].lower()) if root else None


def _addresses(url: str, body: bytes, *, root: str) -> Iterator[tuple[str, str]]:
    """(address, last change) of each entry of a sitemap that lies on the host of `url`."""
    try:
        unpacked = _unpacked(body, _NO_CONTEXT)
        sitemap = _sitemap(unpacked)
        if sitemap is None or sitemap.root != root:
            return
        for entry in xml_elements(sitemap, xml_text(unpacked, _NO_CONTEXT), _NO_CONTEXT):
            if not isinstance(entry, str):
                for address in page_at_link(url, text(entry.get("loc"))):
                    yield address, text(entry.get("lastmod")) or ""
    except FeedError:
        return  # reading the page has said so


def _next_pages(url: str, body: bytes) -> list[str]:
    """The sitemaps of an index, each once: some name one twice."""
    return list(dict.fromkeys(address for address, _ in _addresses(url, body, root="sitemapindex")))


def _job_pages(url: str, body: bytes) -> list[JobPage]:
    return [JobPage(address, changed) for address, changed in _addresses(url, body, root="urlset")]


FORMAT = FeedFormat(
    read_jsonld,
    next_pages=_next_pages,
    job_pages=_job_pages,
    root_tags=frozenset({"html", "urlset", "sitemapindex"}),
    is_crawled=True,
)
