import duckdb
import polars as pl
import pytest

from assets.config.files import SHIPPED_VOCABULARY
from assets.publishing.assets import reason_tables
from assets.publishing.lookup.feed_values import packed_feeds
from assets.publishing.lookup.text_tables import TextIds, no_text_ids
from assets.sql import query_text
from features.schemas.ranking import FEEDS
from features.vocabulary.display_names import display_names
from models.explanations.names import Names
from models.explanations.templates import REASON_TEMPLATES, render_reason
from serving.contract.tables import JOB_REFERENCE_CODES
from tests.packed import unpacked_feed

VALUES = [None, 0.0, 1.0, -1.0, 2.0, 3.44, 4.0, 5.0, 11.0, 12.0, 14.0, 18.25, 21.0, 22.0, 101.0, 111.0, 112.0, 0.5]
REFS = [
    None,
    "Python, SQL",
    "Data Analysis, Python",
    "python_developer",
    "data analysis",
    "{value} {ref}",
    "hh:1",
    "KZ",
]
TITLES = {"hh:1": "Senior {ref} developer"}


NAMES = display_names(SHIPPED_VOCABULARY)


@pytest.fixture(scope="module")
def shown() -> dict[tuple[int, str], list[str]]:
    """The texts of the view by rank and language: a rank per value and reference, all codes in each."""
    items = [
        {
            "rank": 1 + place,
            "job_id": "hh:1",
            "score": 0.5,
            "reasons": [{"code": code, "ref": ref, "value": value} for code in REASON_TEMPLATES],
        }
        for place, (value, ref) in enumerate((value, ref) for value in VALUES for ref in REFS)
    ]
    feeds = pl.DataFrame({"user_id": ["u"], "items": [items]}, schema_overrides={"items": FEEDS.columns["items"]})
    texts = reason_tables(REASON_TEMPLATES)["reason_texts"]
    jobs = pl.DataFrame({"job_id": list(TITLES), "title": list(TITLES.values())})
    with duckdb.connect() as con:
        frames = {"feeds": FEEDS.conform(feeds), "reason_texts": texts, "display_names": NAMES, "jobs": jobs}
        for name, frame in frames.items():
            con.register(name, frame)
        rows = con.sql(f"select rank, reasons_en, reasons_ru from ({query_text('publish/feed_items')})").fetchall()
    return {(rank, language): texts for rank, *both in rows for language, texts in zip(("en", "ru"), both, strict=True)}


def test_the_view_rounds_a_match_as_the_service_does() -> None:
    scores = [0.0, 0.005, 0.125, 0.285, 0.375, 0.625, 0.995, 1.0]
    items = [{"rank": rank, "job_id": f"hh:{rank}", "score": score} for rank, score in enumerate(scores, 1)]
    feeds = pl.DataFrame({"user_id": ["u"], "items": [items]}, schema_overrides={"items": FEEDS.columns["items"]})
    texts = reason_tables({"new": {"en": ""}})["reason_texts"]
    jobs = pl.DataFrame(schema={"job_id": pl.String, "title": pl.String})
    with duckdb.connect() as con:
        frames = {"feeds": FEEDS.conform(feeds), "reason_texts": texts, "display_names": NAMES, "jobs": jobs}
        for name, frame in frames.items():
            con.register(name, frame)
        rows = con.sql(f"select match_percent from ({query_text('publish/feed_items')}) order by rank").fetchall()
    table = FEEDS.conform(feeds).to_arrow()
    heads = FEEDS.conform(feeds).select(pl.lit(None, pl.String).alias("generated_at"), "recipe", "arm", "source")
    numbers = TextIds(no_text_ids("jobs"), no_text_ids("reasons"), {})
    [(_, packed)] = packed_feeds(feeds["user_id"], heads, table.column("items"), numbers)
    assert [row[0] for row in rows] == [item[3] for item in unpacked_feed(packed, {"jobs": {}, "reasons": {}})[4]]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_view_says_what_the_pipeline_and_the_service_say(
    shown: dict[tuple[int, str], list[str]], language: str
) -> None:
    names = Names(NAMES.iter_rows())
    for place, (value, ref) in enumerate((value, ref) for value in VALUES for ref in REFS):
        titles = dict.fromkeys(JOB_REFERENCE_CODES, TITLES.get(ref or ""))
        expected = [
            render_reason(code, titles.get(code) or names.reference(code, ref, language), value, language)
            for code in REASON_TEMPLATES
        ]
        assert shown[1 + place, language] == expected
