"""Counts of what users did with kinds of jobs that they were shown, against counting one pair at a time."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import pattern_counts as module
from features.pattern_counts import pattern_counts
from features.schemas.catalog import INTERACTIONS
from tests.factories import jobs


def interactions(*rows):
    made = [{"n_impressions": 1, "is_applied": False, "is_saved": False, "n_clicks": 0, **row} for row in rows]
    return INTERACTIONS.conform(pl.DataFrame(made, infer_schema_length=None))


def patterns(pairs, catalog, **params):
    industries = pl.DataFrame({"role": ["dev", "qa", "cook"], "industry": ["it", "it", "food"]})
    return pattern_counts(pairs.lazy(), catalog, industries, **{"min_users": 2, "top": 10, **params})


def test_success_is_counted_among_users_who_were_shown_such_a_job():
    catalog = jobs(
        [
            {
                **{"job_id": "t:1", "skills": ["Go", "Go", "C"], "company": "Acme", "country": None, "city": None},
                "professional_roles": ["dev", "qa", "unknown"],
            },
            {"job_id": "t:2", "skills": ["Go"], "company": "Other", "country": None, "city": None},
        ]
    )
    pairs = interactions(
        {"user_id": "a", "job_id": "t:1", "is_applied": True},
        {"user_id": "a", "job_id": "t:2"},
        {"user_id": "b", "job_id": "t:1"},
        {"user_id": "c", "job_id": "t:2", "n_impressions": 0, "is_applied": True},
        {"user_id": "d", "job_id": "gone"},
    )
    table = patterns(pairs, catalog).filter(outcome="apply")
    columns = ("dimension", "value", "n_users", "n_shown", "n_successes", "base_rate")
    assert table.select(columns).rows() == [
        ("company", "Acme", 2, 2, 1, 0.25),
        ("industry", "it", 2, 2, 1, 0.25),
        *(("role", role, 2, 2, 1, 0.25) for role in ("dev", "qa", "unknown")),
        ("skill", "C", 2, 2, 1, 0.25),
        ("skill", "Go", 2, 3, 1, 0.25),
    ]
    sums = ("n_groups", "sum_square_n_shown", "sum_square_n_successes", "sum_products_n_successes")
    assert table.filter(value="Go").select(sums).rows() == [(2, 5.0, 1.0, 2.0)]
    assert patterns(pairs, catalog, top=1).filter(outcome="apply")["value"].to_list() == ["Acme", "it", "dev", "C"]


SKILLS = ("Go", "C", "SQL")
PAIRS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(("t:1", "t:2", "t:3", "gone"))),
    st.tuples(st.integers(0, 2), st.integers(0, 1), st.booleans(), st.booleans()),
    max_size=20,
)


@given(pairs=PAIRS, skills=st.tuples(*(st.sets(st.sampled_from(SKILLS)) for _ in range(3))), block=st.integers(1, 9))
def test_counts_are_those_of_single_pairs_however_users_are_divided(pairs, skills, block):
    names = ("n_impressions", "n_clicks", "is_saved", "is_applied")
    rows = [
        {"user_id": user, "job_id": job, **dict(zip(names, did, strict=True))} for (user, job), did in pairs.items()
    ]
    of_job = {f"t:{number}": found for number, found in enumerate(skills, start=1)}
    catalog = jobs(
        [
            {"job_id": job, "skills": sorted(found), "company": None, "city": None, "country": None}
            for job, found in of_job.items()
        ]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_USERS", block)
        counted = patterns(interactions(*rows), catalog, min_users=1).filter(dimension="skill", outcome="save")
    found = {row["value"]: row for row in counted.to_dicts()}
    shown = [row for row in rows if row["n_impressions"] > 0]
    for skill in SKILLS:
        such = [row for row in shown if skill in of_job.get(row["job_id"], ())]
        assert (skill in found) == bool(such)
        if such:
            row = found[skill]
            assert row["n_users"] == len({one["user_id"] for one in such})
            assert (row["n_shown"], row["n_successes"]) == (len(such), sum(one["is_saved"] for one in such))
            assert row["base_rate"] == sum(one["is_saved"] for one in shown) / len(shown)
            assert row["n_groups"] <= row["n_users"]
            assert row["sum_square_n_shown"] >= row["n_shown"]
