"""Impressions find what the feed of the generation that was shown said of the job."""

import datetime as dt
import shutil

import dagster as dg
import polars as pl
import pytest

from assets.config.ranking import Experiment
from assets.insight.experiments import experiment_reactions
from assets.insight.exposures import exposures_of, exposures_table, new_impressions, with_experiment
from assets.insight.queries import Period, reactions
from assets.io import LakeIOManager
from assets.publishing.full import publish_full
from assets.resources import AS_OF_TAG, RunClock, Workspace
from features.outcomes import match_quality
from features.schemas.bronze import EVENTS
from features.schemas.insight import EXPOSURES
from features.schemas.ranking import FEEDS
from models.ranking.experiments import Arm, assign_arms
from tests.factories import (
    AS_OF,
    JOB_IDS,
    feeds,
    item,
    jobs,
    publish_small,
    publish_small_changes,
    publishing_run,
    sources,
)

HOUR = dt.timedelta(hours=1)
LATER = AS_OF + HOUR
UNTIL = AS_OF + dt.timedelta(days=1)


def explored_feeds(**head):
    items = [{**item(rank, job_id, score=0.5), "explored": rank > 2, "propensity": 0.2 if rank > 2 else 1.0}
             for rank, job_id in enumerate(JOB_IDS[:4], 1)]  # fmt: skip
    row = {"user_id": "anna", "generated_at": AS_OF, "recipe": "match", "arm": "b", "source": "personal", **head}
    return FEEDS.conform(pl.DataFrame([{**row, "items": items}], schema_overrides=dict(FEEDS.columns)))


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """Two generations an hour apart; in the second, anna's feed is of another recipe and explores two jobs."""
    made = Workspace(data_dir=str(tmp_path))
    publish_small(made.published)
    others = feeds({"борис": JOB_IDS[4:]})
    publish_small_changes(made.published, as_of=LATER, feeds=pl.concat([explored_feeds(), others]).sort("user_id"))
    return made


def events(*rows):
    made = [
        {
            "event_id": str(number),
            "user_id": "anna",
            "job_id": JOB_IDS[0],
            "surface": "feed",
            "event_type": "impression",
            "occurred_at": LATER + dt.timedelta(minutes=5),
            **row,
        }
        for number, row in enumerate(rows)
    ]
    return EVENTS.conform(pl.DataFrame(made, infer_schema_length=None))


def log(workspace, *rows):
    """The lake's events become these."""
    shutil.rmtree(workspace.lake.folder("bronze", "events"), ignore_errors=True)
    for (day,), part in events(*rows).group_by(pl.col("occurred_at").dt.date()):
        workspace.lake.append("bronze", EVENTS, part, partition=f"date={day}")


def impressions(workspace, *rows):
    log(workspace, *rows)
    return new_impressions(workspace, until=UNTIL)


def exposures(workspace, *rows, experiment=None):
    found, _ = impressions(workspace, *rows)
    return exposures_of(workspace.published, found, experiment=experiment, memory_limit="1GB")


def trial(*recipes):
    """An experiment with an arm a, b … for each recipe."""
    arms = [{"name": "abc"[n], "share": 1 / len(recipes), "recipe": recipe} for n, recipe in enumerate(recipes)]
    return Experiment(name="trial", salt="s", arms=arms)


def names(workspace):
    return sorted(path.name for path in workspace.published.iterdir() if path.is_dir())


def test_an_impression_has_the_recipe_of_the_generation_in_force(workspace):
    table = exposures(
        workspace,
        {"occurred_at": AS_OF + dt.timedelta(minutes=1), "position": 5},
        {"occurred_at": AS_OF + dt.timedelta(minutes=2), "position": 1},
        {},
        {"user_id": "борис", "job_id": JOB_IDS[5], "surface": "digest"},
    )
    EXPOSURES.validate(table)
    first, second = names(workspace)
    assert table.select("user_id", "surface", "generation", "position", "recipe", "arm", "rank").rows() == [
        ("anna", "feed", first, 1, "marketplace", "default", 1),
        ("anna", "feed", second, None, "match", "b", 1),
        ("борис", "digest", second, None, "marketplace", "default", 2),
    ]
    assert table["shown_at"][0] == AS_OF + dt.timedelta(minutes=1)


def test_a_stated_generation_counts_more_than_the_time(workspace):
    first, _ = names(workspace)
    assert exposures(workspace, {"generation": first})["recipe"].to_list() == ["marketplace"]


def test_what_no_kept_feed_showed_is_left_out(workspace):
    table = exposures(
        workspace,
        {"generation": "20200101T000000Z-00000000"},
        {"occurred_at": AS_OF - dt.timedelta(minutes=1)},
        {"user_id": "stranger"},
        {"surface": "search"},
        {"is_bot": True},
        {"event_type": "click"},
        {"job_id": None},
        {"occurred_at": UNTIL + dt.timedelta(minutes=1)},
    )
    assert table.is_empty()


def test_a_job_that_is_not_in_the_feed_keeps_the_recipe_only(workspace):
    row = exposures(workspace, {"job_id": JOB_IDS[7]}).row(0, named=True)
    assert (row["recipe"], row["arm"], row["rank"], row["score"]) == ("match", "b", None, None)


def test_an_explored_job_carries_all_drawn_jobs_of_its_feed(workspace):
    explored, exploited = exposures(workspace, {"job_id": JOB_IDS[2]}, {"job_id": JOB_IDS[0]}).sort(
        "rank", descending=True
    ).rows(named=True)  # fmt: skip
    assert [(job["job_id"], job["propensity"]) for job in explored["drawn"]] == [
        (JOB_IDS[2], pytest.approx(0.2)),
        (JOB_IDS[3], pytest.approx(0.2)),
    ]
    assert explored["drawn"][0]["components"]["skills"] == pytest.approx(0.5)
    assert exploited["drawn"] is None


def test_drawn_jobs_further_down_are_kept_with_those_of_the_same_twenty_ranks(workspace):
    drawn = {5: "hh:5", 20: "hh:20", 21: "hh:21", 40: "hh:40"}
    names = [f"hh:{rank}" for rank in range(1, 41)]
    items = [{**item(rank, name, score=0.5), "explored": rank in drawn} for rank, name in enumerate(names, 1)]
    longer = explored_feeds().with_columns(items=pl.Series([items], dtype=FEEDS.columns["items"]))
    shown = pl.concat([longer, feeds({"борис": JOB_IDS[4:]})]).sort("user_id")
    listed = jobs([{"job_id": name} for name in names])
    publish_small_changes(workspace.published, as_of=LATER + HOUR, feeds=shown, jobs=listed)
    table = exposures(workspace, *({"job_id": name, "occurred_at": LATER + 2 * HOUR} for name in drawn.values()))
    assert [[job["job_id"] for job in of_row] for of_row in table.sort("rank")["drawn"]] == [
        *[["hh:5", "hh:20"]] * 2, *[["hh:21", "hh:40"]] * 2,
    ]  # fmt: skip


def test_an_impression_is_kept_once(workspace):
    rows = ({}, {"job_id": JOB_IDS[1]})
    table = exposures(workspace, *rows)
    workspace.lake.append("insight", EXPOSURES, table, partition="date=2026-03-01")
    assert exposures(workspace, *rows).is_empty()
    assert exposures(workspace, *rows, {"job_id": JOB_IDS[2]})["job_id"].to_list() == [JOB_IDS[2]]


def test_without_a_generation_there_is_nothing_to_attribute(tmp_path):
    assert exposures(Workspace(data_dir=str(tmp_path)), {}).is_empty()


def test_the_experiment_is_named_where_it_assigns_the_arm_and_its_recipe():
    experiment = trial("marketplace", "match")
    users = pl.Series([f"u{n}" for n in range(50)])
    assigned = assign_arms(users, salt="s", arms=[Arm("a", 0.5, "marketplace"), Arm("b", 0.5, "match")])
    found = EXPOSURES.conform(pl.DataFrame({"user_id": users, "arm": ["b"] * 50, "recipe": ["match"] * 50}))
    named = with_experiment(found, experiment, recipes={"marketplace", "match", "hybrid"})
    assert named["experiment"].to_list() == ["trial" if arm == 1 else None for arm in assigned]
    assert {None, "trial"} == set(named["experiment"])
    others = found.with_columns(recipe=pl.lit("hybrid"))
    assert with_experiment(others, experiment, recipes={"marketplace", "match", "hybrid"}).equals(others)


def test_no_arm_is_counted_as_long_as_another_has_no_recipe_of_its_own(workspace):
    """Without a fit of `learned`, that arm is ranked by the default recipe, which it is not to be compared by."""
    users = pl.Series([f"u{n}" for n in range(20)])
    user = users.filter(assign_arms(users, salt="s", arms=trial("match", "learned").written_arms) == 0)[0]
    shown = feeds({user: JOB_IDS, "борис": JOB_IDS}).with_columns(arm=pl.lit("a"))
    publish_small_changes(workspace.published, as_of=LATER + HOUR, feeds=shown.sort("user_id"))
    row = {"user_id": user, "occurred_at": LATER + 2 * HOUR}
    assert exposures(workspace, row, experiment=trial("marketplace", "learned"))["experiment"].to_list() == [None]
    assert exposures(workspace, row, experiment=trial("marketplace", "marketplace"))["experiment"].to_list() == [
        "trial"
    ]


def test_an_event_before_the_job_was_shown_is_no_reaction(workspace):
    rows = ({}, {"event_type": "click", "occurred_at": LATER + dt.timedelta(minutes=4)})
    table = reactions(workspace, Period.before(UNTIL), exposures(workspace, *rows).lazy())
    assert table["is_clicked"].to_list() == [False]


def test_an_experiment_keeps_jobs_that_were_shown_before_it_began(workspace):
    began = LATER + dt.timedelta(days=40)
    rows = ({}, {"event_type": "click"}, {"occurred_at": began}, {"event_type": "apply", "occurred_at": began + HOUR})
    first = exposures(workspace, rows[0])
    shown = pl.concat([first, first.with_columns(shown_at=began)])
    log(workspace, *rows)
    named = shown.with_columns(experiment=pl.when(pl.col("shown_at") == began).then(pl.lit("trial")))
    table = experiment_reactions(workspace, named.lazy(), name="trial", as_of=began + dt.timedelta(days=60))
    assert table.select("job_id", "is_clicked", "is_applied").rows() == [(JOB_IDS[0], False, True)]


def test_a_generation_that_was_removed_meanwhile_is_passed_over(workspace):
    found, _ = impressions(workspace, {})
    gone = found.with_columns(generation=pl.lit("20260101T000000Z-00000000"))
    assert exposures_of(workspace.published, gone, experiment=None, memory_limit="1GB").is_empty()


def test_an_impression_before_a_generation_was_there_counts_for_the_one_before(workspace):
    began = LATER + dt.timedelta(minutes=10)
    run = publishing_run(workspace.published, as_of=LATER + dt.timedelta(minutes=6), created_at=began)
    publish_full(run, sources(feeds=feeds({"anna": JOB_IDS, "борис": JOB_IDS})))
    _, second, third = names(workspace)
    table = exposures(
        workspace,
        {"occurred_at": began - dt.timedelta(seconds=1)},
        {"occurred_at": began, "job_id": JOB_IDS[1]},
    )
    assert table.select("job_id", "generation").rows() == [(JOB_IDS[0], second), (JOB_IDS[1], third)]


def test_impressions_of_removed_generations_are_counted_and_given_to_no_other(workspace):
    third = publish_small_changes(
        workspace.published, as_of=LATER + HOUR, feeds=feeds({"anna": JOB_IDS[2:], "борис": JOB_IDS[4:]})
    ).manifest.generation
    _, second, _ = names(workspace)
    rows = (
        {"generation": second},
        {"job_id": JOB_IDS[1]},  # without a name, when the second one was served
        {"job_id": JOB_IDS[2], "occurred_at": LATER + 2 * HOUR},
    )
    early = exposures(workspace, *rows[:2])
    shutil.rmtree(workspace.published / second)
    found, n_too_late = impressions(workspace, *rows)
    assert (found["generation"].to_list(), n_too_late) == ([third], 2)

    workspace.lake.append("insight", EXPOSURES, early, partition="date=2026-03-01")
    assert impressions(workspace, *rows)[1] == 0, "they were read in time"


def materialize_exposures(workspace, ranking=""):
    """The generations of the exposures that a run with this ranking.yaml leaves."""
    config = workspace.models / "config"
    config.mkdir(parents=True, exist_ok=True)
    recipes = "recipes: {marketplace: {weights: {tags: 1}}, match: {weights: {tags: 1}}}"
    (config / "ranking.yaml").write_text(f"{recipes}\n{ranking}")
    workspace = Workspace(data_dir=workspace.data_dir, config_dir=str(config))
    run = {"workspace": workspace, "clock": RunClock(), "lake_io": LakeIOManager(workspace.lake)}
    assets = [exposures_table, dg.AssetSpec(["bronze", "erasures"]).with_io_manager_key("lake_io")]
    assert dg.materialize(assets, resources=run, tags={AS_OF_TAG: AS_OF.isoformat()}).success
    return workspace.lake.scan("insight", EXPOSURES).collect()["generation"].sort().to_list()


def keep_exposures(workspace, *ages, **columns):
    """Exposures of so many days ago, whose generation says how many."""
    for days in ages:
        day = (AS_OF - dt.timedelta(days=days)).date()
        rows = {name: [value] for name, value in {"user_id": "anna", "generation": str(days), **columns}.items()}
        workspace.lake.append("insight", EXPOSURES, EXPOSURES.conform(pl.DataFrame(rows)), partition=f"date={day}")


def test_days_of_exposures_end_with_their_retention(workspace):
    keep_exposures(workspace, 0, 179, 180, 181)
    assert materialize_exposures(workspace) == ["0", "179", "180"]


def test_the_running_experiment_keeps_its_exposures_as_long_as_events_are_kept(workspace):
    keep_exposures(workspace, 180, 181, 300, 401)
    keep_exposures(workspace, 180, 300, 400, 401, user_id="zoe", experiment="trial")
    keep_exposures(workspace, 181, user_id="zoe", experiment="another")
    running = "experiment: {name: trial, salt: s, arms: [{name: a, share: 1, recipe: match}]}"
    assert materialize_exposures(workspace, running) == ["180", "180", "300", "400"]
    files = workspace.lake.files("insight", "exposures")
    assert materialize_exposures(workspace, running) == ["180", "180", "300", "400"]
    assert workspace.lake.files("insight", "exposures") == files, "a day is cleaned once"
    assert materialize_exposures(workspace) == ["180", "180"]


def test_only_the_days_of_the_period_are_read(workspace):
    rows = ({}, {"event_type": "click"})
    shown = exposures(workspace, *rows)
    workspace.lake.append("insight", EXPOSURES, shown, partition=f"date={LATER.date()}")
    for stage, table in (("bronze", EVENTS), ("insight", EXPOSURES)):
        old = workspace.lake.folder(stage, table.name) / "date=2025-01-01" / "part-old.parquet"
        old.parent.mkdir()
        old.write_bytes(b"not a Parquet file")
    assert reactions(workspace, Period.before(UNTIL))["is_clicked"].to_list() == [True]


def test_reactions_are_what_the_user_did_where_the_job_was_shown(workspace):
    rows = (
        {},
        {"event_type": "click"},
        {"event_type": "apply", "surface": "search"},
        {"job_id": JOB_IDS[1]},
        {"job_id": JOB_IDS[1], "event_type": "save"},
        {"job_id": JOB_IDS[2]},
        {"job_id": JOB_IDS[2], "event_type": "click", "is_bot": True},
        {"occurred_at": AS_OF + dt.timedelta(minutes=1)},
    )
    table = reactions(workspace, Period.before(UNTIL), exposures(workspace, *rows).lazy())
    columns = ("job_id", "recipe", "match_percent", "is_clicked", "is_applied", "is_positive")
    assert table.select(columns).rows() == [
        (JOB_IDS[0], "marketplace", 85, True, False, True),
        (JOB_IDS[1], "match", 50, False, False, True),
        (JOB_IDS[2], "match", 50, False, False, False),
    ]
    quality = match_quality(table).filter(recipe="all", surface="all")
    assert quality.filter(pl.col("n") > 0).select("match_percent", "n", "n_positive").rows() == [(50, 2, 1), (80, 1, 1)]
