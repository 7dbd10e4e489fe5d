"""How far applications come, held against a count by hand."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.applications import funnel as module
from features.applications.funnel import STEPS, funnel, groups, reached_steps, step_patterns
from features.schemas.catalog import APPLICATIONS, JOBS
from features.schemas.insight import APPLICATION_FUNNEL, SUCCESS_PATTERNS
from tests.features.applications.test_folding import Row, fold, status
from tests.features.applications.test_summaries import jobs

NOTHING_SHOWN = pl.DataFrame(schema=dict.fromkeys(("user_id", "application_id", "recipe", "arm"), pl.String))


def table(*rows: Row, of_jobs: pl.LazyFrame | None = None, shown: pl.DataFrame = NOTHING_SHOWN) -> pl.DataFrame:
    timelines = fold(*rows)
    first = timelines.filter(pl.col("state").is_in(STEPS)).group_by("user_id", "application_id", maintain_order=True)
    stands = first.agg(pl.col("job_id").first(), pl.col("company").first(), applied_at=pl.col("occurred_at").first())
    applications = APPLICATIONS.conform(stands)
    grouped = groups(applications, JOBS.empty().lazy() if of_jobs is None else of_jobs, shown)
    found = funnel(reached_steps(timelines, applications), grouped)
    APPLICATION_FUNNEL.validate(found)
    return found


def of_user(found: pl.DataFrame, user: str, column: str) -> dict[str, object]:
    return dict(found.filter(user_id=user, dimension="all").select("step", column).rows())


def test_a_step_that_was_skipped_counts_as_reached() -> None:
    found = table(status("e1", 0, "applied"), status("e2", 48, "interview"))
    assert of_user(found, "u1", "n_reached") == {
        "applied": 1, "acknowledged": 1, "screening": 1, "assessment": 1, "interview": 1, "offer": 0, "accepted": 0,
    }  # fmt: skip
    assert of_user(found, "u1", "median_days")["interview"] == 2.0


def test_a_refusal_is_no_step_and_who_declines_had_an_offer() -> None:
    found = table(
        status("e1", 0, "applied"), status("e2", 24, "rejected"), status("e3", 0, "applied", job_id="hh:2"),
        status("e4", 1, "offer", job_id="hh:2"), status("e5", 2, "declined", job_id="hh:2"),
    )  # fmt: skip
    assert of_user(found, "u1", "n_reached") == {
        "applied": 2, "acknowledged": 1, "screening": 1, "assessment": 1, "interview": 1, "offer": 1, "accepted": 0,
    }  # fmt: skip
    assert of_user(found, "u1", "conversion")["acknowledged"] == 0.5
    assert of_user(found, "u1", "conversion")["offer"] == 1.0
    assert of_user(found, "u1", "conversion")["accepted"] == 0.0


@pytest.mark.parametrize(("n_people", "is_published"), [(9, False), (10, True)])
def test_groups_of_fewer_than_ten_people_are_left_out(n_people: int, is_published: bool) -> None:
    # Two applications each: ten people count, not ten applications.
    people, two_jobs = range(n_people), ("hh:1", "rss:2")
    rows = [status(f"e{n}-{job}", n, "applied", user_id=f"u{n}", job_id=job) for n in people for job in two_jobs]
    known = jobs({"job_id": "hh:1", "skills": ["Python", "SQL"], "professional_roles": ["dev"], "country": "KZ"})
    everybody = table(*rows, of_jobs=known).filter(user_id="")
    found = set(everybody.select("dimension", "value").unique().rows())
    expected = {("all", "all"), ("source", "hh"), ("source", "rss"), ("skill", "Python"), ("skill", "SQL"),
                ("role", "dev"), ("country", "KZ")}  # fmt: skip
    assert found == (expected if is_published else set())


def test_the_table_is_the_same_whatever_is_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        status(
            f"e{n}-{job}-{place}", n + 24 * place, state, user_id=f"u{n:02d}", job_id=f"hh:{job}", company=f"c{n % 4}"
        )
        for n in range(41)
        for job in range(n % 3 + 1)
        for place, state in enumerate(("applied", "screening", "interview")[: n % 4])
    ]
    whole = table(*rows)
    assert whole["dimension"].unique().sort().to_list() == ["all", "company", "source"]
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 2)
    assert_frame_equal(table(*rows), whole)


def test_steps_of_some_users_are_those_of_all() -> None:
    timelines = fold(*(status(f"e{n}", n, "applied", user_id=f"u{n}") for n in range(4)))
    stands = timelines.select("user_id", "application_id", "job_id", "company", applied_at="occurred_at")
    numbered = stands.with_row_index("application")
    halves = [numbered.filter(pl.col("user_id").is_in(users)) for users in (["u0", "u1"], ["u2", "u3"])]
    parts = pl.concat(reached_steps(timelines, half) for half in halves)
    assert_frame_equal(parts, reached_steps(timelines, stands), check_row_order=False)


def test_recipe_and_arm_come_from_the_feed_that_showed_the_job() -> None:
    rows = [status(f"e{n}", n, "applied", user_id=f"u{n}") for n in range(12)]
    ids = fold(*rows).select("user_id", "application_id")
    shown = ids.with_columns(recipe=pl.lit("match"), arm=pl.lit("a"))
    everybody = table(*rows, shown=shown).filter(user_id="")
    assert {("recipe", "match"), ("arm", "a")} <= set(everybody.select("dimension", "value").rows())


def test_patterns_say_with_which_jobs_applications_come_further() -> None:
    rows: list[Row] = []
    for n in range(40):
        company = "Good" if n % 2 else "Bad"
        rows.append(status(f"a{n}", 0, "applied", user_id=f"u{n}", company=company))
        if company == "Good" or n == 0:
            rows.append(status(f"b{n}", 24, "interview", user_id=f"u{n}", company=company))
    found = step_patterns(table(*rows))
    SUCCESS_PATTERNS.validate(found)
    by_company = {row["value"]: row for row in found.filter(outcome="interview", dimension="company").rows(named=True)}
    good, bad = by_company["Good"], by_company["Bad"]
    assert (good["n_shown"], good["n_successes"], bad["n_successes"]) == (20, 20, 1)
    assert good["lift"] == pytest.approx(1.0 / (21 / 40))
    assert bad["upper"] < good["base_rate"] < good["lower"]
    assert "applied" not in set(found["outcome"])


def test_nothing_gives_an_empty_table() -> None:
    assert table(status("e1", 0, "saved")).is_empty()
    assert step_patterns(APPLICATION_FUNNEL.empty()).is_empty()
