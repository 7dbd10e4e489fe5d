"""Matrix factorisation for implicit feedback by alternating least squares: fit, warm start, fold-in.

Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets" (2008), solved by conjugate gradients as
in Takács, Pilászy, Tikk (2011), through the `implicit` library.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from models.arrays import Csr, Floats, csr_from_coordinates, positions, sorted_ids
from models.fitting.artifacts import Artifact
from models.fitting.sparse_models import popularity_scale
from models.fitting.weights import WeightMatrix

OnIteration = Callable[[int, float, float], None]  # iteration from 0, seconds, loss
_INITIAL_SCALE = np.float32(0.01)
_WARM_SHARE = 0.8  # a warm start needs factors of this share of the jobs


@dataclass(frozen=True)
class AlsSettings:
    """Sizes, the parameters of `confidences`, the half-life of the weights, and threads, which do not change a result.

    `warm_iterations` are enough if nearly all jobs start from the factors of the last model. No values are best for all
    data: docs/benchmarks.md compares some. A strong regularization needs 15 iterations.
    """

    factors: int = 64
    iterations: int = 15
    regularization: float = 30.0
    alpha: float = 10.0
    popularity_power: float = 0.2
    warm_iterations: int = 3
    half_life_days: float = 30.0
    n_threads: int = 2


@dataclass(frozen=True, eq=False)
class AlsModel(Artifact):
    """Factors (n, factors) of users and jobs, ids sorted. The score of a pair is the product of its two rows.

    `job_scale` (n_jobs): how informative a choice of each job is, see `popularity_scale`.
    """

    as_of: str
    alpha: float
    regularization: float
    half_life_days: float
    user_ids: pl.Series
    job_ids: pl.Series
    user_factors: Floats
    job_factors: Floats
    job_scale: Floats


@dataclass(frozen=True, eq=False)
class WarmStart(Artifact):
    """The job factors that a fit starts from. No users: they are solved first, and erased ones must not stay."""

    as_of: str
    job_ids: pl.Series
    job_factors: Floats


def confidences(weights: Csr, *, alpha: float, scale: Floats) -> Csr:
    """1 + alpha * scale * ln(1 + |weight|) with the sign of the weight: implicit reads a minus as a confident "no".

    Formula (6) of Hu et al. with epsilon 1, times the `scale` of the job. With the logarithm, one job with many events
    does not outweigh ten clear choices.
    """
    made = weights.copy()
    growth = np.float32(alpha) * scale[made.indices] * np.log1p(np.abs(made.data))
    made.data = np.asarray(np.sign(made.data) * (1 + growth), dtype=np.float32)
    return made


def fit_als(
    weights: WeightMatrix,
    *,
    settings: AlsSettings,
    as_of: str,
    seed: int,
    warm_start: WarmStart | None = None,
    on_iteration: OnIteration | None = None,
) -> AlsModel:
    """Fits users x jobs; jobs that `warm_start` knows start from their factors, all others from seeded noise.

    The same arguments give the same bytes, whatever `settings.n_threads`. Empty weights give an empty model.
    """
    n_users, n_jobs = weights.values.shape
    users, jobs = _initial_factors(n_users, n_jobs, settings.factors, seed)
    scale = popularity_scale(weights.values, power=settings.popularity_power)
    n_iterations = settings.iterations
    if warm_start is not None and warm_start.job_factors.shape[1] == settings.factors:
        known = positions(warm_start.job_ids, weights.job_ids)
        jobs[known >= 0] = warm_start.job_factors[known[known >= 0]]
        if np.count_nonzero(known >= 0) >= _WARM_SHARE * n_jobs:
            n_iterations = min(n_iterations, settings.warm_iterations)
    if n_users and n_jobs:
        with _one_blas_thread():
            solver = _solver(settings, n_iterations, is_loss_wanted=on_iteration is not None)
            solver.user_factors, solver.item_factors = users, jobs
            solver.fit(
                confidences(weights.values, alpha=settings.alpha, scale=scale),
                show_progress=False,
                callback=None if on_iteration is None else lambda i, s, loss: on_iteration(i, s, float(loss)),
            )
            users, jobs = solver.user_factors, solver.item_factors
    return AlsModel(
        as_of=as_of,
        alpha=settings.alpha,
        regularization=settings.regularization,
        half_life_days=settings.half_life_days,
        user_ids=weights.user_ids,
        job_ids=weights.job_ids,
        user_factors=np.asarray(users, dtype=np.float32),
        job_factors=np.asarray(jobs, dtype=np.float32),
        job_scale=scale,
    )


def fold_in(model: AlsModel, weights: pl.DataFrame, *, n_threads: int = 2) -> AlsModel:
    """`model` with new factors for the users of `weights` (user_id, job_id, weight: all weights of each user).

    Jobs that the model does not know are ignored. A user without a positive weight loses the factors. Each user's
    factors are the exact minimum of the loss for the model's job factors (formula (4) of Hu et al.).
    """
    users = sorted_ids(weights["user_id"])
    if users.is_empty():
        return model
    rows = csr_from_coordinates(
        positions(users, weights["user_id"]),
        positions(model.job_ids, weights["job_id"]),
        weights["weight"].to_numpy(),
        shape=(len(users), len(model.job_ids)),
    )
    liked = np.diff(rows.multiply(rows > 0).tocsr().indptr) > 0
    solved = np.zeros((0, model.job_factors.shape[1]), dtype=np.float32)
    if liked.any():
        settings = AlsSettings(
            factors=model.job_factors.shape[1],
            regularization=model.regularization,
            alpha=model.alpha,
            n_threads=n_threads,
        )
        with _one_blas_thread():
            solver = _solver(settings, 0, is_loss_wanted=False)
            solver.item_factors = model.job_factors
            solved = solver.recalculate_user(
                np.arange(int(liked.sum())), confidences(rows[liked], alpha=model.alpha, scale=model.job_scale)
            )
    is_kept = positions(users, model.user_ids) < 0
    user_ids = pl.concat([model.user_ids.filter(pl.Series(is_kept)), users.filter(pl.Series(liked))], rechunk=True)
    factors = np.concatenate([model.user_factors[is_kept], solved])
    order = user_ids.arg_sort().to_numpy()
    return replace(model, user_ids=user_ids.gather(order), user_factors=factors[order])


def _initial_factors(n_users: int, n_jobs: int, n_factors: int, seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    jobs = generator.random((n_jobs, n_factors), dtype=np.float32) * _INITIAL_SCALE
    users = generator.random((n_users, n_factors), dtype=np.float32) * _INITIAL_SCALE
    return users, jobs


def _one_blas_thread() -> Any:
    """implicit runs its own threads over rows; BLAS threads beside them slow it down tenfold and reorder sums."""
    import implicit.cpu.als  # noqa: F401 - only loaded libraries are limited: loads SciPy's BLAS
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    return threadpool_limits(limits=1, user_api="blas")


def _solver(settings: AlsSettings, n_iterations: int, *, is_loss_wanted: bool) -> Any:
    from implicit.cpu.als import AlternatingLeastSquares

    return AlternatingLeastSquares(
        factors=settings.factors,
        regularization=settings.regularization,
        alpha=1.0,  # already applied by `confidences`
        dtype=np.float32,
        iterations=n_iterations,
        calculate_training_loss=is_loss_wanted,
        num_threads=settings.n_threads,
    )
