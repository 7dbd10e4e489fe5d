"""Versions and sightings fold into one row a job, now and in a replay."""

import datetime as dt
from typing import Any

import polars as pl

from features.jobs.versions import fold_jobs
from features.schemas.bronze import SIGHTINGS
from features.schemas.catalog import JOB_VERSIONS, JOBS

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
DAYS = pl.DataFrame({"source": ["hh"], "days": [30]})


def _ago(days: float) -> dt.datetime:
    return AS_OF - dt.timedelta(days=days)


def _version(content_hash: str, seen_days_ago: float, **other: Any) -> dict[str, Any]:
    return {
        "job_id": "hh:1",
        "source": "hh",
        "source_id": "1",
        "content_hash": content_hash,
        "seen_at": _ago(seen_days_ago),
        "is_complete": True,
        "is_archived": False,
        "title": f"Title {content_hash}",
        "skills": ["SQL"],
        **other,
    }


def _fold(
    *versions: dict[str, Any], sightings: list[tuple[float, bool]] | None = None, as_of: dt.datetime = AS_OF
) -> pl.DataFrame:
    frame = pl.DataFrame(list(versions), schema_overrides=dict(JOB_VERSIONS.columns), infer_schema_length=None)
    seen = pl.DataFrame(
        [{"job_id": "hh:1", "source": "hh", "seen_at": _ago(days), "is_gone": gone} for days, gone in sightings or []],
        schema=dict(SIGHTINGS.columns),
    )
    jobs = fold_jobs(
        JOB_VERSIONS.conform(frame).lazy(), seen.lazy(), as_of=as_of, stale_after_days=DAYS, default_days=60
    )
    JOBS.validate(jobs)
    return jobs


def _job(*versions: dict[str, Any], **other: Any) -> dict[str, Any]:
    return _fold(*versions, **other).row(0, named=True)


def test_the_newest_version_counts() -> None:
    assert _job(_version("a", 3), _version("c", 1), _version("b", 2))["title"] == "Title c"


def test_a_replay_takes_the_newest_version_of_its_time() -> None:
    versions = (_version("a", 9), _version("b", 5), _version("c", 1))
    assert _job(*versions, as_of=_ago(4))["title"] == "Title b"


def test_a_job_seen_later_is_known_by_its_publication() -> None:
    versions = (_version("b", 0), _version("a", 1, published_at=_ago(10)))
    job = _job(*versions, as_of=_ago(4))
    assert (job["title"], job["published_at"], job["first_seen_at"]) == ("Title a", _ago(10), _ago(10))
    assert (job["status"], job["last_seen_at"]) == ("open", _ago(4))
    assert _fold(*versions, as_of=_ago(11)).is_empty()


def test_a_whole_version_completes_a_newer_search_item() -> None:
    whole = _version("a", 3, description="All of it", skills=["Go", "SQL"], language="en", experience_min_years=3.0)
    item = _version(
        "b", 1, is_complete=False, description="All…", skills=[], salary_min=5.0, salary_currency="USD", company="New"
    )
    job = _job(whole, item)
    assert (job["title"], job["company"], job["description"]) == ("Title b", "New", "All of it")
    assert (job["skills"], job["salary_min"], job["experience_min_years"]) == (["Go", "SQL"], 5.0, 3.0)
    assert job["content_hash"] == "b"


def test_half_of_an_old_pay_is_never_mixed_with_a_new_one() -> None:
    whole = _version("a", 3, salary_min=1.0, salary_max=2.0, salary_currency="EUR")
    job = _job(whole, _version("b", 1, is_complete=False, salary_min=9.0, salary_currency="USD"))
    assert (job["salary_min"], job["salary_max"], job["salary_currency"]) == (9.0, None, "USD")


def test_age_counts_from_the_first_publication() -> None:
    assert _job(_version("a", 1, published_at=_ago(2), initial_created_at=_ago(40)))["published_at"] == _ago(40)
    raised = (_version("a", 8, published_at=_ago(9)), _version("b", 1, published_at=_ago(1)))
    assert _job(*raised)["published_at"] == _ago(9)
    assert _job(_version("a", 8, published_at=_ago(1)))["published_at"] == _ago(8)


def test_an_implausible_publication_is_replaced_by_the_first_sighting() -> None:
    nonsense = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
    assert _job(_version("a", 2, published_at=nonsense))["published_at"] == _ago(2)


def test_sightings_move_last_seen_at() -> None:
    job = _job(_version("a", 20), sightings=[(20, False), (2, False), (-1, False)])
    assert (job["first_seen_at"], job["last_seen_at"], job["status"]) == (_ago(20), _ago(2), "open")


def test_an_archived_job_is_closed() -> None:
    job = _job(_version("a", 5), _version("b", 2, is_archived=True))
    assert (job["status"], job["closed_at"]) == ("closed", _ago(2))


def test_a_job_archived_later_is_open_in_a_replay() -> None:
    versions = (_version("b", 0, is_archived=True, published_at=_ago(20)),)
    assert _job(*versions, as_of=_ago(5))["status"] == "open"


def test_a_stated_end_closes_when_it_has_come() -> None:
    assert _job(_version("a", 5, closed_at=_ago(1)))["status"] == "closed"
    assert _job(_version("a", 5, closed_at=_ago(-1)))["status"] == "open"


def test_a_job_that_is_gone_closes_until_it_is_seen_again() -> None:
    gone = _job(_version("a", 9), sightings=[(9, False), (4, True)])
    assert (gone["status"], gone["closed_at"]) == ("closed", _ago(4))
    back = _job(_version("a", 9), sightings=[(9, False), (4, True), (1, False)])
    assert (back["status"], back["closed_at"]) == ("open", None)


def test_expiry_ends_a_job_only_when_it_has_passed() -> None:
    expired = _job(_version("a", 5, expires_at=_ago(1)))
    assert (expired["status"], expired["closed_at"]) == ("expired", _ago(1))
    assert _job(_version("a", 5, expires_at=_ago(-1)))["status"] == "open"


def test_a_job_unseen_for_its_sources_days_expires() -> None:
    assert _job(_version("a", 29))["status"] == "open"
    stale = _job(_version("a", 31))
    assert (stale["status"], stale["closed_at"]) == ("expired", _ago(1))
    assert _job(_version("a", 31, source="file"))["status"] == "open"


def test_no_versions_are_no_jobs() -> None:
    assert _fold().is_empty()


def test_the_order_of_rows_changes_nothing() -> None:
    versions = [
        _version(name, day, is_complete=bool(day % 2)) for name, day in zip("abcdef", (1, 2, 3, 1, 2, 3), strict=True)
    ]
    assert _fold(*versions).equals(_fold(*reversed(versions)))


def test_a_publication_in_the_future_is_unknown_and_not_now() -> None:
    ahead = _version("a", 1, published_at=_ago(-30))
    job = _job(ahead)
    assert (job["published_at"], job["first_seen_at"]) == (None, _ago(1))
    assert _job(_version("a", 1, published_at=_ago(-0.5)))["published_at"] == _ago(1)  # clocks differ
    assert _job(ahead, _version("b", 0.5, published_at=_ago(3)))["published_at"] == _ago(3)
    assert _job(_version("a", 1))["published_at"] == _ago(1)
