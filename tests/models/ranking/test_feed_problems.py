from collections.abc import Sequence

import polars as pl

from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.ranking import FEED_ITEM, FEEDS
from models.ranking.feed_problems import feed_problems, feed_rules, violations
from models.ranking.settings import CompanyCap

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
    interactions = INTERACTIONS.empty()
    if applied:
        interactions = INTERACTIONS.conform(pl.DataFrame({"user_id": ["u"], "job_id": [applied], "is_applied": [True]}))
    profiles = USER_PROFILES.conform(
        pl.DataFrame(
            {"user_id": ["u"], "blocked_companies": [list(companies)], "blocked_tags": [list(tags)]},
            schema_overrides={"blocked_companies": pl.List(pl.String), "blocked_tags": pl.List(pl.String)},
        )
    )
    found = violations(feeds.lazy(), jobs=_JOBS.lazy(), interactions=interactions.lazy(), profiles=profiles.lazy())
    return found.select("job_id", "rule").rows()


def test_an_open_job_is_fine() -> None:
    assert _found(["a", "c", "d"]) == []


def test_closed_expired_and_unknown_jobs_are_found() -> None:
    assert _found(["b", "e", "x"]) == [("b", "not_open"), ("e", "not_open"), ("x", "not_in_catalog")]


def test_applying_to_one_duplicate_forbids_the_others() -> None:
    assert _found(["a"], applied="a-copy") == [("a", "applied")]
    assert _found(["a-copy"], applied="a") == [("a-copy", "applied")]


def test_two_jobs_of_a_group_are_a_repetition() -> None:
    assert _found(["a", "a-copy"]) == [("a", "repeated")]


def test_companies_are_blocked_by_id_or_name_and_tags_whatever_their_case() -> None:
    assert _found(["c"], companies=["EVIL"]) == [("c", "blocked_company")]
    assert _found(["c"], companies=[" evil corp"]) == [("c", "blocked_company")]
    assert _found(["d"], tags=["CRYPTO"]) == [("d", "blocked_tag")]


def test_a_company_is_blocked_by_its_name_without_the_legal_form() -> None:
    assert _found(["c"], companies=["evil"]) == [("c", "blocked_company")]


def _lists(*lists: list[tuple[int, str, float]]) -> pl.DataFrame:
    """Lists with items of rank, job and score."""
    rows = [
        [
            {**dict.fromkeys(_FIELDS), "rank": r, "job_id": j, "score": s, "confidence": 1.0, "propensity": 1.0}
            for r, j, s in listed
        ]
        for listed in lists
    ]
    owners = [f"u{k}" for k in range(len(lists))]
    return pl.DataFrame({"owner": owners, "items": rows}, schema_overrides={"items": FEEDS.columns["items"]})


def _broken(
    lists: pl.DataFrame, *rules: str, jobs: pl.DataFrame = _JOBS, cap: CompanyCap | None = None
) -> pl.DataFrame:
    """What the lists break of these rules."""
    book = feed_rules(
        jobs=jobs.lazy(),
        interactions=INTERACTIONS.empty().lazy(),
        profiles=USER_PROFILES.empty().lazy(),
        company_cap=cap,
    )
    return feed_problems(lists, book).filter(pl.col("rule").is_in(rules))


def test_gaps_and_repeats_in_lists_are_found() -> None:
    lists = _lists([(1, "a", 0.5), (2, "b", 0.5)], [(1, "a", 0.5), (3, "b", 0.5)], [(1, "a", 0.5), (2, "a", 0.5)], [])
    assert _broken(lists, "rank", "repeated").select("owner", "rule").rows() == [("u1", "rank"), ("u2", "repeated")]
    unknown = _lists([(1, "x", 0.5), (2, "x", 0.5), (3, "y", 0.5)], [(2, "x", 0.5), (1, "a", 0.5)])
    found = _broken(unknown, "rank", "repeated").select("owner", "job_id", "rule").rows()
    assert found == [("u0", "x", "repeated"), ("u1", None, "rank")]


def test_scores_out_of_range_are_found() -> None:
    lists = _lists([(1, "a", 0.5), (2, "b", 1.5)], [(1, "a", float("nan"))], [(1, "c", 0.0)])
    assert _broken(lists, "range").select("owner", "job_id", "detail").rows() == [
        ("u0", "b", "score"), ("u1", "a", "score"),
    ]  # fmt: skip


def test_missing_scores_and_components_out_of_range_are_found() -> None:
    changes = [
        {"propensity": None}, {"confidence": -0.1}, {"components": {"skills": 2.0}}, {"components": {"skills": None}},
    ]  # fmt: skip
    known = {"score": 1.0, "confidence": 1.0, "propensity": 1.0}
    rows = [[{**dict.fromkeys(_FIELDS), "rank": 1, "job_id": "a", **known, **change}] for change in changes]
    owners = [f"u{k}" for k in range(len(rows))]
    lists = pl.DataFrame({"owner": owners, "items": rows}, schema_overrides={"items": FEEDS.columns["items"]})
    assert _broken(lists, "range").select("owner", "detail").rows() == [
        ("u0", "propensity"), ("u1", "confidence"), ("u2", "skills"),
    ]  # fmt: skip


def test_too_many_jobs_of_a_company_are_found() -> None:
    companies = {"job_id": list("abcd"), "company_id": ["X", "x ", None, "x"], "company": [None, None, "x", ""]}
    jobs = JOBS.conform(pl.DataFrame(companies))
    lists = _lists([(1, "a", 0.5), (2, "b", 0.5), (3, "c", 0.5), (4, "d", 0.5)])
    found = _broken(lists, "company_cap", jobs=jobs, cap=CompanyCap(most=2, top=4))
    assert found.select("owner", "detail").rows() == [("u0", "4 jobs of x")]
    assert _broken(lists, "company_cap", jobs=jobs, cap=CompanyCap(most=2, top=2)).is_empty()


def test_the_rules_of_users_do_not_hold_for_a_fallback_feed_of_the_same_name() -> None:
    interactions = INTERACTIONS.conform(pl.DataFrame({"user_id": ["u0"], "job_id": ["a"], "is_dismissed": [True]}))
    profiles = USER_PROFILES.conform(pl.DataFrame({"user_id": ["u0"], "blocked_companies": [["acme"]]}))
    rules = feed_rules(jobs=_JOBS.lazy(), interactions=interactions.lazy(), profiles=profiles.lazy())
    lists = _lists([(1, "a", 0.5)])
    assert feed_problems(lists, rules)["rule"].to_list() == ["blocked_company", "dismissed"]
    assert feed_problems(lists, rules.without_users()).is_empty()
