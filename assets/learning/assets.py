"""The learned recipe as an asset: fitted on a replay, compared with the recipe in use, kept in the registry."""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl
from upath import UPath

from assets.catalog import assets as catalog
from assets.declare import asset
from assets.evaluation.holdout import Replay
from assets.features import assets as features
from assets.ingest import assets as ingest
from assets.io import LakeIOManager, ModelIOManager
from assets.learning.refit import Outcome, refit, remove_leftovers
from assets.learning.store import load_registry
from assets.resources import AS_OF_TAG, RunClock, Workspace
from assets.training import assets as training
from features.schemas.catalog import DAILY_INTERACTIONS
from models.learning.promotion import regression

REFIT_TAG = "jobfeed/refit"  # "always" on runs that fit anew; other runs fit only as long as there is no fit
# The first fit of a larger installation waits for the weekly run: a replay costs about as much as the daily run itself.
_MOST_ROWS_OF_A_FIRST_FIT = 2_000_000
# A replay that gave no first fit is not repeated by every daily run; the weekly run always fits.
_RETRIED_AFTER = dt.timedelta(days=7)
_KEY = dg.AssetKey(["learning", "learned_recipe"])
_REPLAYED = (*catalog.ASSETS, *features.ASSETS, *training.ASSETS)


@asset(
    "learning/learned_recipe",
    deps=("catalog/jobs", "catalog/daily_interactions", "features/user_profiles", "training/collaborative"),
    kinds=("scipy",),
    kept_by=None,
)
def learned_recipe(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[None]:
    """Weights of the recipe `learned`, fitted to what users did after a cut; promoted if they beat the recipe in use.

    Runs with the tag `jobfeed/refit` fit anew, others only as long as there is no fit. Feeds are ranked after this
    asset: if a fit that nobody asked for fails, the run goes on with the recipe in use, and warns.
    """
    as_of = clock.as_of(context)
    remove_leftovers(workspace)
    on_step: Callable[[str], None] = lambda line: context.log.info("learned recipe: %s", line)  # noqa: E731
    if context.run.tags.get(REFIT_TAG) == "always":
        outcome = refit(workspace, as_of=as_of, replay=run_replay, on_step=on_step)
    else:
        outcome = first_fit(workspace, as_of=as_of, replay=run_replay, on_step=on_step)
    context.log.log(logging.WARNING if outcome.is_failed else logging.INFO, "learned recipe: %s", outcome.reason)
    return dg.Output(None, metadata=_metadata(workspace, outcome))


def first_fit(
    workspace: Workspace, *, as_of: dt.datetime, replay: Callable[[Replay], None], on_step: Callable[[str], None]
) -> Outcome:
    """A fit as long as there is none, at most once in seven days. A failure is an outcome, not an error."""
    registry = load_registry(workspace.models)
    if registry.fits:
        return Outcome(None, "kept; the weekly run fits anew")
    if workspace.lake.n_rows("catalog", DAILY_INTERACTIONS) > _MOST_ROWS_OF_A_FIRST_FIT:
        return Outcome(None, "so many interactions are fitted by the weekly run only")
    last = registry.attempted_at
    if last is not None and abs(as_of - dt.datetime.fromisoformat(last)) < _RETRIED_AFTER:
        return Outcome(
            None, f"the attempt as of {last} gave no fit; daily runs try again after {_RETRIED_AFTER.days} days"
        )
    try:
        return refit(workspace, as_of=as_of, replay=replay, on_step=on_step)
    except Exception as error:  # feeds must be ranked and published, whatever fails in a replay of all steps
        return Outcome(None, f"no fit, the recipe in use stays: {type(error).__name__}: {error}", is_failed=True)


def run_replay(replay: Replay) -> None:
    """Makes the features and models of a replay as of its cut. Raises dg.Failure if a step fails."""
    workspace = replay.workspace
    resources: dict[str, Any] = {
        "workspace": workspace,
        "clock": RunClock(),
        "lake_io": LakeIOManager(workspace.lake),
        "model_io": ModelIOManager(UPath(workspace.models), training.MODEL_LOADERS),
    }
    job = dg.define_asset_job("replay", dg.AssetSelection.assets(*(key for one in _REPLAYED for key in one.keys)))
    definitions = dg.Definitions(
        assets=[*ingest.ASSETS, *_REPLAYED],
        jobs=[job],
        resources=resources,
        executor=dg.in_process_executor,
        loggers={"console": _problems_only},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("replay").execute_in_process(
            instance=instance,
            tags={AS_OF_TAG: replay.as_of.isoformat()},
            run_config={"loggers": {"console": {}}},
            raise_on_error=False,
        )
    if not result.success:
        raise dg.Failure(f"the replay as of {replay.as_of.isoformat()} failed", allow_retries=False)


@dg.logger
def _problems_only(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("jobfeed replay", level=logging.ERROR)
    logger.addHandler(logging.StreamHandler())
    return logger


@dg.asset_check(asset=_KEY, name="promoted_recipe_has_not_got_worse", blocking=True)
def promoted_recipe_has_not_got_worse(workspace: Workspace) -> dg.AssetCheckResult:
    """The promoted fit ranked held-out users no worse than the configured recipe when both were last compared."""
    problem = regression(load_registry(workspace.models))
    return dg.AssetCheckResult(passed=problem is None, description=problem or "no worse than the configured recipe")


def _metadata(workspace: Workspace, outcome: Outcome) -> dict[str, Any]:
    registry = load_registry(workspace.models)
    metadata: dict[str, Any] = {"outcome": outcome.reason, "promoted": registry.active or "none"}
    if outcome.is_failed:
        metadata["warning"] = outcome.reason
    if outcome.fit is not None:
        weights = pl.DataFrame({"component": list(outcome.fit.weights), "weight": list(outcome.fit.weights.values())})
        rows = weights.sort("weight", descending=True).iter_rows()
        table = "\n".join(["| component | weight |", "| --- | ---: |", *(f"| {a} | {b:.4f} |" for a, b in rows)])
        metadata |= {"weights": dg.MetadataValue.md(table), "ndcg_at_20": outcome.fit.ndcg.mean}
        metadata |= {"attention_power": outcome.fit.attention.power, "attention_is": outcome.fit.attention.origin}
    return metadata


ASSETS = [learned_recipe]
ASSET_CHECKS = [promoted_recipe_has_not_got_worse]
