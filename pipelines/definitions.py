"""The Dagster definitions: assets, checks, jobs, schedules, sensors, resources. Each stage exports its own assets."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from upath import UPath

from assets.catalog import applications, follow_ups
from assets.catalog import assets as catalog
from assets.config.files import config_file
from assets.config.pipeline import Pipeline
from assets.config.yaml_files import load_file
from assets.digests import assets as digests
from assets.features import assets as features
from assets.ingest import assets as ingest
from assets.insight import applications as application_insight
from assets.insight import assets as insight
from assets.io import LakeIOManager, ModelIOManager
from assets.learning import assets as learning
from assets.llm import assets as llm
from assets.publishing import assets as publishing
from assets.ranking import assets as ranking
from assets.resources import RunClock, Workspace, fixed
from assets.training import assets as training
from pipelines.alerts import alert_sensors
from pipelines.environment import workspace_from_environment
from pipelines.executor import in_turn
from pipelines.freshness import with_freshness
from pipelines.jobs import BACKFILLS, JOBS
from pipelines.mending import rebuild
from pipelines.schedules import schedules
from pipelines.step_threads import step_threads

STAGES = (
    ingest, catalog, applications, follow_ups, features, training, learning, ranking, digests, insight,
    application_insight, llm, publishing,
)  # fmt: skip


def build_defs(
    workspace: Workspace | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    jobs: Sequence[Any] = JOBS,
    is_logged: bool = True,
) -> dg.Definitions:
    """The definitions over `workspace`; `overrides` replaces resources by name (tests). Schedules only with JOBS.

    `is_logged`: the steps of runs become lines of logs.
    """
    workspace = workspace or workspace_from_environment()
    settings = load_file(config_file(workspace.config_folder, "pipeline.yaml"), Pipeline)
    resources: dict[str, Any] = {
        "workspace": fixed(workspace),
        "clock": RunClock(),
        "lake_io": LakeIOManager(workspace.lake),
        "model_io": ModelIOManager(UPath(workspace.models), training.MODEL_LOADERS),
    }
    return dg.Definitions(
        assets=[*with_freshness([asset for stage in STAGES for asset in stage.ASSETS]), *ingest.EXTERNAL_ASSETS],
        asset_checks=[check for stage in STAGES for check in getattr(stage, "ASSET_CHECKS", [])],
        jobs=[*JOBS, *BACKFILLS] if jobs is JOBS else jobs,
        schedules=schedules(settings.schedules) if jobs is JOBS else [],
        sensors=[*alert_sensors(settings), rebuild] if jobs is JOBS else [],
        resources=resources | dict(overrides or {}),
        executor=in_turn(step_threads, workspace.lake, is_logged=is_logged),
        loggers=loggers,
    )


defs = build_defs()
