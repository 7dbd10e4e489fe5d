"""Similar companies against the plain computation, and what the blocks must not change."""

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fitting import similar_companies as module
from models.fitting.similar_companies import MIN_SCORE, MOST, similar_companies

_ROLES = pl.List(pl.Struct({"value": pl.String, "n_jobs": pl.Int64, "share": pl.Float64}))
_SKILLS = pl.List(pl.Struct({"skill": pl.String, "n_jobs": pl.Int64, "share": pl.Float64, "is_new": pl.Boolean}))
_ASKED = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), max_size=4)


def frame(companies: list[tuple[dict[str, int], dict[str, int]]]) -> pl.DataFrame:
    rows = [
        {
            "company_id": f"c{i}",
            "company": f"C {i}",
            "roles": [{"value": value, "n_jobs": n, "share": 1.0} for value, n in roles.items()],
            "skills": [{"skill": skill, "n_jobs": n, "share": 1.0, "is_new": False} for skill, n in skills.items()],
        }
        for i, (roles, skills) in enumerate(companies)
    ]
    return pl.DataFrame(
        rows, schema={"company_id": pl.String, "company": pl.String, "roles": _ROLES, "skills": _SKILLS}
    )


def slowly(companies: list[tuple[dict[str, int], dict[str, int]]]) -> dict[str, list[tuple[str, float]]]:
    asked = [
        {("r", k): n for k, n in roles.items()} | {("s", k): n for k, n in skills.items()}
        for roles, skills in companies
    ]
    n_with = {item: sum(item in one for one in asked) for one in asked for item in one}
    vectors = [{item: math.sqrt(n) * math.log(len(asked) / n_with[item]) for item, n in one.items()} for one in asked]
    found = {}
    for i, one in enumerate(vectors):
        scored = []
        for j, other in enumerate(vectors):
            dot = sum(weight * other.get(item, 0.0) for item, weight in one.items())
            length = math.sqrt(sum(w * w for w in one.values()) * sum(w * w for w in other.values()))
            if i != j and length and dot / length >= MIN_SCORE:
                scored.append((-round(dot / length, 6), j))
        found[f"c{i}"] = [(f"c{j}", -score) for score, j in sorted(scored)[:MOST]]
    return {company: others for company, others in found.items() if others}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(_ASKED, _ASKED), max_size=8), st.integers(1, 9))
def test_the_scores_are_those_of_the_plain_computation_in_blocks_of_any_size(
    companies: list[tuple[dict[str, int], dict[str, int]]], block: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        rows = similar_companies(frame(companies)).to_dicts()
    got = {row["company_id"]: [(one["company_id"], one["score"]) for one in row["similar_companies"]] for row in rows}
    expected = slowly(companies)
    assert got.keys() == expected.keys()
    for company, others in expected.items():
        assert [score for _, score in got[company]] == pytest.approx([score for _, score in others], abs=2e-6)
