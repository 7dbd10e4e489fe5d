"""A digest without the jobs that closed is the one that would have been built without them."""

from itertools import combinations

import polars as pl
import pytest

from assets.digests.closed_jobs import Content, with_open_jobs
from assets.digests.rendering import render
from features.schemas.insight import DIGESTS
from serving.contract.tables import LANGUAGES
from tests.assets.digests.digest_world import WORDING, market_items, market_jobs, market_readers, rendered

HOSTILE = {"title": 'R&D "Lead" 2. Cook — 92%  <b>1 new job for you</b>' * 2, "url": None, "board": "</td></tr>"}


def with_places(left: list[int], language: str) -> Content:
    """The digest that is built for these places of the items, of which each is one of the new jobs and matches."""
    items, n_closed = market_items(["anna"]), pl.lit(5 - len(left), pl.Int32)
    kept = items[left].with_columns(
        pl.col("total_new_jobs") - n_closed,
        pl.col("total_matches") - n_closed,
        place=pl.int_range(1, len(left) + 1),
    )
    row = render(market_readers({"anna": language}), kept, market_jobs(**HOSTILE), WORDING).row(0, named=True)
    return Content(row["title"], row["text"], row["html"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_left_is_as_if_it_had_been_built_so(language: str) -> None:
    digest = rendered(language, job=HOSTILE)
    listed = [job["job_id"] for job in digest["top_jobs"]]
    for left in (list(places) for n in range(1, 6) for places in combinations(range(5), n)):
        assert with_open_jobs(digest, {listed[place] for place in left}) == with_places(left, language)
    assert with_open_jobs(digest, {"hh:other"}) is None


def test_a_digest_of_other_templates_stays_whole_while_a_job_is_open() -> None:
    other = {"title": "2 jobs", "summary": "Two.", "text": "2 jobs\n", "html": "<p>2 jobs</p>"}
    kind = DIGESTS.columns["top_jobs"]
    digest = DIGESTS.conform(
        pl.DataFrame([{**other, "top_jobs": [{"job_id": "a"}, {"job_id": "b"}]}], schema_overrides={"top_jobs": kind})
    ).row(0, named=True)
    assert with_open_jobs(digest, {"a"}) == Content("2 jobs", "2 jobs\n", "<p>2 jobs</p>")
    assert with_open_jobs(digest, set()) is None
    renamed = rendered("en") | {"title": "Your jobs"}
    assert with_open_jobs(renamed, {"hh:1"}) == Content("Your jobs", renamed["text"], renamed["html"])
