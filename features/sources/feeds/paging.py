"""Where the next page of a board is, as far as its format has pages. Whether to read it is the caller's."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from features.sources.values import NotJsonError, decode_json, items, mapping, text

PAGED_FORMATS = ("himalayas", "lever")
_MAX_CURSOR = 2_000


def next_page(format_: str, *, url: str, body: bytes) -> str | None:
    """The URL of the page after the one that `url` answered with `body`; None after the last or without pages.

    Himalayas gives a cursor. Lever takes skip and limit: with a limit in `url`, a page that is full has a next one.
    """
    if format_ not in PAGED_FORMATS:
        return None
    try:
        document = decode_json(body)
    except NotJsonError:
        return None
    if format_ == "himalayas":
        found = mapping(document)
        cursor = text(found.get("nextCursor"))
        return _with(url, cursor=cursor) if cursor and len(cursor) <= _MAX_CURSOR and items(found.get("jobs")) else None
    limit, skip = _whole_number(url, "limit"), _whole_number(url, "skip")
    n_read = len(items(document))
    return _with(url, skip=str((skip or 0) + n_read)) if limit and n_read >= limit else None


def _with(url: str, **parameters: str) -> str:
    parts = urlsplit(url)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in parameters]
    return urlunsplit(parts._replace(query=urlencode([*kept, *parameters.items()])))


def _whole_number(url: str, name: str) -> int | None:
    found = dict(parse_qsl(urlsplit(url).query)).get(name, "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else None
