"""Facts of companies: what is read, and why a line is refused."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.schemas.companies import COMPANY_FACTS
from features.sources.companies.facts import parse_company_facts

AS_OF = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
GOOD = {"company": "ООО «Ромашка»", "fact": "headcount", "value": "120", "source": "site", "observed_at": "2026-02-20"}


def parse(*lines: object) -> tuple[list[dict[str, object]], list[str]]:
    body = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines).encode()
    parsed = parse_company_facts(body, as_of=AS_OF)
    COMPANY_FACTS.validate(parsed.rows)
    return parsed.rows.to_dicts(), parsed.rejects["reason"].to_list()


def test_a_company_is_found_by_its_id_or_by_its_name_without_the_legal_form() -> None:
    rows, reasons = parse(GOOD, {**GOOD, "company": None, "company_id": "hh:7"})
    assert [row["company_id"] for row in rows] == ["name:ромашка", "hh:7"]
    assert rows[0]["observed_at"] == dt.datetime(2026, 2, 20, tzinfo=dt.UTC)
    assert not reasons


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"company": None}, "missing_company"),
        ({"fact": ""}, "missing_fact"),
        ({"value": None}, "missing_value"),
        ({"source": " "}, "missing_source"),
        ({"observed_at": None}, "missing_observed_at"),
        ({"observed_at": "soon"}, "bad_observed_at"),
        ({"observed_at": "2026-03-02"}, "future_observed_at"),
        ({"value": "x" * 1_001}, "too_long"),
        ({"fact": "x" * 65}, "too_long"),
        ({"github": []}, "bad_github_answer"),
        ({"github": {"organisation": {}, "repositories": []}}, "bad_github_answer"),
        ({"github": {"organisation": {"login": "a", "public_repos": 1}}}, "bad_github_answer"),
    ],
)
def test_what_can_not_be_used_is_refused_with_a_reason(change: dict[str, object], reason: str) -> None:
    assert parse({**GOOD, **change}) == ([], [reason])


def test_a_line_that_is_no_json_is_refused_and_the_others_are_read() -> None:
    rows, reasons = parse("{", GOOD, "[]")
    assert len(rows) == 1
    assert reasons == ["bad_json", "missing_company"]


@given(
    st.dictionaries(st.sampled_from(list(GOOD)), st.none() | st.text(max_size=5) | st.integers() | st.lists(st.none()))
)
def test_every_line_is_a_row_or_a_reject(change: dict[str, object]) -> None:
    rows, reasons = parse({**GOOD, **change})
    assert len(rows) + len(reasons) <= 1
