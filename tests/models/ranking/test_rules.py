from collections.abc import Sequence

import polars as pl

from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEED_ITEM, FEEDS
from models.ranking.rules import violations

_FIELDS = [field.name for field in FEED_ITEM.fields]
_JOBS = JOBS.conform(
    pl.DataFrame(
        {
            "job_id": ["a", "a-copy", "b", "c", "d", "e"],
            "status": ["open", "open", "closed", "open", "open", "expired"],
            "duplicate_of": [None, "a", None, None, None, None],
            "company": ["Acme", "Acme", "Acme", "Evil Corp", "Fine", "Fine"],
            "company_id": ["acme", "acme", "acme", "evil", "fine", "fine"],
            "tags": [[], [], [], [], ["Crypto"], []],
        }
    )
)


def _found(
    job_ids: list[str], *, applied: str | None = None, companies: Sequence[str] = (), tags: Sequence[str] = ()
) -> list[tuple[str, str]]:
    listed = [{**dict.fromkeys(_FIELDS), "rank": rank, "job_id": job} for rank, job in enumerate(job_ids, 1)]
    feeds = pl.DataFrame({"user_id": ["u"], "items": [listed]}, schema_overrides={"items": FEEDS.columns["items"]})
    acts = INTERACTIONS.empty()
    if applied:
        acts = INTERACTIONS.conform(pl.DataFrame({"user_id": ["u"], "job_id": [applied], "is_applied": [True]}))
    profiles = USER_PROFILES.conform(
        pl.DataFrame(
            {"user_id": ["u"], "blocked_companies": [list(companies)], "blocked_tags": [list(tags)]},
            schema_overrides={"blocked_companies": pl.List(pl.String), "blocked_tags": pl.List(pl.String)},
        )
    )
    found = violations(feeds.lazy(), jobs=_JOBS.lazy(), interactions=acts.lazy(), profiles=profiles.lazy())
    return found.select("job_id", "rule").rows()


def test_an_open_job_is_fine() -> None:
    assert _found(["a", "c", "d"]) == []


def test_closed_expired_and_unknown_jobs_are_found() -> None:
    assert _found(["b", "e", "x"]) == [("b", "not_open"), ("e", "not_open"), ("x", "not_in_catalog")]


def test_applying_to_one_duplicate_forbids_the_others() -> None:
    assert _found(["a"], applied="a-copy") == [("a", "applied")]
    assert _found(["a-copy"], applied="a") == [("a-copy", "applied")]


def test_both_of_a_group_are_once_too_many() -> None:
    assert _found(["a", "a-copy"]) == [("a", "repeated")]


def test_companies_are_blocked_by_id_or_name_and_tags_whatever_their_case() -> None:
    assert _found(["c"], companies=["EVIL"]) == [("c", "blocked_company")]
    assert _found(["c"], companies=[" evil corp"]) == [("c", "blocked_company")]
    assert _found(["d"], tags=["CRYPTO"]) == [("d", "blocked_tag")]


def test_a_company_is_blocked_by_its_name_without_the_legal_form() -> None:
    assert _found(["c"], companies=["evil"]) == [("c", "blocked_company")]
