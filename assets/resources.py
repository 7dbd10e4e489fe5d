"""Dagster resources: the workspace (folders and configuration) and the run's clock."""

import datetime as dt
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import dagster as dg
from pydantic import Field, field_validator

from assets.config.files import SHIPPED_VOCABULARY
from assets.config.loading import Config, load_config
from assets.damage import rebuild_due
from assets.increments import Upkeep
from assets.instants import future_problem, parse_as_of
from assets.lake import Lake

AS_OF_TAG = "jobfeed/as_of"
SCOPE_TAG = "jobfeed/scope"
DIGESTS_JOB = "digests"
BACKFILL_JOB = "daily_backfill"
# Any value: the generation is announced though it is of the future, empty, or older than the served one.
ANNOUNCE_TAG = "jobfeed/announce"
Scope = Literal["all", "touched", "acted"]
SCOPES: Sequence[Scope] = ("all", "touched", "acted")
_SCHEDULED_TIME_TAG = "dagster/scheduled_execution_time"
_ROOT_RUN_TAG = "dagster/root_run_id"


def parse_scope(text: str | None) -> Scope:
    """The value of the run tag `jobfeed/scope`; no tag means all. Raises ValueError that names the allowed values."""
    for scope in SCOPES:
        if text is None or text == scope:
            return scope
    raise ValueError(f"{SCOPE_TAG} is {text!r}; it must be one of {', '.join(SCOPES)}")


def is_partial(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> bool:
    """Whether the run computes only what changed since the last one."""
    return parse_scope(context.run.tags.get(SCOPE_TAG)) != "all"


def upkeep_of(context: dg.AssetExecutionContext, lake: Lake, *, as_of: dt.datetime) -> Upkeep:
    """How the run brings the table of its asset up to date. After damage a daily run keeps nothing."""
    code = context.assets_def.get_asset_spec(context.asset_key).code_version or ""
    if is_partial(context):
        return Upkeep("partial", code, as_of)
    return Upkeep("daily" if rebuild_due(lake) is None else "whole", code, as_of)


def draws_charts(context: dg.AssetExecutionContext) -> bool:
    """Whether assets add charts to their metadata: a run every quarter of an hour would draw for seconds."""
    return parse_scope(context.run.tags.get(SCOPE_TAG)) != "acted"


def whole_job(context: dg.AssetExecutionContext) -> str:
    """The name of the job whose assets the run materialises, all of them; empty for a run of some assets or a retry.

    The job `digests` does what `hourly` does and makes digests. A run of some of its steps counts as one of hourly that
    broke off, so that the next hourly run does the rest. Dagster's UI starts backfills by naming all assets of the job.
    """
    run = context.run
    if run.job_name == DIGESTS_JOB:
        return "hourly"
    if run.job_name == BACKFILL_JOB:
        return "daily"
    return "" if run.asset_selection or run.parent_run_id else run.job_name


class Workspace(dg.ConfigurableResource[object]):
    """The folders that a run works in, and its configuration.

    `config_dir` empty: the shipped configuration. `landing_dir` empty: `landing` in the data folder.
    """

    data_dir: str
    config_dir: str = ""
    landing_dir: str = ""

    @cached_property
    def config(self) -> Config:
        return load_config(self.config_folder, lake=self.lake)

    @property
    def config_folder(self) -> Path | None:
        return Path(self.config_dir) if self.config_dir else None

    @property
    def vocabulary(self) -> Path:
        return SHIPPED_VOCABULARY

    @property
    def landing(self) -> Path:
        return Path(self.landing_dir) if self.landing_dir else Path(self.data_dir) / "landing"

    @property
    def lake(self) -> Lake:
        return Lake(Path(self.data_dir) / "lake")

    @property
    def models(self) -> Path:
        return Path(self.data_dir) / "models"

    @property
    def published(self) -> Path:
        return Path(self.data_dir) / "published"


def fixed(workspace: Workspace) -> dg.ResourceDefinition:
    """The workspace as a resource that no run's configuration can change.

    IO managers, locks and the records of what was read belong to the same folders: a run that moved one of them in the
    Launchpad would read from one place and write to another. Each run gets its own copy and reads the configuration
    anew.
    """

    def copy(_context: dg.InitResourceContext) -> Workspace:
        return Workspace(**{name: getattr(workspace, name) for name in Workspace.model_fields})

    return dg.ResourceDefinition(
        copy,
        config_schema={},
        description="The folders that JOBFEED_DATA, JOBFEED_CONFIG and JOBFEED_LANDING name where Dagster runs. Not to "
        "be changed here: for other folders, start another code location with other variables.",
    )


class RunClock(dg.ConfigurableResource[object]):
    """The instant that a run computes for: the same for all its steps."""

    instant: str = Field(
        default="",
        description="as_of, the instant that the run computes for: RFC 3339 or a date, such as 2026-03-01T02:00:00Z. "
        "Empty: the tag jobfeed/as_of, else the scheduled time, else when the run was created.",
    )

    @field_validator("instant")
    @classmethod
    def _is_instant(cls, stated: str) -> str:
        if stated:
            parse_as_of(stated)
        return stated

    def as_of(self, context: dg.AssetExecutionContext) -> dt.datetime:
        """`instant`, else the run's `jobfeed/as_of` tag, else its scheduled time, else when it was created; UTC.

        A run that executes another one again computes for the same instant. Raises Failure if the instant lies in the
        future and the run has no tag `jobfeed/announce`.
        """
        tags = context.run.tags
        stated = self.instant or tags.get(AS_OF_TAG) or tags.get(_SCHEDULED_TIME_TAG)
        if stated:
            instant = parse_as_of(stated)
            problem = future_problem(instant, now=self.now())
            if problem is not None and ANNOUNCE_TAG not in tags:
                raise dg.Failure(
                    f"{problem}; a run with the tag {ANNOUNCE_TAG} does it all the same", allow_retries=False
                )
            return instant
        first = context.run.root_run_id or tags.get(_ROOT_RUN_TAG) or context.run_id
        record = context.instance.get_run_record_by_id(first)
        created = record.create_timestamp if record is not None else dt.datetime.now(dt.UTC)
        return created.astimezone(dt.UTC).replace(microsecond=0)

    def now(self) -> dt.datetime:
        """The wall clock, for creation times only, never for computed values."""
        return dt.datetime.now(dt.UTC)
