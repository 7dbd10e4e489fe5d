"""Fits the learned recipe on a replay of the pipeline without what is held out, and decides whether it takes over.

The replay runs the pipeline's own features and models as of the cut, so that nothing after the cut is known to them.
"""

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from assets.evaluation.holdout import NothingHeldOutError, Replay, hold_out_last_days, hold_out_pairs
from assets.insight.queries import Period, reactions
from assets.learning.store import load_registry, update_registry
from assets.locks import LockedError
from assets.ranking.inputs import lake_tables, load_fitted, ranking_settings
from assets.ranking.shards import prepare_run
from assets.resources import Workspace
from features.interactions import CLOCK_SKEW
from features.schemas.catalog import DAILY_INTERACTIONS, INTERACTIONS
from models.arrays import csr_from_coordinates, positions
from models.evaluation.splits import sample_users
from models.learning.fitting import (
    CandidateBlock,
    Learned,
    candidate_blocks,
    exploring_as,
    learn,
    ndcg_of_recipe,
    scores_of_lists,
)
from models.learning.holdout import LEAST_OUTCOMES, RANDOM_SHARE, HoldOut, choose_holdout
from models.learning.leakage import separation, suspicion
from models.learning.levels import matched_level
from models.learning.position_bias import LEAST_OUTCOMES as LEAST_LOGGED_OUTCOMES
from models.learning.position_bias import (
    LEAST_TOP_SHARE,
    TOP_RANKS,
    UNKNOWN,
    Attention,
    attention_now,
    outcome_weights,
)
from models.learning.promotion import compare, is_better, is_worse
from models.learning.registry import Configured, Data, Fit, Registry
from models.ranking.settings import MOST_FEED_ITEMS
from models.ranking.stages import feed_sources
from serving.contract.tables import COMPONENTS

MOST_USERS = 5_000
_SALT = "learning"
_ANY_EVENT = np.uint8(255)
_WORK_PREFIX = ".work-"
# What an outcome is worth; any other positive interaction is worth 1.
_GAIN_APPLIED, _GAIN_SAVED = 3.0, 2.0
Step = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """The fit, None where there was none to make, and why. `is_failed`: an error kept it from being made."""

    fit: Fit | None
    reason: str
    is_failed: bool = False


def refit(workspace: Workspace, *, as_of: dt.datetime, replay: Callable[[Replay], None], on_step: Step) -> Outcome:
    """Fits, compares, and adds the fit to the registry. `replay` makes the features and models of a replay."""
    name = _name_of(as_of)
    if any(fit.fit == name for fit in load_registry(workspace.models).fits):
        return Outcome(None, f"kept; {name} was fitted as of the same instant")
    held_out = choose_holdout(first_outcomes(workspace, as_of=as_of), as_of=as_of)
    if held_out is None:
        return Outcome(None, f"fewer than {LEAST_OUTCOMES:,} outcomes can be held out; they are collected from events")
    with _work_folder(workspace) as folder:
        if folder is None:
            return Outcome(None, "another run is fitting")
        # Before the replay: a run that is killed in it does not begin it again tomorrow.
        update_registry(workspace, lambda latest: replace(latest, attempted_at=as_of.isoformat()))
        on_step(f"holding out {_described(held_out)}")
        try:
            made = _hold_out(workspace, folder, held_out, as_of=as_of)
        except NothingHeldOutError as error:
            return Outcome(None, str(error))
        replay(made)
        on_step("candidates as of the cut")
        registry = load_registry(workspace.models)
        weights, attention = position_weights(workspace, as_of=as_of, before=registry.attention_before(as_of))
        blocks = _candidates(made, registry, weights)
        on_step("weights")
        with threadpool_limits(limits=1, user_api="blas"):
            found = learn(blocks, on_step=on_step) if blocks else None
        if found is None:
            return Outcome(None, "no component foretells what users did")
        fit = _judged(workspace, blocks, found, registry, as_of=as_of)
        fit = replace(
            fit, data=replace(fit.data, cut=made.as_of.isoformat(), split=held_out.split), attention=attention
        )
        fit = _without_leak(fit, registry)
    update_registry(workspace, lambda latest: latest.add(fit))
    return Outcome(fit, fit.decision)


def _name_of(as_of: dt.datetime) -> str:
    return f"learned-{as_of:%Y%m%dT%H%M%SZ}"


def first_outcomes(workspace: Workspace, *, as_of: dt.datetime) -> pl.DataFrame:
    """The date of the first positive interaction of each pair of user and job up to `as_of`: user_id, date."""
    is_past = pl.col("last_at") <= as_of + CLOCK_SKEW
    daily = workspace.lake.scan("catalog", DAILY_INTERACTIONS).filter(pl.col("weight") > 0, is_past)
    firsts = daily.group_by("user_id", "job_id").agg(pl.col("date").min())
    return firsts.select("user_id", "date").collect(engine="streaming")


def _hold_out(workspace: Workspace, folder: Path, held_out: HoldOut, *, as_of: dt.datetime) -> Replay:
    if held_out.split == "time":
        return hold_out_last_days(workspace, folder, days=held_out.days, until=as_of, restate=False)
    seed = workspace.config.pipeline.seed
    return hold_out_pairs(workspace, folder, share=RANDOM_SHARE, seed=seed, salt=_SALT, until=as_of)


def position_weights(workspace: Workspace, *, as_of: dt.datetime, before: Attention) -> tuple[pl.DataFrame, Attention]:
    """What outcomes of shown jobs count in return for the little attention to their rank: user_id, job_id, weight.

    Returns also the attention that this follows from; `before` is that of earlier fits. Without rows as long as fewer
    than LEAST_OUTCOMES outcomes are known to come from feeds: all outcomes then count alike.
    """
    found = reactions(workspace, Period.before(as_of))
    # The position is what an app states: it may be any number.
    shown = found.filter(pl.col("surface") == "feed", pl.col("position").is_between(1, MOST_FEED_ITEMS))
    outcomes = shown.filter("is_positive")
    if len(outcomes) < LEAST_LOGGED_OUTCOMES:
        return pl.DataFrame(schema={"user_id": pl.String, "job_id": pl.String, "weight": pl.Float32}), UNKNOWN
    drawn = shown.filter("explored")
    drawn = drawn.filter((pl.col("position") <= TOP_RANKS).mean().over("recipe") >= LEAST_TOP_SHARE)
    attention = attention_now(drawn["position"].to_numpy(), drawn["is_positive"].to_numpy(), before=before)
    weight = outcome_weights(outcomes["position"].cast(pl.Float64).to_numpy(), power=attention.power)
    return outcomes.select("user_id", "job_id", weight=pl.Series(weight)), attention


def _candidates(made: Replay, registry: Registry, weights: pl.DataFrame) -> list[CandidateBlock]:
    """The candidates of a sample of the users who had outcomes on open jobs that were new to them."""
    pairs = _gains(made, weights)
    users = sample_users(pairs["user_id"].unique(), MOST_USERS, salt=_SALT)
    tables, workspace = lake_tables(made.workspace.lake), made.workspace
    settings = ranking_settings(workspace.config, learned=registry.active_recipe)
    run = prepare_run(tables, load_fitted(workspace.models), users, settings=settings, as_of=made.as_of)
    known = run.population.interactions.jobs_with(_ANY_EVENT, run.context.index)
    row, job = positions(users, pairs["user_id"]), run.context.jobs.rows_of(pairs["job_id"])
    is_usable = (row >= 0) & (job >= 0)
    truth = csr_from_coordinates(row[is_usable], job[is_usable], pairs["gain"].to_numpy()[is_usable], shape=known.shape)
    truth = (truth - truth.multiply(known)).tocsr()
    truth.eliminate_zeros()
    truth.sort_indices()
    # Users without profile and history get fallback feeds, which no recipe orders; others may have opted out.
    has_feed = (feed_sources(run.batch(np.arange(len(users)))) >= 0) & run.population.users.is_personalised
    chosen = np.flatnonzero((np.diff(truth.indptr) > 0) & has_feed)
    if len(chosen) == 0:
        return []
    batch = replace(run.batch(chosen), ended=known[chosen])
    with threadpool_limits(limits=1, user_api="blas"):
        return candidate_blocks(run.context, batch, truth[chosen])


def _gains(made: Replay, weights: pl.DataFrame) -> pl.DataFrame:
    """The held-out pairs, user_id, job_id and gain; `weights` (user_id, job_id, weight) multiply it where given."""
    positive = made.held_out_pairs()
    kinds = made.held_out.scan("catalog", INTERACTIONS).select("user_id", "job_id", "is_applied", "is_saved").collect()
    gain = pl.when("is_applied").then(_GAIN_APPLIED).when("is_saved").then(_GAIN_SAVED).otherwise(1.0)
    weighted = positive.join(kinds, on=["user_id", "job_id"]).join(weights, on=["user_id", "job_id"], how="left")
    total = gain * pl.col("weight").fill_null(1.0)
    return weighted.select("user_id", "job_id", gain=total).sort("user_id", "job_id")


def _judged(
    workspace: Workspace, blocks: list[CandidateBlock], found: Learned, registry: Registry, *, as_of: dt.datetime
) -> Fit:
    """The fit beside the recipe in use and the configured one, on the same held-out users."""
    settings, seed = blocks[0].block.context.settings, workspace.config.pipeline.seed
    configured = workspace.config.ranking.configured_recipe
    name = registry.active or configured
    alike = exploring_as(settings.recipes[configured], found.recipe)
    of_configured = of_active = ndcg_of_recipe(blocks, alike)
    if registry.active_recipe is not None:
        of_active = ndcg_of_recipe(blocks, exploring_as(registry.active_recipe, found.recipe))
    ndcg, incumbent_ndcg, gain = compare(found.ndcg, of_active, seed=seed)
    _, configured_ndcg, over_configured = compare(found.ndcg, of_configured, seed=seed)
    _, _, incumbent_over_configured = compare(of_active, of_configured, seed=seed)
    promoted = is_better(gain) and not is_worse(over_configured)
    figures = (
        f"NDCG@20 {ndcg.mean:.4f} against {incumbent_ndcg.mean:.4f} of {name}, {gain.lower:+.4f} to {gain.upper:+.4f}"
    )
    if is_better(gain) and not promoted:
        figures += f"; {configured} is better, {over_configured.lower:+.4f} to {over_configured.upper:+.4f}"
    return Fit(
        fit=_name_of(as_of),
        as_of=as_of.isoformat(),
        data=Data("", "", len(found.ndcg), len(found.examples.gain), found.examples.n_positives),
        weights=found.recipe.weights,
        neutral=found.recipe.neutral,
        diversity=found.recipe.diversity,
        settings=asdict(found.penalty),
        ndcg=ndcg,
        incumbent=name,
        incumbent_ndcg=incumbent_ndcg,
        gain=gain,
        is_promoted=promoted,
        decision=f"promoted: {figures}" if promoted else f"not promoted, not better for certain: {figures}",
        configured=Configured(configured, configured_ndcg, over_configured, incumbent_over_configured),
        separation=separation(found.examples, COMPONENTS, seed=seed),
        level=matched_level(scores_of_lists(blocks, found.recipe), scores_of_lists(blocks, alike)),
    )


def _without_leak(fit: Fit, registry: Registry) -> Fit:
    """Not promoted if a component seems to know what happened after the cut."""
    reason = suspicion(fit, registry.fits)
    if reason is None:
        return fit
    advice = f"find out where it comes from, then `jobfeed recipes promote {fit.fit}` takes the fit over"
    decision = f"not promoted, it may know the future: {reason}; {advice}"
    return replace(fit, is_promoted=False, suspicion=reason, decision=decision)


def _described(held_out: HoldOut) -> str:
    return f"the last {held_out.days} days" if held_out.split == "time" else f"a random {RANDOM_SHARE:.0%} of the pairs"


def remove_leftovers(workspace: Workspace) -> None:
    """Deletes what a killed run left of its replay, which holds copies of raw events."""
    with _work_folder(workspace):
        pass


@contextmanager
def _work_folder(workspace: Workspace) -> Iterator[Path | None]:
    """A folder for a replay, on the file system of the lake so that files can be linked; None if another run has one.

    Whoever holds the lock may delete older folders: the system frees the lock of a killed run.
    """
    parent = workspace.models / "learning"
    with ExitStack() as stack:
        try:
            stack.enter_context(workspace.lake.lock("replay", timeout_seconds=0))
        except LockedError:
            yield None
            return
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{_WORK_PREFIX}*"):
            shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_WORK_PREFIX, dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
