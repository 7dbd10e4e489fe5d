"""Feeds joined at read: as a plain program would join them, also with closed jobs and damaged files."""

import contextlib
import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import msgspec
import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.publishing.lookup.feed_values import packed_components, packed_feeds
from assets.publishing.lookup.text_tables import IdentifiedTexts, TextIds, no_text_ids, write_job_texts
from features.schemas.catalog import JOBS
from features.schemas.ranking import FEEDS
from models.explanations.names import Names
from models.explanations.templates import REASON_TEMPLATES, render_reason
from serving.contract.generation import GenerationError
from serving.contract.keys import (
    COMPONENTS_PREFIX,
    DOCUMENT_PREFIX,
    FALLBACK_PREFIX,
    FEED_PREFIX,
    TEXT_TABLES,
    lookup_key,
)
from serving.contract.tables import COMPONENTS, JOB_REFERENCE_CODES, LANGUAGES
from serving.contract.text_tables import TextTable, load_text_table
from serving.service import feed_handlers
from serving.service import view as view_module
from serving.service.parameters import parse_query
from serving.service.requests import Request
from serving.service.responses import Feed
from serving.service.routes import ROUTES
from serving.service.view import View

FEED_PARAMETERS = ROUTES[0].parameters
AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
TEMPLATES = {language: {code: texts[language] for code, texts in REASON_TEMPLATES.items()} for language in LANGUAGES}


class FakeReader:
    def __init__(self, values: Mapping[bytes, bytes]) -> None:
        self._values = values

    def get(self, prefix: str, *parts: str) -> bytes | None:
        return self._values.get(lookup_key(prefix, *parts))

    def get_packed(self, prefix: str, identifier: str) -> memoryview | None:
        found = self.get(prefix, identifier)
        return memoryview(found) if found is not None else None


def item(rank: int, job_id: str, **values: Any) -> dict[str, Any]:
    return {
        "rank": rank, "job_id": job_id, "score": 0.9, "confidence": 0.5, "seen": False, "explored": False,
        "propensity": 1.0, "reasons": [], "components": None,
    } | values  # fmt: skip


NAMES = Names([("place", "KZ", "en", "Kazakhstan"), ("place", "KZ", "ru", "Казахстан")])


class World:
    """Jobs and feeds packed as publishing packs them, with everything that a view reads."""

    def __init__(
        self,
        jobs: Sequence[Mapping[str, Any]],
        lists: Mapping[str, Sequence[Mapping[str, Any]]],
        fallbacks: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        *,
        later_jobs: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.values: dict[bytes, bytes] = {
            lookup_key(DOCUMENT_PREFIX, "recipes"): b'[{"recipe":"match","component":"skills","weight":2.0}]'
        }
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            paths = {kind: folder / f"{kind}.npy" for kind in TEXT_TABLES}
            with IdentifiedTexts(paths["jobs"], "jobs", is_base=True) as file:
                known = self._write(jobs, file, no_text_ids("jobs"))
            changes = folder / "changes.npy" if later_jobs else None
            if changes is not None:
                with IdentifiedTexts(changes, "jobs", is_base=False) as file:
                    known = self._write(later_jobs, file, known)
            numbers = TextIds(known, no_text_ids("reasons"), TEMPLATES)
            with IdentifiedTexts(paths["reasons"], "reasons", is_base=True) as file:
                self._pack(FEED_PREFIX, lists, numbers, "match", "personal")
                self._pack(FALLBACK_PREFIX, fallbacks or {}, numbers, "fallback", "segment")
                numbers.write_new_reasons(file)
            self.jobs = unmapped(load_text_table([*([changes] if changes else []), paths["jobs"]], "jobs"))
            self.reasons = unmapped(load_text_table([paths["reasons"]], "reasons"))

    def _write(self, jobs: Sequence[Mapping[str, Any]], file: IdentifiedTexts, known: pl.DataFrame) -> pl.DataFrame:
        frame = pl.DataFrame(list(jobs), schema_overrides=dict(JOBS.columns), infer_schema_length=None)
        with duckdb.connect() as con:
            con.register("jobs", JOBS.conform(frame).to_arrow())
            return write_job_texts(con, file, known, NAMES)

    def _pack(
        self, prefix: str, lists: Mapping[str, Sequence[Mapping[str, Any]]], numbers: TextIds, recipe: str, source: str
    ) -> None:
        users = pl.Series("user_id", list(lists), dtype=pl.String)
        frame = pl.DataFrame(
            {"user_id": users, "items": list(map(list, lists.values()))},
            schema_overrides={"items": FEEDS.columns["items"]},
        )
        table = frame.to_arrow()
        heads = users.to_frame().with_columns(
            generated_at=pl.lit(None, pl.String), recipe=pl.lit(recipe), arm=pl.lit("all"), source=pl.lit(source)
        )
        items = table.column("items")
        self.values |= {lookup_key(prefix, key): value for key, value in packed_feeds(users, heads, items, numbers)}
        self.values |= {lookup_key(COMPONENTS_PREFIX, key): value for key, value in packed_components(table)}

    def view(self) -> View:
        return View(
            cast(
                Any,
                SimpleNamespace(
                    name="20260301T020000Z-0a1b2c3d",
                    jobs=self.jobs,
                    reasons=self.reasons,
                    reader=lambda: FakeReader(self.values),
                ),
            )
        )


def unmapped(table: TextTable) -> TextTable:
    """The same in memory: the files go away."""
    return TextTable(np.array(table.texts), np.array(table.more), np.array(table.offsets))


def job(number: int, status: str = "open", title: str | None = None) -> dict[str, Any]:
    return {"job_id": f"j:{number}", "title": title if title is not None else f"Job {number}", "status": status}


def ask(view: View, query: str, user_id: str = "anna", language: str = "en") -> Feed:
    values = parse_query(FEED_PARAMETERS, query.encode())
    return msgspec.json.decode(feed_handlers.feed(view, Request(user_id, dict(values), language)).body, type=Feed)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["{value}", "{ref}", "", 'a "quoted" \\ title', "Ends: ", "💥", "Job 1", "\u2028"]
)
TITLES = TEXTS.filter(lambda title: title.strip(" :") != "")
REASONS = st.fixed_dictionaries(
    {
        "code": st.sampled_from([*REASON_TEMPLATES, "unheard_of"]),
        "ref": st.none() | TEXTS | st.sampled_from([f"j:{number}" for number in range(30)]),
        # Eighths: exact in 32 bits and in three digits, so that the text does not depend on how ties are rounded.
        "value": st.none() | st.integers(-(2**20), 2**20).map(lambda n: n / 8) | st.sampled_from([-0.0, 1.0, 2.0]),
    }
)
UNIT = st.floats(0, 1, width=32)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {
            "score": UNIT,
            "confidence": UNIT,
            "seen": st.booleans(),
            "explored": st.booleans(),
            "propensity": UNIT,
            "reasons": st.lists(REASONS, max_size=3),
        }
    ),
    max_size=25,
)


def plain_reason(reason: Mapping[str, Any], titles: Mapping[str, str], language: str) -> dict[str, Any]:
    code, ref = reason["code"], reason["ref"]
    value = reason["value"] + 0.0 if reason["value"] is not None else None  # one zero
    named = titles.get(ref or "", ref) if code in JOB_REFERENCE_CODES else ref
    text = render_reason(code, named, value, language) if code in REASON_TEMPLATES else code
    return {"code": code, "ref": ref, "value": value, "text": text}


@settings(max_examples=60, deadline=None)
@given(
    items=ITEMS,
    statuses=st.lists(st.sampled_from(["open", "open", "closed"]), min_size=25, max_size=25),
    titles=st.lists(TITLES, min_size=25, max_size=25),
    n_later=st.integers(0, 24),
    limit=st.integers(1, 30),
    offset=st.integers(0, 10),
    minimum=st.sampled_from([0, 0.3, 0.9]),
    hides_seen=st.booleans(),
    language=st.sampled_from(LANGUAGES),
)
def test_a_page_is_what_a_plain_program_would_join(
    items: list[dict[str, Any]], statuses: list[str], titles: list[str], n_later: int, limit: int, offset: int,
    minimum: float, hides_seen: bool, language: str,
) -> None:  # fmt: skip
    jobs = [job(number, statuses[number], titles[number]) for number in range(25)]
    rows = [item(rank, f"j:{rank - 1}", **values) for rank, values in enumerate(items, 1)]
    # The last ones came, and the first ones changed, since the base was written.
    before = [job(number, title="before") for number in range(25 - n_later)]
    later = jobs if n_later else []
    world = World(before if later else jobs, {"anna": rows}, later_jobs=later)
    query = f"limit={limit}&offset={offset}&min_score={minimum}&exclude_seen={str(hides_seen).lower()}"
    found = ask(world.view(), query, language=language).items
    shown = [
        row
        for row in rows
        if statuses[row["rank"] - 1] == "open"
        and round(row["score"], 6) >= minimum
        and not (hides_seen and row["seen"])
    ][offset : offset + limit]
    title_of = {f"j:{number}": titles[number] for number in range(25)}
    expected = [
        {
            "rank": row["rank"],
            "job_id": row["job_id"],
            "score": round(row["score"], 6),
            "confidence": round(row["confidence"], 4),
            "seen": row["seen"],
            "explored": row["explored"],
            "propensity": round(row["propensity"], 6),
            "reasons": [plain_reason(reason, title_of, language) for reason in row["reasons"]],
        }
        for row in shown
    ]
    rows = msgspec.to_builtins(found)
    for row in rows:
        card = row.pop("job")
        assert (card["job_id"], card["title"]) == (row["job_id"], title_of[row["job_id"]])
        assert row.pop("match_percent") == pytest.approx(100 * row["score"], abs=0.5)
    for made, plain in zip(rows, expected, strict=True):
        reasons, plain_reasons = made.pop("reasons"), plain.pop("reasons")
        assert made == pytest.approx(plain, abs=1.1e-6)
        for one, other in zip(reasons, plain_reasons, strict=True):
            assert one == other


@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 40), limit=st.integers(1, 15), closed=st.sets(st.integers(0, 39)))
def test_pages_hold_every_open_job_once_and_in_order(n: int, limit: int, closed: set[int]) -> None:
    jobs = [job(number, "closed" if number in closed else "open") for number in range(40)]
    view = World(jobs, {"anna": [item(rank, f"j:{rank - 1}") for rank in range(1, n + 1)]}).view()
    found: list[tuple[int, str]] = []
    for offset in range(0, n + limit, limit):
        page = ask(view, f"limit={limit}&offset={offset}").items
        assert len(page) <= limit
        found += [(row.rank, row.job_id) for row in page]
    assert found == [(number + 1, f"j:{number}") for number in range(n) if number not in closed]


def test_components_come_with_the_weights_of_the_recipe() -> None:
    values = dict.fromkeys(COMPONENTS, 0.25) | {"skills": 1.0, "salary": None, "tags": 0.0, "growth": 0.3333}
    rows = [item(1, "j:1", components=values), item(2, "j:2")]
    found = ask(World([job(1), job(2)], {"anna": rows}).view(), "components=true")
    assert found.weights == {"skills": 2.0}
    assert found.items[0].components == pytest.approx(values, abs=1e-4)
    assert found.items[1].components is msgspec.UNSET


def test_an_explored_item_further_down_lends_its_components_to_no_other() -> None:
    first, explored = (dict.fromkeys(COMPONENTS, value) for value in (0.25, 0.75))
    lists = {
        "anna": [item(1, "j:1", components=first), item(2, "j:2"), item(3, "j:3", components=explored), item(4, "j:4")],
        "boris": [item(1, "j:1"), item(2, "j:2", components=explored)],
    }
    view = World([job(number) for number in range(1, 5)], lists).view()
    assert [row.components for row in ask(view, "components=true").items] == [
        pytest.approx(first, abs=1e-4), *[msgspec.UNSET] * 3,
    ]  # fmt: skip
    assert [row.components for row in ask(view, "components=true", "boris").items] == [msgspec.UNSET] * 2


def test_a_job_that_is_not_published_is_left_out() -> None:
    found = ask(World([job(1)], {"anna": [item(1, "j:9"), item(2, "j:1")]}).view(), "")
    assert [(row.rank, row.job_id) for row in found.items] == [(2, "j:1")]


def test_a_reason_that_refers_to_a_job_names_its_title() -> None:
    reasons = [
        {"code": "similar_to_saved", "ref": "j:2", "value": 0.8},
        {"code": "also_applied", "ref": "j:9", "value": None},
    ]
    world = World([job(1), job(2, "closed")], {"anna": [item(1, "j:1", reasons=reasons)]})
    found = ask(world.view(), "", language="ru").items[0].reasons
    assert [reason.text for reason in found] == [
        "Похожа на сохранённую вами вакансию: Job 2",
        "Те, кто откликнулся на «j:9», откликались и на эту вакансию",
    ]
    assert (found[0].ref, found[0].value) == ("j:2", 0.8)
    assert ask(world.view(), "").items[0].reasons[0].text == "Similar to a job you saved: Job 2"


@pytest.mark.parametrize(
    ("query", "job_id"), [("", "j:1"), ("country=KZ", "j:2"), ("country=KZ&role=cook", "j:3"), ("country=DE", "j:1")]
)
def test_an_unknown_user_gets_the_feed_of_the_narrowest_segment(query: str, job_id: str) -> None:
    fallbacks = {
        segment: [item(1, f"j:{number}")]
        for number, segment in enumerate(("all", "country=KZ", "country=KZ/role=cook"), start=1)
    }
    world = World([job(number) for number in (1, 2, 3)], {}, fallbacks)
    found = ask(world.view(), query, user_id="nobody")
    assert (found.source, [row.job_id for row in found.items]) == ("segment", [job_id])


def test_without_any_fallback_feed_the_answer_is_an_empty_feed() -> None:
    found = ask(World([job(1)], {}).view(), "", user_id="nobody")
    assert (found.source, found.items) == ("global", [])


def test_a_page_longer_than_ever_before_is_whole() -> None:
    skills = ["x" * 100 for _ in range(40)]
    jobs = [{**job(number), "skills": skills} for number in range(100)]
    view = World(jobs, {"anna": [item(rank, f"j:{rank - 1}") for rank in range(1, 101)]}).view()
    assert [row.job.skills for row in ask(view, "limit=100").items] == [skills] * 100


def test_lengths_that_no_page_can_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_module, "_MOST_BUFFER_BYTES", 1 << 18)
    jobs = [{**job(number), "skills": ["x" * 5000]} for number in range(100)]
    view = World(jobs, {"anna": [item(rank, f"j:{rank - 1}") for rank in range(1, 101)]}).view()
    assert len(ask(view, "limit=10").items) == 10
    with pytest.raises(GenerationError, match="longer"):
        ask(view, "limit=100")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_found_or_harmless(data: st.DataObject) -> None:
    """Never a read beyond the files: the answer is refused, or some other text."""
    world = _damageable()
    stored = bytearray(world.values[lookup_key(FEED_PREFIX, "anna")])
    offsets = {"jobs": world.jobs.offsets.copy(), "reasons": world.reasons.offsets.copy()}
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
        else:
            table = offsets[data.draw(st.sampled_from(["jobs", "reasons"]))]
            row, column = (data.draw(st.integers(0, n - 1)) for n in table.shape)
            table[row, column] = data.draw(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 3000))
    cut = bytes(stored[: data.draw(st.integers(0, len(stored)) | st.just(len(stored)))])
    damaged = cast(Any, World.__new__(World))
    damaged.values = {lookup_key(FEED_PREFIX, "anna"): cut}
    damaged.jobs = TextTable(world.jobs.texts, world.jobs.more, offsets["jobs"])
    damaged.reasons = TextTable(world.reasons.texts, world.reasons.more, offsets["reasons"])
    values = parse_query(FEED_PARAMETERS, b"limit=100")
    with contextlib.suppress(GenerationError):
        assert feed_handlers.feed(damaged.view(), Request("anna", dict(values), "ru")).body


_WORLDS: list[World] = []


def _damageable() -> World:
    if not _WORLDS:
        reasons = [
            {"code": "similar_to_saved", "ref": "j:2", "value": 0.8},
            {"code": "skills", "ref": "Python", "value": 1.0},
        ]
        jobs = [job(number) for number in range(10)]
        rows = [item(rank, f"j:{rank - 1}", reasons=reasons) for rank in range(1, 11)]
        _WORLDS.append(World(jobs[:8], {"anna": rows}, later_jobs=jobs[6:]))
    return _WORLDS[0]


def test_the_text_id_of_no_card_is_refused() -> None:
    jobs = World([job(1)], {}).jobs
    assert orjson.loads(jobs.card(0))["job_id"] == "j:1"
    with pytest.raises(GenerationError):
        jobs.card(1)


@pytest.mark.parametrize(
    ("language", "city", "texts"),
    [
        ("en", "Almaty", ["Kazakhstan", "remote", "full time", "senior", "from $1,000 a month"]),
        (
            "ru",
            "Алматы",
            ["Казахстан", "удалённо", "полная занятость", "старший специалист", "от 1\xa0000\xa0$ в месяц"],
        ),
    ],
)
def test_a_card_says_its_facts_in_the_language_of_the_answer(language: str, city: str, texts: list[str]) -> None:
    facts = {
        "city": "Almaty", "city_ru": "Алматы", "country": "KZ", "board": "HeadHunter", "work_format": "remote",
        "employment_type": "full_time", "career_level": "senior", "salary_min": 1_000.0, "salary_currency": "USD",
        "salary_period": "month",
    }  # fmt: skip
    rows = [item(rank, f"j:{rank}") for rank in (1, 2, 3)]
    world = World([job(1) | facts, job(2), job(3, "closed") | facts], {"anna": rows}, later_jobs=[job(2) | facts])
    cards = [each.job for each in ask(world.view(), "", language=language).items]
    assert [card.job_id for card in cards] == ["j:1", "j:2"]
    for card in cards:
        assert (card.city, card.board, card.country) == (city, "HeadHunter", "KZ")
        assert list(msgspec.structs.asdict(card.texts).values()) == texts
    assert orjson.loads(world.jobs.card(0, language)) == msgspec.to_builtins(cards[0])
    assert world.jobs.card(2, language) == b""
