"""Judges what the pipeline would have shown as of the cut against what was held out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.evaluation.holdout import NothingHeldOutError, Replay
from assets.evaluation.lists import Listed, baseline_lists, recipe_lists, training_weights
from assets.learning.store import load_registry
from assets.ranking.inputs import Tables, lake_tables, load_fitted, ranking_settings
from assets.ranking.shards import RankingRun, prepare_run
from assets.resources import Workspace
from assets.training.tuning import als_settings
from features.schemas.catalog import DAILY_INTERACTIONS
from models.arrays import Bools, Csr, Longs, codes, csr_of_ones, positions, unit_rows
from models.evaluation import judging
from models.evaluation.bootstrap import resampled_counts
from models.evaluation.calibration import reliability
from models.evaluation.judging import HeldOut
from models.evaluation.splits import sample_users
from models.ranking.interaction_arrays import counts_for_ranking
from models.ranking.settings import Settings

_EVENTS = np.uint8(255)  # all flags: whatever a user did beyond seeing an impression
_NEW_DAYS = 7
_GROUPS = 6  # values of a slice; the others are one group
_SAMPLE_SALT = "evaluation"


@dataclass(frozen=True)
class Counts:
    """How much was judged: users and pairs held out, users judged, and held-out pairs that no list could hold.

    `n_closed_pairs` are on jobs that were not open at the cut; `n_known_pairs` on jobs that the user knew before.
    """

    n_users: int
    n_pairs: int
    n_judged_users: int
    n_judged_pairs: int
    n_closed_pairs: int
    n_known_pairs: int
    n_jobs: int


@dataclass(frozen=True)
class Evaluation:
    """The figures of one run: `per_user` and SUMMARY of all lists, RELIABILITY of the recipes' match scores.

    `pairs_digest` is that of the judged pairs.
    """

    counts: Counts
    pairs_digest: str
    per_user: pl.DataFrame
    summary: pl.DataFrame
    calibration: pl.DataFrame
    recipes: tuple[str, ...]
    default_recipe: str


def evaluate(
    replay: Replay, *, max_users: int, seed: int, on_step: Callable[[str], None] = lambda _step: None
) -> Evaluation:
    """Evaluates every recipe and baseline on a replay whose features and models are made.

    At most `max_users` users with held-out interactions are judged, a fixed sample by hash. Raises
    NothingHeldOutError if no held-out interaction is on an open job that was new to its user.
    """
    tables, fitted = lake_tables(replay.workspace.lake), load_fitted(replay.workspace.models)
    on_step("held-out interactions")
    pairs = replay.held_out_pairs()
    users = sample_users(pairs["user_id"].unique(), max_users, salt=_SAMPLE_SALT)
    on_step("jobs and users")
    settings = _settings(replay.workspace)
    run = prepare_run(tables, fitted, users, settings=settings, as_of=replay.as_of)
    chosen, known, held_out, counts = _held_out(run, tables, pairs)
    on_step("lists of the recipes")
    lists = recipe_lists(run, chosen, known)
    recipes = tuple(lists)
    on_step("lists of the baselines")
    weights = training_weights(tables, replay.workspace.lake.scan("catalog", DAILY_INTERACTIONS), run)
    als, _ = als_settings(replay.workspace.models, replay.workspace.config.pipeline.als)
    lists |= baseline_lists(run, chosen, known, weights=weights, n_users_of_job=held_out.n_users_of_job, als=als)
    on_step("metrics and intervals")
    per_user, summary = _judge(lists, held_out, seed=seed)
    calibration, digest = _calibration(lists, held_out), judging.pairs_digest(held_out)
    return Evaluation(counts, digest, per_user, summary, calibration, recipes, settings.default_recipe)


def _settings(workspace: Workspace) -> Settings:
    """With the learned recipe, if the replay fitted and promoted one."""
    return ranking_settings(workspace.config, learned=load_registry(workspace.models).active_recipe)


def _held_out(run: RankingRun, tables: Tables, pairs: pl.DataFrame) -> tuple[Longs, Csr, HeldOut, Counts]:
    """Positions in the run of the users to judge, the jobs that each knows, and what their lists are judged against."""
    users, jobs = run.population.users.ids, run.context.jobs
    of_sample = pairs.filter(pl.col("user_id").is_in(users.implode()))
    row, job = positions(users, of_sample["user_id"]), jobs.rows_of(of_sample["job_id"])
    known = run.population.interactions.jobs_with(_EVENTS, run.context.index)
    found = csr_of_ones(row, job, shape=known.shape)
    truth = (found - found.multiply(known)).tocsr()
    truth.eliminate_zeros()
    truth.sort_indices()
    chosen = np.flatnonzero(np.diff(truth.indptr) > 0)
    if len(chosen) == 0:
        raise NothingHeldOutError(
            f"none of the {len(pairs)} held-out interactions is on a job that was open at the cut and new to the user"
        )
    counts = Counts(
        n_users=pairs["user_id"].n_unique(),
        n_pairs=len(pairs),
        n_judged_users=len(chosen),
        n_judged_pairs=truth.nnz,
        n_closed_pairs=int((job < 0).sum()),
        n_known_pairs=found.nnz - truth.nnz,
        n_jobs=jobs.n,
    )
    n_users_of_job, n_users_before = _popularity(run, tables)
    n_known = np.diff(known.indptr)[chosen]
    held_out = HeldOut(
        user_ids=users.gather(chosen),
        job_ids=jobs.ids,
        truth=truth[chosen],
        user_slices={"history": _history_groups(n_known, run.population.interactions.has_acted[chosen])},
        job_slices=_job_slices(run, tables, n_users_of_job),
        n_users_of_job=n_users_of_job,
        n_users_before=n_users_before,
        job_vectors=unit_rows(run.context.content.rows),
    )
    return chosen, known[chosen], held_out, counts


def _popularity(run: RankingRun, tables: Tables) -> tuple[Longs, int]:
    """For each open job the users who met it before, and the number of all users who met any."""
    met = tables.interactions.filter(counts_for_ranking(), pl.col("weight") > 0).select("user_id", "job_id")
    of_job = (
        met.join(run.context.jobs.row_of_job.lazy(), on="job_id")
        .group_by("job")
        .agg(n=pl.col("user_id").n_unique())
        .collect()
    )
    n_users_of_job = np.zeros(run.context.jobs.n, dtype=np.int64)
    n_users_of_job[of_job["job"].to_numpy()] = of_job["n"].to_numpy()
    return n_users_of_job, int(met.select(pl.col("user_id").n_unique()).collect().item())


def _history_groups(n_known: Longs, has_acted: Bools) -> pl.Series:
    names = ("cold", "1–4 jobs", "5–19 jobs", "20 jobs and more")
    group = np.searchsorted([1, 5, 20], n_known, side="right")
    return _named(np.array(names)[np.where(has_acted, np.maximum(group, 1), 0)], names)


def _named(values: NDArray[np.str_], names: Sequence[str]) -> pl.Series:
    """The values as an Enum: groups are shown in the order of `names`."""
    return pl.Series(values, dtype=pl.Enum(names))


def _job_slices(run: RankingRun, tables: Tables, n_users_of_job: Longs) -> Mapping[str, pl.Series]:
    jobs = run.context.jobs
    described = pl.DataFrame({"job_id": jobs.ids}).join(
        tables.jobs.select("job_id", "language", "country").collect(), on="job_id", how="left", maintain_order="left"
    )
    ages = (f"under {_NEW_DAYS} days", f"{_NEW_DAYS} days and more")
    slices = {
        "job age": _named(np.where(jobs.age_days < _NEW_DAYS, *ages), ages),
        "job popularity": _popularity_bands(n_users_of_job),
        "language": _commonest(described["language"]),
        "country": _commonest(described["country"]),
    }
    return {name: groups for name, groups in slices.items() if groups.n_unique() > 1}


def _popularity_bands(n_users_of_job: Longs) -> pl.Series:
    """Thirds of all earlier interactions: the few jobs of the head had as many as the many of the tail."""
    order = np.argsort(-n_users_of_job, kind="stable")
    share = np.empty(len(order))
    share[order] = np.cumsum(n_users_of_job[order]) / max(int(n_users_of_job.sum()), 1)
    band = np.select([n_users_of_job == 0, share <= 1 / 3, share <= 2 / 3], ["unseen", "head", "middle"], "tail")
    return _named(band, ("head", "middle", "tail", "unseen"))


def _commonest(values: pl.Series) -> pl.Series:
    known = values.fill_null("unknown")
    names = known.value_counts().sort("count", known.name, descending=[True, False])[known.name].head(_GROUPS)
    return known.set(pl.Series(codes(known, names) < 0), "other")


def _judge(lists: Mapping[str, Listed], held_out: HeldOut, *, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    draws = resampled_counts(len(held_out.user_ids), seed=seed)
    users, totals = [], []
    for name, listed in lists.items():
        rows = judging.per_user(name, listed.job, held_out)
        users.append(rows)
        totals.append(judging.summarise(name, listed.job, rows, held_out, draws))
    return pl.concat(users), pl.concat(totals)


def _calibration(lists: Mapping[str, Listed], held_out: HeldOut) -> pl.DataFrame:
    """RELIABILITY of each list with match scores: how many of the listed jobs the user took to."""
    parts = []
    for name, listed in lists.items():
        if listed.score is not None:
            is_item = listed.job >= 0
            table = reliability(listed.score[is_item], judging.is_held_out(listed.job, held_out.truth)[is_item])
            parts.append(table.select(pl.lit(name).alias("list"), pl.all()))
    return pl.concat(parts)
