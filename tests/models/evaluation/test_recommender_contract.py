"""What every recommender keeps to, whatever it learns from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import csr_from_coordinates
from models.evaluation import recommenders as recommender
from models.evaluation.recommenders import (
    LISTS,
    FactorRecommender,
    Recommender,
    Restricted,
    als_recommender,
    recommend,
    recommender_of,
    same_for_all,
)
from models.fitting.als import AlsSettings, fit_als, fold_in
from models.fitting.collaborative import MODELS, POPULARITY, PopularitySettings
from models.fitting.item_knn import ItemKnnSettings, fit_also_applied
from models.fitting.linear_items import LinearItemSettings
from models.fitting.user_knn import UserKnnSettings, fit_user_neighbours
from models.fitting.weights import weight_matrix
from tests.models.adapters import ItemKnn, Popularity, UserKnn
from tests.models.training_world import JOBS, USERS, trade_matrix, trades

SKIPPED = [("u0", "j2"), ("u4", "j5")]
N_THREADS = (1, 2)


def als(n_threads: int) -> Recommender:
    settings = AlsSettings(factors=2, iterations=15, regularization=0.01, n_threads=n_threads)
    model = fit_als(trade_matrix(SKIPPED), settings=settings, as_of="x", seed=1)
    return als_recommender(model, job_ids=pl.Series(JOBS))


def item_knn(n_threads: int) -> Recommender:
    weights = trade_matrix(SKIPPED)
    applied = trades(SKIPPED).with_columns(last_at=pl.lit(None, pl.Datetime("us", "UTC")))
    neighbours = fit_also_applied(applied, n_threads=n_threads)
    assert neighbours.job_ids.equals(weights.job_ids)
    return ItemKnn(weights.user_ids, weights.values, neighbours)


def user_knn(n_threads: int) -> Recommender:
    return UserKnn(fit_user_neighbours(trade_matrix(SKIPPED), n_threads=n_threads))


def content(_n_threads: int) -> Recommender:
    trade = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    return FactorRecommender(
        pl.Series(USERS), np.repeat(np.eye(2, dtype=np.float16), 4, axis=0), pl.Series(JOBS), trade
    )


def popularity(_n_threads: int) -> Recommender:
    return Popularity(pl.Series(JOBS), np.array([3, 4, 4, np.nan, 4, 3], dtype=np.float32))


def folded_als(n_threads: int) -> Recommender:
    """ALS in which u0 and u4 were folded in after the fit."""
    settings = AlsSettings(factors=2, iterations=15, regularization=0.01, n_threads=n_threads)
    rest = trades(SKIPPED).filter(~pl.col("user_id").is_in(["u0", "u4"]))
    model = fit_als(weight_matrix(rest), settings=settings, as_of="x", seed=1)
    late = trades(SKIPPED).filter(pl.col("user_id").is_in(["u0", "u4"]))
    return als_recommender(fold_in(model, late, n_threads=n_threads), job_ids=pl.Series(JOBS))


SETTINGS = {
    "als": AlsSettings(factors=2, iterations=15, regularization=0.01, n_threads=1),
    "item_knn": ItemKnnSettings(n_neighbours=3, shrinkage=1.0),
    "user_knn": UserKnnSettings(n_neighbours=3, popularity_power=0.2),
    "linear_items": LinearItemSettings(n_neighbours=3, regularization=1.0),
    "popularity": PopularitySettings(),
}


def registered(name: str) -> Callable[[int], Recommender]:
    """A model of the registry by its name there."""

    def build(n_threads: int) -> Recommender:
        return recommender_of(MODELS[name].fit(trade_matrix(SKIPPED), SETTINGS[name], 1, n_threads))

    build.__name__ = f"registered_{name}"
    return build


def dense(scores: Any) -> NDArray[np.float32]:
    """Scores with -inf for no opinion."""
    if not sparse.issparse(scores):
        return np.asarray(scores)
    values = scores.toarray()
    return np.where(values > 0, values, -np.inf).astype(np.float32)


REGISTERED = {name: registered(name) for name in MODELS}
PERSONAL = [als, folded_als, item_knn, user_knn, content]
PERSONAL += [build for name, build in REGISTERED.items() if name != POPULARITY]
ALL = [*PERSONAL, popularity, REGISTERED[POPULARITY]]
Build = Callable[[int], Recommender]


def lists(frame: pl.DataFrame) -> dict[str, list[str]]:
    return {str(user): part["job_id"].to_list() for (user,), part in frame.group_by("user_id", maintain_order=True)}


@pytest.mark.parametrize("build", ALL)
def test_lists_are_ranked_from_one_with_falling_scores_of_known_jobs(build: Build) -> None:
    found = recommend(build(1), pl.Series(USERS), k=4)
    assert found.schema == pl.Schema(LISTS)
    for _, part in found.group_by("user_id"):
        assert part["rank"].to_list() == list(range(1, len(part) + 1))
        assert part["score"].is_sorted(descending=True)
        assert part["job_id"].is_unique().all()
        assert set(part["job_id"]) <= set(JOBS)
        assert len(part) <= 4
    assert found["score"].is_finite().all()


@pytest.mark.parametrize("build", ALL)
def test_users_come_out_in_the_order_they_came_in(build: Build) -> None:
    wanted = ["u5", "u0", "u3"]
    assert list(lists(recommend(build(1), pl.Series(wanted), k=1))) == wanted


@pytest.mark.parametrize("build", ALL)
def test_what_is_excluded_never_comes_out_and_nothing_is_padded(build: Build) -> None:
    everything = pl.DataFrame({"user_id": ["u0"] * 6 + ["u1"] * 5, "job_id": JOBS + JOBS[1:]})
    found = lists(recommend(build(1), pl.Series(["u0", "u1"]), k=10, excluded=everything))
    assert "u0" not in found
    assert found.get("u1", []) in (["j0"], [])


@pytest.mark.parametrize("build", ALL)
def test_excluded_pairs_of_strangers_do_no_harm(build: Build) -> None:
    strangers = pl.DataFrame({"user_id": ["u0", "nobody"], "job_id": ["unheard", "j0"]})
    one, two = (recommend(build(1), pl.Series(USERS), k=3, excluded=excluded) for excluded in (strangers, None))
    assert one.equals(two)


@pytest.mark.parametrize("build", ALL)
def test_no_users_and_no_places_give_no_rows(build: Build) -> None:
    assert recommend(build(1), pl.Series([], dtype=pl.String), k=3).is_empty()
    assert recommend(build(1), pl.Series(USERS), k=0).is_empty()


@pytest.mark.parametrize("build", ALL)
def test_more_places_than_jobs_give_what_there_is(build: Build) -> None:
    built = build(1)
    found = recommend(built, pl.Series(USERS), k=1000)
    assert found.equals(recommend(built, pl.Series(USERS), k=len(built.job_ids)))
    assert found.group_by("user_id").len()["len"].max() <= len(JOBS)


@pytest.mark.parametrize("build", ALL)
def test_when_everything_is_excluded_nothing_comes_out(build: Build) -> None:
    everything = pl.DataFrame({"user_id": USERS}).join(pl.DataFrame({"job_id": JOBS}), how="cross")
    assert recommend(build(1), pl.Series(USERS), k=3, excluded=everything).is_empty()
    twice = pl.concat([everything, everything])
    assert recommend(build(1), pl.Series(USERS), k=3, excluded=twice).is_empty()


@pytest.mark.parametrize("build", ALL)
def test_who_comes_twice_in_a_batch_is_answered_once(build: Build) -> None:
    found = recommend(build(1), pl.Series(["u3", "u0", "u3", None, "u0"]), k=3)
    assert found.equals(recommend(build(1), pl.Series(["u3", "u0"]), k=3))


@pytest.mark.parametrize("build", ALL)
def test_a_negative_number_of_places_is_refused(build: Build) -> None:
    with pytest.raises(ValueError, match="k is -1; it must be at least 0"):
        recommend(build(1), pl.Series(USERS), k=-1)


BUILT = {build.__name__: build(1) for build in ALL}
PAIRS = st.lists(st.tuples(st.sampled_from(USERS), st.sampled_from(JOBS)), max_size=30)


@given(st.sampled_from(sorted(BUILT)), st.lists(st.sampled_from([*USERS, "nobody"])), st.integers(0, 8), PAIRS)
def test_lists_are_what_sorting_all_scores_gives(
    name: str, users: list[str], k: int, excluded: list[tuple[str, str]]
) -> None:
    built = BUILT[name]
    job_ids = built.job_ids.to_list()
    expected = []
    for user in dict.fromkeys(users):
        scores = np.round(dense(built.score(pl.Series([user])))[0], 6)
        open_jobs = [
            (-float(score), job)
            for score, job in zip(scores, job_ids, strict=True)
            if score > -np.inf and (user, job) not in excluded
        ]
        ranked = sorted(open_jobs)[:k]
        expected += [(user, rank, job, -score) for rank, (score, job) in enumerate(ranked, start=1)]
    pairs = pl.DataFrame(excluded, schema=["user_id", "job_id"], orient="row")
    found = recommend(built, pl.Series(users, dtype=pl.String), k=k, excluded=pairs.cast(pl.String))
    assert [row[:3] for row in found.rows()] == [row[:3] for row in expected]
    np.testing.assert_allclose(found["score"], [row[3] for row in expected], atol=1e-6)


@pytest.mark.parametrize("build", PERSONAL)
def test_of_an_unknown_user_a_personal_model_has_no_opinion(build: Build) -> None:
    assert recommend(build(1), pl.Series(["nobody"]), k=3).is_empty()


@pytest.mark.parametrize("build", PERSONAL)
def test_the_job_of_the_own_trade_comes_first(build: Build) -> None:
    found = lists(recommend(build(1), pl.Series(["u0", "u4"]), k=1, excluded=trades(SKIPPED)))
    assert found == {"u0": ["j2"], "u4": ["j5"]}


@pytest.mark.parametrize("build", ALL)
def test_threads_and_batches_change_nothing(build: Build) -> None:
    one = recommend(build(1), pl.Series(USERS), k=6)
    assert one.equals(recommend(build(2), pl.Series(USERS), k=6))
    assert one.equals(pl.concat([recommend(build(1), pl.Series([user]), k=6) for user in USERS]))


@pytest.mark.parametrize("build", ALL)
def test_blocks_of_users_keep_their_own_exclusions(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    excluded = pl.DataFrame({"user_id": ["u7", "u0", "u4"], "job_id": ["j3", "j1", "j4"]})
    whole = recommend(build(1), pl.Series(USERS), k=6, excluded=excluded)
    monkeypatch.setattr(recommender, "_MAX_BLOCK_ROWS", 3)
    assert recommend(build(1), pl.Series(USERS), k=6, excluded=excluded).equals(whole)


def test_equal_scores_come_in_the_order_of_ids_and_nan_is_no_opinion() -> None:
    assert lists(recommend(popularity(1), pl.Series(["anyone"]), k=9)) == {"anyone": ["j1", "j2", "j4", "j0", "j5"]}


def test_lists_that_are_the_same_for_all_leave_out_what_each_user_knows() -> None:
    values = np.array([3, 4, 4, np.nan, 4, 3], dtype=np.float32)
    excluded = csr_from_coordinates(np.array([1, 1]), np.array([1, 0]), np.ones(2), shape=(2, 6))
    assert same_for_all(values, excluded, k=9)[:, :5].tolist() == [[1, 2, 4, 0, 5], [2, 4, 5, -1, -1]]


def test_a_restricted_model_lists_only_what_is_shown() -> None:
    shown = pl.Series(["j2", "j1", "j5", "unheard"])
    whole = recommend(als(1), pl.Series(USERS), k=6)
    found = recommend(Restricted(als(1), shown), pl.Series(USERS), k=6)
    kept = whole.filter(pl.col("job_id").is_in(shown.implode()))
    assert found.select("user_id", "job_id", "score").equals(kept.select("user_id", "job_id", "score"))


def test_a_model_of_no_jobs_recommends_nothing() -> None:
    empty = FactorRecommender(
        pl.Series(USERS),
        np.ones((8, 2), dtype=np.float32),
        pl.Series([], dtype=pl.String),
        np.zeros((0, 2), np.float32),
    )
    assert recommend(empty, pl.Series(USERS), k=3).is_empty()


def test_item_knn_of_an_empty_history_has_no_opinion() -> None:
    known = item_knn(1)
    history = csr_from_coordinates(np.zeros(0, int), np.zeros(0, int), np.zeros(0), shape=(0, len(known.job_ids)))
    nobody = ItemKnn(pl.Series([], dtype=pl.String), history, known.neighbours)  # type: ignore[attr-defined]
    assert recommend(nobody, pl.Series(USERS), k=3).is_empty()
