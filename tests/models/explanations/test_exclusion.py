import datetime as dt
from typing import Any

import polars as pl

from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from models.explanations.exclusion import Exclusion, exclusions

THEN = dt.datetime(2026, 2, 3, 9, tzinfo=dt.UTC)


def rules(
    job_id: str, *, event: dict[str, Any] | None = None, profile: dict[str, Any] | None = None
) -> list[Exclusion]:
    rows = [
        {"job_id": "a", "status": "open", "company": "Acme", "company_id": "c1", "tags": ["Night", "bank"]},
        {"job_id": "copy", "status": "open", "duplicate_of": "a", "company": "Acme", "company_id": "c1", "tags": []},
        {"job_id": "gone", "status": "closed", "closed_at": THEN, "tags": []},
        {"job_id": "past", "status": "expired", "expires_at": None, "tags": []},
    ]
    events = [{"user_id": "u", "last_at": THEN, **event}] if event else []
    profiles = [{"user_id": "u", **(profile or {})}]
    made = [
        table.conform(pl.DataFrame(part, infer_schema_length=None) if part else table.empty()).lazy()
        for table, part in ((JOBS, rows), (INTERACTIONS, events), (USER_PROFILES, profiles))
    ]
    return list(exclusions("u", job_id, jobs=made[0], interactions=made[1], profiles=made[2]))


def test_a_job_that_breaks_no_rule_has_no_exclusion() -> None:
    assert rules("a") == []
    assert rules("a", event={"job_id": "a", "is_applied": False, "is_seen": True}) == []


def test_the_evidence_of_an_event_is_its_day_and_the_duplicate() -> None:
    applied = {"job_id": "a", "is_applied": True}
    assert rules("a", event=applied) == [Exclusion("applied", "last act on 2026-02-03")]
    assert rules("copy", event=applied) == [Exclusion("applied", "last act on 2026-02-03, with the same job as a")]
    dismissed = {"job_id": "a", "is_dismissed": True, "last_at": None}
    assert rules("a", event=dismissed) == [Exclusion("dismissed", "on an unknown day")]


def test_the_evidence_of_a_block_is_the_blocked_name() -> None:
    assert rules("a", profile={"blocked_companies": ["acme"]}) == [Exclusion("blocked_company", "Acme")]
    assert rules("a", profile={"blocked_tags": ["night", "BANK", "x"]}) == [Exclusion("blocked_tag", "Night, bank")]


def test_the_evidence_of_a_status_has_its_time() -> None:
    assert rules("gone") == [Exclusion("not_open", "closed since 2026-02-03 09:00 UTC")]
    assert rules("past") == [Exclusion("not_open", "expired")]


def test_a_job_outside_the_catalog_has_no_evidence() -> None:
    assert rules("nothing") == [Exclusion("not_in_catalog", None)]
