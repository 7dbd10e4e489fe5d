import datetime as dt
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest

from assets.digests.assets import SEND_TAG
from assets.instants import parse_as_of
from assets.io import TABLES
from assets.learning.assets import REFIT_TAG
from assets.publishing.past_days import DAYS, instant_of
from assets.resources import AS_OF_TAG, SCOPE_TAG, Workspace, fixed
from assets.training.tuning import TUNE_TAG
from pipelines.definitions import build_defs
from pipelines.jobs import DIGEST_STEPS
from pipelines.mending import rebuild
from pipelines.schedules import DIGEST_STEP_TAG, SCHEDULES_VARIABLE, SchedulesError

ASSETS_BY_GROUP = {
    "ingest": {
        "bronze/application_log",
        "bronze/bounces",
        "bronze/company_facts",
        "bronze/company_news",
        "bronze/erasures",
        "bronze/events",
        "bronze/feed_postings",
        "bronze/file_postings",
        "bronze/hh_postings",
        "bronze/ingest_runs",
        "bronze/quarantine",
        "bronze/resumes",
        "bronze/sightings",
        "bronze/unsubscribes",
        "bronze/user_records",
    },
    "catalog": {
        "catalog/application_events",
        "catalog/applications",
        "catalog/follow_ups",
        "catalog/interviews",
        "catalog/offers",
        "catalog/daily_interactions",
        "catalog/interactions",
        "catalog/job_versions",
        "catalog/jobs",
        "catalog/users",
    },
    "features": {
        "features/companies",
        "features/job_features",
        "features/nearby",
        "features/preferences",
        "features/skill_weights",
        "features/trending",
        "features/user_profiles",
    },
    "training": {
        "training/als",
        "training/also_applied",
        "training/collaborative",
        "training/job_vectors",
        "training/similar_jobs",
        "training/text_embeddings",
        "training/tuning",
        "training/user_neighbours",
        "training/user_vectors",
    },
    "learning": {"learning/learned_recipe"},
    "ranking": {"ranking/fallback_feeds", "ranking/feeds", "ranking/matches"},
    "digests": {"digests/digest_outbox", "digests/digests"},
    "insight": {
        "insight/application_funnel",
        "insight/application_quality",
        "insight/company_profiles",
        "insight/experiments",
        "insight/follow_up_stats",
        "insight/exposures",
        "insight/llm_usage",
        "insight/market_trends",
        "insight/match_quality",
        "insight/metrics",
        "insight/outcomes",
        "insight/policy_values",
        "insight/skill_demand",
        "insight/learning_plans",
        "insight/skill_gaps",
        "insight/success_patterns",
    },
    "publishing": {"publishing/generation", "publishing/past_days"},
}

PAST_DAYS = "publishing/past_days"

LANDING = {
    "landing/applications",
    "landing/bounces",
    "landing/companies",
    "landing/company_news",
    "landing/erasures",
    "landing/feeds",
    "landing/hh",
    "landing/interactions",
    "landing/jobs",
    "landing/resumes",
    "landing/unsubscribes",
    "landing/users",
}


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_defs(Workspace(data_dir=str(tmp_path_factory.mktemp("data"))))


def specs(defs: dg.Definitions) -> list[dg.AssetSpec]:
    return list(defs.resolve_all_asset_specs())


def test_the_definitions_load(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_assets_lie_in_groups_that_follow_the_way_of_the_data(defs: dg.Definitions) -> None:
    found: dict[str, set[str]] = {}
    for spec in specs(defs):
        found.setdefault(spec.group_name or "", set()).add(spec.key.to_user_string())
    assert found == {**ASSETS_BY_GROUP, "landing": LANDING}


def test_every_asset_has_a_description_an_owner_and_kinds(defs: dg.Definitions) -> None:
    for spec in specs(defs):
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key


def test_every_table_declares_its_columns(defs: dg.Definitions) -> None:
    declared = {spec.key.path[-1]: spec.metadata["dagster/column_schema"] for spec in specs(defs) if is_table(spec)}
    assert {column.name for column in declared["users"].columns} == set(TABLES["users"].columns)
    assert declared.keys() <= TABLES.keys()


def is_table(spec: dg.AssetSpec) -> bool:
    return "parquet" in spec.kinds and spec.group_name != "publishing"


def test_every_landing_folder_is_at_the_head_of_the_lineage(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for name in LANDING:
        node = graph.get(dg.AssetKey(name.split("/")))
        assert node.is_external and not node.parent_keys
        (child,) = node.child_keys
        assert child.path[0] == "bronze", name


def test_every_asset_is_described_before_it_is_made(defs: dg.Definitions) -> None:
    for spec in specs(defs):
        assert spec.tags["jobfeed/personal"] in ("yes", "no"), spec.key
        assert spec.description and spec.kinds and spec.owners and spec.group_name, spec.key
        if spec.key.path[-1] in TABLES and "parquet" in spec.kinds:
            columns = spec.metadata["dagster/column_schema"].columns
            assert columns and all(column.description for column in columns), spec.key


def test_a_run_can_not_move_the_data_folder(defs: dg.Definitions) -> None:
    elsewhere = {"resources": {"workspace": {"config": {"data_dir": "/elsewhere"}}}}
    with pytest.raises(dg.DagsterInvalidConfigError, match="data_dir"):
        dg.validate_run_config(defs.resolve_job_def("daily"), elsewhere)
    assert dg.validate_run_config(defs.resolve_job_def("daily"), {"resources": {"clock": {"config": {"instant": ""}}}})


def test_a_run_works_in_every_folder_that_is_named(tmp_path: Path) -> None:
    named = Workspace(data_dir=str(tmp_path), config_dir=str(tmp_path / "config"), landing_dir=str(tmp_path / "inbox"))
    with dg.build_resources({"workspace": fixed(named)}) as resources:
        assert (resources.workspace.landing, resources.workspace.config_folder) == (named.landing, named.config_folder)


def test_daily_materialises_every_asset(defs: dg.Definitions) -> None:
    selected = defs.resolve_job_def("daily").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in selected} == set().union(*ASSETS_BY_GROUP.values()) - {PAST_DAYS}


def test_a_backfill_does_what_daily_does_for_the_instant_of_each_day(defs: dg.Definitions) -> None:
    job, daily = defs.resolve_job_def("daily_backfill"), defs.resolve_job_def("daily")
    added = {*job.asset_layer.executable_asset_keys} - {*daily.asset_layer.executable_asset_keys}
    assert {key.to_user_string() for key in added} == {PAST_DAYS}
    assert job.tags[SCOPE_TAG] == daily.tags[SCOPE_TAG]
    assert job.partitioned_config is not None
    tags = job.partitioned_config.get_tags_for_partition_key("2026-02-28")
    assert tags[AS_OF_TAG] == "2026-02-28T02:00:00+00:00"
    assert daily_hour(defs) == 2


def daily_hour(defs: dg.Definitions) -> int:
    schedule = defs.resolve_schedule_def("daily_schedule")
    assert isinstance(schedule, dg.ScheduleDefinition)
    return int(str(schedule.cron_schedule).split()[1])


@pytest.mark.parametrize(("hour", "last"), [(1, "2026-02-28"), (2, "2026-03-01"), (23, "2026-03-01")])
def test_a_day_can_be_computed_once_its_instant_has_come(hour: int, last: str) -> None:
    now = dt.datetime(2026, 3, 1, hour, 30, tzinfo=dt.UTC)
    assert DAYS.get_partition_keys(current_time=now)[-1] == last
    assert instant_of(last) <= now


@pytest.mark.parametrize(("job", "scope"), [("daily", "all"), ("hourly", "touched"), ("frequent", "acted")])
def test_a_job_says_what_is_ranked_again(defs: dg.Definitions, job: str, scope: str) -> None:
    assert defs.resolve_job_def(job).tags[SCOPE_TAG] == scope


def test_schedules_run_at_their_times(defs: dg.Definitions) -> None:
    crons = {schedule.name: schedule.cron_schedule for schedule in defs.schedules or []}
    assert crons == {
        "daily_schedule": "0 2 * * *",
        "hourly_schedule": "10 * * * *",
        "frequent_schedule": "5-59/15 * * * *",
        "weekly_schedule": "0 4 * * 0",
        "digests_ingest_schedule": "0 6 * * *",
        "digests_score_schedule": "30 6 * * *",
        "digests_build_schedule": "0 7 * * *",
        "digests_send_schedule": "30 * * * *",
    }


def test_weekly_chooses_the_collaborative_model_anew_and_fits_it(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("weekly")
    selected = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    assert {"training/tuning", "training/collaborative", "training/als", "learning/learned_recipe"} <= selected
    assert job.tags[TUNE_TAG] == job.tags[REFIT_TAG] == "always"


def test_a_tick_asks_for_a_run_of_its_instant(defs: dg.Definitions) -> None:
    with dg.DagsterInstance.local_temp() as instance:
        data = evaluate(defs, instance)
    assert data.run_requests is not None
    assert data.run_requests[0].tags[AS_OF_TAG] == "2026-03-01T02:00:00+00:00"


@pytest.mark.parametrize(
    ("job", "active", "is_skipped"),
    [
        ("daily", "daily", True),
        ("hourly", "daily", True),
        ("frequent", "daily", True),
        ("frequent", "hourly", True),
        ("daily", "hourly", False),
        ("daily", "weekly", False),
        ("hourly", "daily_backfill", True),
        ("frequent", "daily_backfill", True),
        ("digests_build", "daily_backfill", True),
        ("daily", "daily_backfill", False),
    ],
)
def test_a_tick_is_skipped_while_a_run_that_does_the_same_is_active(
    defs: dg.Definitions, job: str, active: str, is_skipped: bool
) -> None:
    with dg.DagsterInstance.local_temp() as instance:
        instance.add_run(dg.DagsterRun(job_name=active, run_id="1", status=dg.DagsterRunStatus.STARTED))
        data = evaluate(defs, instance, job)
    assert bool(data.run_requests) is not is_skipped
    assert bool(re.search(f"of {active} (is still|are) active", data.skip_message or "")) is is_skipped


@pytest.fixture
def _any_run_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.dead_runs._BETWEEN_LOOKS_SECONDS", 0)
    monkeypatch.setattr("pipelines.dead_runs._AFTER", -dt.timedelta(days=10_000))


@pytest.mark.usefixtures("_any_run_is_old")
@pytest.mark.parametrize("job", ["frequent", "digests_score"])
def test_a_run_that_was_killed_stops_no_schedule(defs: dg.Definitions, job: str) -> None:
    name, tags = job.partition("_")[0], {DIGEST_STEP_TAG: "score"}
    with dg.DagsterInstance.local_temp() as instance:
        instance.add_run(dg.DagsterRun(name, run_id="1", status=dg.DagsterRunStatus.STARTED, tags=tags))
        assert evaluate(defs, instance, job).run_requests
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


@pytest.mark.usefixtures("_any_run_is_old")
def test_a_sensor_ends_killed_runs_behind_which_others_queue(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp() as instance:
        instance.add_run(dg.DagsterRun("daily", run_id="1", status=dg.DagsterRunStatus.STARTED))
        rebuild(dg.build_sensor_context(instance), workspace=Workspace(data_dir=str(tmp_path)))
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


def test_digests_are_made_in_steps_and_sent_where_there_is_a_mail_server(
    defs: dg.Definitions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBFEED_CONFIG", str(tmp_path))
    with dg.DagsterInstance.local_temp() as instance:
        assert "names no mail server" in (evaluate(defs, instance, "digests_send").skip_message or "")
        (tmp_path / "pipeline.yaml").write_text("digest: {delivery: {host: mail.example.org}}")
        steps = {step: evaluate(defs, instance, f"digests_{step}").run_requests[0] for step in DIGEST_STEPS}
        busy = {DIGEST_STEP_TAG: "send"}
        instance.add_run(dg.DagsterRun("digests", run_id="1", status=dg.DagsterRunStatus.STARTED, tags=busy))
        assert "is still active" in (evaluate(defs, instance, "digests_send").skip_message or "")
        assert evaluate(defs, instance, "digests_build").run_requests
    selected = {step: {key.to_user_string() for key in request.asset_selection} for step, request in steps.items()}
    assert selected["send"] == {"digests/digest_outbox"}
    assert selected["build"] == {"digests/digests", "publishing/generation"}
    assert {"bronze/unsubscribes", "bronze/feed_postings", "bronze/quarantine"} <= selected["ingest"]
    assert {"catalog/jobs", "ranking/feeds"} <= selected["score"]
    job = defs.resolve_job_def("digests")
    assert {key.to_user_string() for key in job.asset_layer.executable_asset_keys} == set().union(*selected.values())
    assert (job.tags[SCOPE_TAG], job.tags[SEND_TAG]) == ("touched", "due")


def evaluate(defs: dg.Definitions, instance: dg.DagsterInstance, job: str = "daily", *, late: int = 0):  # type: ignore[no-untyped-def]
    """What the schedule of `job` says to a tick, `late` minutes after its instant."""
    schedule = defs.resolve_schedule_def(f"{job}_schedule")
    instant = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
    repository = defs.get_repository_def()
    context = dg.build_schedule_context(instance, scheduled_execution_time=instant, repository_def=repository)
    with mock.patch("pipelines.schedules._now", return_value=instant + dt.timedelta(minutes=late)):
        return schedule.evaluate_tick(context)


@pytest.mark.parametrize(
    ("job", "late", "is_skipped"),
    [
        ("frequent", 14, False),
        ("frequent", 16, True),
        ("hourly", 59, False),
        ("hourly", 61, True),
        ("daily", 600, False),
    ],
)
def test_a_tick_that_comes_when_the_next_is_due_is_skipped(
    defs: dg.Definitions, job: str, late: int, is_skipped: bool
) -> None:
    with dg.DagsterInstance.local_temp() as instance:
        data = evaluate(defs, instance, job, late=late)
    assert bool(data.run_requests) is not is_skipped
    assert (" late" in (data.skip_message or "")) is is_skipped


@pytest.mark.parametrize(
    ("configured", "stated", "on"),
    [
        ("[daily]", None, {"daily"}),
        ("[daily, digests]", None, {"daily", "digests"}),
        ("[daily]", "hourly, frequent", {"hourly", "frequent"}),
        ("[daily]", "", set()),
        ("[]", None, set()),
    ],
)
def test_schedules_are_on_where_configuration_or_environment_name_their_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str, stated: str | None, on: set[str]
) -> None:
    (tmp_path / "pipeline.yaml").write_text(f"schedules: {configured}", encoding="utf-8")
    monkeypatch.delenv(SCHEDULES_VARIABLE, raising=False)
    if stated is not None:
        monkeypatch.setenv(SCHEDULES_VARIABLE, stated)
    defs = build_defs(Workspace(data_dir=str(tmp_path), config_dir=str(tmp_path)))
    running = [one for one in defs.schedules or [] if one.default_status == dg.DefaultScheduleStatus.RUNNING]
    assert {one.job_name for one in running} == on


def test_a_job_without_schedule_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SCHEDULES_VARIABLE, "daily nightly")
    with pytest.raises(SchedulesError, match="nightly; jobs with schedules are daily, hourly"):
        build_defs(Workspace(data_dir=str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "hour"), [("2026-03-01", 0), ("2026-03-01T05:00:00+03:00", 2), ("2026-03-01T02:00:00Z", 2)]
)
def test_as_of_is_read_as_utc(text: str, hour: int) -> None:
    assert parse_as_of(text) == dt.datetime(2026, 3, 1, hour, tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["yesterday", "0001-01-01T00:00:00+05:00", "9999-12-31T23:00:00-05:00"])
def test_a_wrong_as_of_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_as_of(text)


def test_the_dagster_files_name_the_same_location() -> None:
    root = Path(__file__).resolve().parent.parent
    assert "pipelines.definitions" in (root / "workspace.yaml").read_text()
    tools = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    assert tools["dg"]["project"]["code_location_target_module"] == "pipelines.definitions"
    assert "dagster" not in tools


@pytest.mark.slow
def test_dg_lists_what_is_defined_and_says_nothing_else(defs: dg.Definitions, tmp_path: Path) -> None:
    root = Path(__file__).resolve().parent.parent
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    answer = subprocess.run(
        [Path(sys.executable).parent / "dg", "list", "defs", "--json"],
        cwd=root,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path), "JOBFEED_DATA": str(tmp_path / "data"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    found = json.loads(answer.stdout)
    assert {asset["asset_key"] for asset in found["assets"]} == {spec.key.to_user_string() for spec in specs(defs)}
    assert {job["name"] for job in found["jobs"]} >= {"daily", "hourly", "frequent", "digests", "weekly"}


def test_every_asset_has_a_limit_of_age_a_layer_and_a_version(defs: dg.Definitions) -> None:
    for spec in specs(defs):
        if spec.group_name == "landing" or spec.key.to_user_string() == PAST_DAYS:
            continue
        assert spec.freshness_policy is not None, spec.key
        assert spec.tags["jobfeed/layer"] == spec.key.path[0]
        assert spec.code_version
    personal = {spec.key.path[-1] for spec in defs.resolve_all_asset_specs() if spec.tags["jobfeed/personal"] == "yes"}
    assert "users" in personal
    assert "jobs" not in personal


def test_sensors_are_on_where_there_is_a_webhook(defs: dg.Definitions) -> None:
    sensors = {sensor.name: sensor for sensor in defs.get_repository_def().sensor_defs}
    assert sensors.pop("rebuild").default_status == dg.DefaultSensorStatus.RUNNING
    assert set(sensors) == {"failed_runs", "failed_checks"}
    assert {one.default_status for one in sensors.values()} == {dg.DefaultSensorStatus.STOPPED}
