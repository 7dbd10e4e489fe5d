"""Where the next page of a board is."""

import json

from features.sources.feeds.formats import FORMATS


def next_page(format_: str, *, url: str, body: bytes) -> str | None:
    return next(iter(FORMATS[format_].next_pages(url, body)), None)


def test_himalayas_gives_a_cursor_until_its_last_page() -> None:
    url = "https://himalayas.app/jobs/api?limit=20&cursor=old"
    body = json.dumps({"jobs": [{}], "nextCursor": "a b&c"}).encode()
    assert next_page("himalayas", url=url, body=body) == "https://himalayas.app/jobs/api?limit=20&cursor=a+b%26c"
    for last in ({"jobs": [{}], "nextCursor": None}, {"jobs": [], "nextCursor": "x"}, {"jobs": [{}]}, []):
        assert next_page("himalayas", url=url, body=json.dumps(last).encode()) is None


def test_lever_has_a_next_page_while_pages_are_full() -> None:
    url = "https://api.lever.co/v0/postings/x?mode=json&limit=2"
    second = next_page("lever", url=url, body=b"[{}, {}]")
    assert second == "https://api.lever.co/v0/postings/x?mode=json&limit=2&skip=2"
    assert next_page("lever", url=second, body=b"[{}, {}]") == url + "&skip=4"
    assert next_page("lever", url=second, body=b"[{}]") is None
    assert next_page("lever", url="https://api.lever.co/v0/postings/x?mode=json", body=b"[{}, {}]") is None


def test_what_has_no_pages_or_is_no_json_has_no_next_one() -> None:
    assert next_page("rss", url="https://x.example/", body=b'{"nextCursor": "a"}') is None
    assert next_page("himalayas", url="https://x.example/", body=b"<html>") is None
