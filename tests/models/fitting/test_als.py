import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.fitting.als import AlsModel, AlsSettings, WarmStart, confidences, fit_als, fold_in
from models.fitting.weights import weight_matrix
from tests.models.training_world import JOBS, trade_matrix, trades

SETTINGS = AlsSettings(factors=2, iterations=15, regularization=0.01, n_threads=1)
SKIPPED = [("u0", "j2"), ("u4", "j5")]


def fit(
    frame: pl.DataFrame | None = None, *, settings: AlsSettings = SETTINGS, start: WarmStart | None = None
) -> AlsModel:
    weights = trade_matrix(SKIPPED) if frame is None else weight_matrix(frame)
    return fit_als(weights, settings=settings, as_of="2026-03-01T00:00:00+00:00", seed=1, warm_start=start)


FITTED = fit(settings=AlsSettings(**{**vars(SETTINGS), "alpha": 2.0, "regularization": 0.3}))


def scores(model: AlsModel, user: str) -> dict[str, float]:
    row = model.user_factors[model.user_ids.to_list().index(user)]
    return dict(zip(model.job_ids.to_list(), (model.job_factors @ row).tolist(), strict=True))


def test_jobs_of_a_users_trade_score_high_and_others_low() -> None:
    found = scores(fit(), "u0")
    assert found["j2"] > 0.5
    assert max(found[job] for job in ("j3", "j4", "j5")) < 0.2


def test_a_dismissed_job_scores_below_an_unseen_one_of_the_same_trade() -> None:
    turned_down = pl.DataFrame({"user_id": ["u0"], "job_id": ["j2"], "weight": [-5.0]})
    frame = pl.concat([trades(SKIPPED), turned_down])
    assert scores(fit(frame), "u0")["j2"] < scores(fit(), "u0")["j2"]


def test_confidence_grows_with_the_logarithm_and_keeps_the_sign() -> None:
    weights = weight_matrix(
        pl.DataFrame({"user_id": ["u", "u", "v"], "job_id": ["a", "b", "b"], "weight": [1.0, -1.0, 3.0]})
    )
    made = confidences(weights.values, alpha=2.0, scale=np.float32([1.0, 0.5])).toarray()
    log = np.log(2)
    np.testing.assert_allclose(made, [[1 + 2 * log, -1 - log], [0, 1 + 2 * log]], rtol=1e-6)


def test_the_result_does_not_depend_on_threads_or_on_running_twice() -> None:
    one, two, again = fit(), fit(settings=AlsSettings(**{**vars(SETTINGS), "n_threads": 2})), fit()
    for other in (two, again):
        assert one.user_factors.tobytes() == other.user_factors.tobytes()
        assert one.job_factors.tobytes() == other.job_factors.tobytes()


def test_a_warm_start_is_as_good_in_fewer_iterations() -> None:
    done = fit()
    losses: dict[str, list[float]] = {"cold": [], "warm": []}
    for name, start in (("cold", None), ("warm", WarmStart("x", done.job_ids, done.job_factors))):
        fit_als(
            trade_matrix(SKIPPED),
            settings=AlsSettings(**{**vars(SETTINGS), "iterations": 1}),
            as_of="x",
            seed=2,
            warm_start=start,
            on_iteration=lambda _i, _s, loss, kept=losses[name]: kept.append(loss),
        )
    assert losses["warm"][0] < losses["cold"][0]


def test_a_warm_start_of_another_size_is_ignored() -> None:
    done = fit()
    start = WarmStart("x", done.job_ids, np.ones((len(done.job_ids), 7), dtype=np.float32))
    assert fit(start=start).job_factors.tobytes() == done.job_factors.tobytes()


def test_a_new_user_is_folded_in_and_the_others_stay() -> None:
    model = fit()
    new = pl.DataFrame({"user_id": ["new", "new"], "job_id": ["j0", "j1"], "weight": [10.0, 10.0]})
    folded = fold_in(model, new, n_threads=1)
    assert folded.user_ids.to_list() == sorted([*model.user_ids.to_list(), "new"])
    found = scores(folded, "new")
    assert found["j2"] > max(found[job] for job in ("j3", "j4", "j5"))
    assert scores(folded, "u5") == scores(model, "u5")


def test_folding_in_the_fitted_weights_changes_little() -> None:
    model = fit(settings=AlsSettings(**{**vars(SETTINGS), "iterations": 60}))
    folded = fold_in(model, trades(SKIPPED), n_threads=1)
    np.testing.assert_allclose(
        folded.user_factors @ folded.job_factors.T, model.user_factors @ model.job_factors.T, atol=0.02
    )


def slow_factors(model: AlsModel, weights: dict[str, float]) -> np.ndarray:
    """argmin over x of the sum over all jobs of c (p - x y)^2 + regularization |x|^2, in double precision."""
    jobs = model.job_factors.astype(np.float64)
    wanted = np.zeros(len(jobs))
    confidence = np.ones(len(jobs))
    for job, weight in weights.items():
        place = model.job_ids.to_list().index(job)
        confidence[place] = 1 + model.alpha * model.job_scale[place] * np.log1p(abs(weight))
        wanted[place] = weight > 0
    left = jobs.T @ (confidence[:, None] * jobs) + model.regularization * np.eye(jobs.shape[1])
    return np.linalg.solve(left, jobs.T @ (confidence * wanted))


@given(st.dictionaries(st.sampled_from(JOBS), st.floats(-8, 20).filter(lambda weight: abs(weight) > 0.01), min_size=1))
def test_a_folded_in_user_has_the_exact_least_squares_factors(weights: dict[str, float]) -> None:
    model = FITTED
    frame = pl.DataFrame({"user_id": "new", "job_id": list(weights), "weight": list(weights.values())})
    folded = fold_in(model, frame, n_threads=1)
    if max(weights.values()) < 0:
        assert "new" not in folded.user_ids.to_list()
        return
    row = folded.user_factors[folded.user_ids.to_list().index("new")]
    np.testing.assert_allclose(row, slow_factors(model, weights), atol=2e-4, rtol=2e-3)


def test_a_fit_ends_where_each_user_has_the_least_squares_factors() -> None:
    model = fit(settings=AlsSettings(**{**vars(SETTINGS), "iterations": 60, "alpha": 2.0}))
    weights = trades(SKIPPED).filter(pl.col("user_id") == "u0")
    expected = slow_factors(model, dict(weights.select("job_id", "weight").iter_rows()))
    row = model.user_factors[model.user_ids.to_list().index("u0")]
    np.testing.assert_allclose(model.job_factors @ row, model.job_factors @ expected, atol=0.01)


@pytest.mark.parametrize("known", [6, 5, 4])
def test_a_start_that_knows_nearly_all_jobs_takes_fewer_iterations(known: int) -> None:
    done, n_iterations = fit(), []
    fit_als(
        trade_matrix(SKIPPED),
        settings=AlsSettings(**{**vars(SETTINGS), "iterations": 9, "warm_iterations": 4}),
        as_of="x",
        seed=2,
        warm_start=WarmStart("x", done.job_ids.head(known), done.job_factors[:known]),
        on_iteration=lambda iteration, _s, _loss: n_iterations.append(iteration),
    )
    assert len(n_iterations) == (4 if known >= 5 else 9)


def test_jobs_unknown_to_the_model_give_a_user_no_factors() -> None:
    model = fit()
    folded = fold_in(model, pl.DataFrame({"user_id": ["new"], "job_id": ["unheard"], "weight": [10.0]}))
    assert "new" not in folded.user_ids.to_list()


def test_a_user_with_dismissals_only_loses_the_factors() -> None:
    folded = fold_in(fit(), pl.DataFrame({"user_id": ["u0"], "job_id": ["j0"], "weight": [-5.0]}))
    assert "u0" not in folded.user_ids.to_list()


@pytest.mark.parametrize("frame", [trades().clear(), trades().with_columns(weight=-pl.col("weight"))])
def test_weights_without_a_positive_one_give_an_empty_model(frame: pl.DataFrame) -> None:
    model = fit(frame)
    assert model.user_factors.shape == (0, 2)
    assert model.job_factors.shape == (0, 2)
    assert fold_in(model, trades()).user_ids.is_empty()
