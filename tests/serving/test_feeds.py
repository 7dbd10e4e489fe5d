"""Feeds joined at read: pages follow one another whatever was closed meanwhile, and reasons read as they were meant."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.explain import REASON_TEMPLATES, render_reason
from serving import contract, feeds
from serving.contract import FLAG_EXPLORED, FLAG_SEEN, lookup_key
from serving.parameters import parse_query
from serving.requests import Request
from serving.responses import Feed
from serving.routes import ROUTES
from serving.view import Kept, View, reason_text

FEED_PARAMETERS = ROUTES[0].parameters


class FakeReader:
    def __init__(self, values: dict[bytes, bytes]) -> None:
        self._values = values

    def get(self, prefix: str, *parts: str) -> bytes | None:
        return self._values.get(lookup_key(prefix, *parts))

    def get_many(self, prefix: str, identifiers: Sequence[str]) -> list[bytes | None]:
        return [self.get(prefix, identifier) for identifier in identifiers]


def view_of(values: dict[bytes, bytes]) -> View:
    @contextmanager
    def reader() -> Iterator[FakeReader]:
        yield FakeReader(values)

    templates = {
        language: {code: texts[language] for code, texts in REASON_TEMPLATES.items()} for language in contract.LANGUAGES
    }
    return View(cast(Any, SimpleNamespace(name="20260301T020000Z-0a1b2c3d", templates=templates, reader=reader)))


def ask(view: View, query: str, user_id: str = "anna", language: str = "en") -> Feed:
    values = parse_query(FEED_PARAMETERS, query.encode())
    return msgspec.json.decode(feeds.feed(view, Request(user_id, dict(values), language)).body, type=Feed)


def card(number: int, status: str) -> bytes:
    values = dict.fromkeys(contract.JOB_CARD_COLUMNS) | {"job_id": f"j:{number}", "title": f"Job {number}"}
    return orjson.dumps(values | {"status": status})


ITEMS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, FLAG_SEEN + FLAG_EXPLORED), st.sampled_from(["open", "closed", None])),
    max_size=40,
)


@given(items=ITEMS, limit=st.integers(1, 15), minimum=st.sampled_from([0, 0.3, 0.9]), hides_seen=st.booleans())
def test_pages_hold_every_open_job_once_and_in_order(
    items: list[tuple[float, int, str | None]], limit: int, minimum: float, hides_seen: bool
) -> None:
    rows = [[f"j:{number}", score, 0.5, flags, 1.0, []] for number, (score, flags, _) in enumerate(items)]
    values = {lookup_key(contract.FEED_PREFIX, "anna"): orjson.dumps([None, "match", "all", "personal", rows])}
    for number, (_, _, status) in enumerate(items):
        if status is not None:
            values[lookup_key(contract.JOB_PREFIX, f"j:{number}")] = card(number, status)
    expected = [
        (number + 1, f"j:{number}")
        for number, (score, flags, status) in enumerate(items)
        if status == "open" and score >= minimum and not (hides_seen and flags & FLAG_SEEN)
    ]
    view = view_of(values)
    found: list[tuple[int, str]] = []
    for offset in range(0, len(items) + limit, limit):
        query = f"limit={limit}&offset={offset}&min_score={minimum}&exclude_seen={str(hides_seen).lower()}"
        page = ask(view, query).items
        assert len(page) <= limit
        assert all(item.job.job_id == item.job_id for item in page)
        found += [(item.rank, item.job_id) for item in page]
    assert found == expected


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["{value}", "{ref}", ""])


@given(
    code=st.sampled_from([code for code in REASON_TEMPLATES if code not in contract.JOB_REFERENCE_CODES]),
    ref=st.none() | TEXTS,
    value=st.none() | st.floats(-1e6, 1e6),
    language=st.sampled_from(contract.LANGUAGES),
)
def test_a_reason_reads_as_the_pipeline_renders_it(
    code: str, ref: str | None, value: float | None, language: str
) -> None:
    template = REASON_TEMPLATES[code][language]
    assert reason_text(template, ref or "", value, language) == render_reason(code, ref, value, language)


def test_a_reason_that_refers_to_a_job_names_its_title() -> None:
    rows = [["j:1", 0.9, 0.5, 0, 1.0, [["similar_to_saved", "j:2", 0.8], ["also_applied", "j:9", None]]]]
    view = view_of(
        {
            lookup_key(contract.FEED_PREFIX, "anna"): orjson.dumps([None, "match", "all", "personal", rows]),
            lookup_key(contract.JOB_PREFIX, "j:1"): card(1, "open"),
            lookup_key(contract.JOB_PREFIX, "j:2"): card(2, "closed"),
        }
    )
    reasons = ask(view, "", language="ru").items[0].reasons
    assert [reason.text for reason in reasons] == [
        "Похожа на сохранённую вами вакансию: Job 2",
        "Те, кто откликнулся на «j:9», откликались и на эту вакансию",
    ]
    assert (reasons[0].ref, reasons[0].value) == ("j:2", 0.8)
    assert ask(view, "").items[0].reasons[0].text == "Similar to a job you saved: Job 2"


@pytest.mark.parametrize(
    ("query", "source", "job_id"),
    [("", "global", "j:1"), ("country=KZ", "segment", "j:2"), ("country=KZ&role=cook", "segment", "j:3")],
)
def test_who_is_unknown_gets_the_feed_of_the_narrowest_segment(query: str, source: str, job_id: str) -> None:
    values = {lookup_key(contract.JOB_PREFIX, f"j:{number}"): card(number, "open") for number in (1, 2, 3)}
    for number, segment in enumerate(("all", "country=KZ", "country=KZ/role=cook"), start=1):
        kind = "global" if segment == "all" else "segment"
        row = [f"j:{number}", 0.9, 0.5, 0, 1.0, []]
        values[lookup_key(contract.FALLBACK_PREFIX, segment)] = orjson.dumps([None, "fallback", "all", kind, [row]])
    found = ask(view_of(values), query, user_id="nobody")
    assert (found.source, [item.job_id for item in found.items]) == (source, [job_id])


def test_without_any_fallback_feed_the_answer_is_an_empty_feed() -> None:
    found = ask(view_of({}), "", user_id="nobody")
    assert (found.source, found.items) == ("global", [])


@given(st.lists(st.integers(0, 30), max_size=200))
def test_what_is_kept_is_right_and_bounded(keys: list[int]) -> None:
    kept: Kept[int, str] = Kept(10)
    for key in keys:
        found = kept.get_all((key,))[0]
        assert found in (None, str(key))
        if found is None:
            kept.put(key, str(key))
        assert kept.get_all((key,)) == [str(key)]
        assert len(kept._young) + len(kept._old) <= 10
