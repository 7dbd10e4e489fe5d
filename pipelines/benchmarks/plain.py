"""Plain alternatives to training, retrieval, ranking and writing, measured on a sample of users."""

import datetime as dt
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from assets.ranking.inputs import Tables, lake_tables, load_fitted, served_settings, users_to_rank
from assets.ranking.shards import whole_batch
from assets.resources import Workspace
from assets.sql import query
from features.schemas.ranking import FEEDS
from models.ranking.context import CandidatePairs, Fitted, JobContext, UserBatch
from models.ranking.retrieval import build_block
from models.ranking.scoring import component_values, score_pairs
from models.ranking.stages import BLOCK_USERS
from models.ranking.vector_index import nearest_jobs

_SQL_USERS, _LOOP_USERS, _SEARCH_USERS, _SHOWN = 50, 100, 10_000, 100
_PRODUCT = (4096, 128, 20_000)


def alternatives(workspace: Workspace, *, as_of: dt.datetime, n_threads: int) -> dict[str, Any]:
    """Seconds of the plain alternatives (per user where the name says so), and the machine's GFLOP/s of products."""
    tables, fitted = lake_tables(workspace.lake), load_fitted(workspace.models)
    users = users_to_rank(tables)
    sample = users.gather_every(max(1, len(users) // _LOOP_USERS)).head(_LOOP_USERS)
    context, batch = whole_batch(tables, fitted, sample, settings=served_settings(workspace), as_of=as_of)
    by_library, by_search = _search(fitted, context, n_threads=n_threads)
    json_seconds, json_bytes = _written_as_json(workspace)
    return {
        "gflops": product_rate(n_threads),
        "n_jobs": context.jobs.n,
        "truncated_svd_seconds": _truncated_svd(fitted),
        "search": {"implicit": by_library, "ours": by_search},
        "loop_seconds_per_user": _loop(context, batch),
        "sql_seconds_per_user": _sql(tables, sample.head(_SQL_USERS), context),
        "json_seconds_per_user": json_seconds,
        "json_bytes_per_user": json_bytes,
    }


def product_rate(n_threads: int) -> float:
    """GFLOP/s of float32 matrix products in NumPy, one product on each thread."""
    rows, inner, columns = _PRODUCT
    left = np.ones((rows, inner), dtype=np.float32)
    right = np.ones((inner, columns), dtype=np.float32)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        seconds = min(
            _seconds(lambda: list(pool.map(lambda _: (left @ right)[0, 0], range(n_threads)))) for _ in range(3)
        )
    return 2 * rows * inner * columns * n_threads / seconds / 1e9


def _truncated_svd(fitted: Fitted) -> float:
    """scikit-learn's randomised SVD of the interactions, with as many factors as ALS."""
    interacted = fitted.user_neighbours.history()
    n_factors = min(fitted.als.job_factors.shape[1], min(interacted.shape) - 1)
    if n_factors < 1:
        return 0.0
    return _seconds(lambda: randomized_svd(interacted, n_components=n_factors, random_state=0))


def _search(fitted: Fitted, context: JobContext, *, n_threads: int) -> tuple[float, float]:
    """Seconds per user to find the best jobs by ALS alone: implicit's `recommend`, and the search used here."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=fitted.als.job_factors.shape[1], num_threads=n_threads)
    model.user_factors, model.item_factors = fitted.als.user_factors, context.als.rows
    users = np.arange(min(_SEARCH_USERS, len(model.user_factors)))
    if len(users) == 0:
        return 0.0, 0.0
    nothing = sparse.csr_matrix((len(users), context.jobs.n), dtype=np.float32)

    def search(start: int) -> None:
        rows = slice(start, start + BLOCK_USERS)
        factors = model.user_factors[rows][: len(users) - start]
        nearest_jobs(context.als_index, factors, factors.any(axis=1), nothing[: len(factors)], _SHOWN)

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        library = _seconds(lambda: model.recommend(users, nothing, N=_SHOWN, filter_already_liked_items=False))
        search(0)
        ours = _seconds(lambda: list(pool.map(search, range(0, len(users), BLOCK_USERS))))
    return library / len(users), ours / len(users)


def _loop(context: JobContext, batch: UserBatch) -> float:
    """A loop over users: scores every job by the whole recipe, removes forbidden jobs, sorts."""
    every = np.arange(context.jobs.n, dtype=np.int32)[None, :]
    names = sorted({name for recipe in batch.recipes for name in recipe.normalised()})

    def rank_all() -> None:
        for user in range(batch.users.n):
            block = build_block(context, batch, slice(user, user + 1))
            values = component_values(names, CandidatePairs(block, every))
            scored = score_pairs(values, batch.recipes, block.recipe_of_row)
            scored.score[0, batch.ended[user].indices] = -1
            np.argsort(-scored.score[0], kind="stable")[:_SHOWN]

    return _seconds(rank_all) / max(batch.users.n, 1)


def _sql(tables: Tables, users: pl.Series, context: JobContext) -> float:
    wanted = pl.col("user_id").is_in(users.implode())
    features = tables.job_features.select("job_id", "engagement", "recency", "poster_quality")
    jobs = tables.jobs.filter(pl.col("job_id").is_in(context.jobs.ids.implode())).join(features, on="job_id")
    ended = tables.interactions.filter(wanted, pl.col("is_applied") | pl.col("is_dismissed"))
    frames = {
        "users": tables.profiles.filter(wanted)
        .select("user_id", "latitude", "longitude", "max_distance_km", "interest_tags")
        .collect(),
        "jobs": jobs.select(
            "job_id", "latitude", "longitude", "tags", "engagement", "recency", "poster_quality"
        ).collect(),
        "ended": ended.select("user_id", "job_id").collect(),
    }
    return _seconds(lambda: query("benchmarks/plain_feeds", frames=frames, params={"n_items": _SHOWN})) / max(
        len(frames["users"]), 1
    )


def _written_as_json(workspace: Workspace) -> tuple[float, float]:
    """One shard's rows as JSON lines instead of Parquet: seconds and bytes per user."""
    files = workspace.lake.files("ranking", FEEDS.name)
    if not files:
        return 0.0, 0.0
    frame, body = pl.read_parquet(files[0], glob=False), io.BytesIO()
    seconds = _seconds(lambda: frame.write_ndjson(body))
    return seconds / max(len(frame), 1), body.tell() / max(len(frame), 1)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
