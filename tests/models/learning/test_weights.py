import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.learning.examples import Examples, folds, sampled, with_positives
from models.learning.weights import Penalty, fit_weights, named, normalised

_PENALTY = Penalty(l2=1e-3, neutral=0.5)


def _world(seed: int, weights: list[float], *, n_users: int = 60, n_jobs: int = 30) -> Examples:
    """Users who choose one to three of their candidates by `weights`, the noise being that of a conditional logit."""
    rng = np.random.default_rng(seed)
    values = rng.random((n_users, n_jobs, len(weights))).astype(np.float32)
    appeal = values @ np.array(weights) * 8 + rng.gumbel(size=(n_users, n_jobs))
    n_chosen = rng.integers(1, 4, n_users)[:, None]
    gain = (np.argsort(np.argsort(-appeal, axis=1), axis=1) < n_chosen) * rng.integers(1, 4, (n_users, n_jobs))
    return Examples(
        values.reshape(-1, len(weights)),
        gain.astype(np.float32).ravel(),
        np.ones(n_users * n_jobs, dtype=np.float32),
        np.repeat(np.arange(n_users, dtype=np.int32), n_jobs),
        rng.integers(0, 2**63, n_users * n_jobs).astype(np.uint64),
    )


def _rest(made: Examples) -> tuple[np.ndarray, ...]:
    return made.gain, made.stands_for, made.user, made.pair_hash


def test_the_weights_that_users_choose_by_are_found() -> None:
    found = fit_weights(_world(1, [0.6, 0.3, 0.0], n_users=600), _PENALTY)
    assert found == pytest.approx([0.67, 0.33, 0], abs=0.06)


@given(st.integers(0, 10_000), st.lists(st.floats(-1, 1), min_size=2, max_size=5))
@settings(max_examples=25, deadline=None)
def test_weights_are_at_least_zero_and_sum_to_one_or_are_all_zero(seed: int, weights: list[float]) -> None:
    found = fit_weights(_world(seed, weights, n_users=15, n_jobs=10), _PENALTY)
    assert (found >= 0).all() and (found.sum() == pytest.approx(1, abs=1e-3) or not found.any())


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_order_of_candidates_and_of_components_changes_nothing(seed: int) -> None:
    made, rng = _world(seed, [0.5, 0.2, 0.3], n_users=20, n_jobs=10), np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(made.gain)), made.user))
    columns = rng.permutation(3)
    shuffled = Examples(
        made.values[order][:, columns], made.gain[order], made.stands_for[order], made.user[order], made.pair_hash
    )
    assert fit_weights(shuffled, _PENALTY) == pytest.approx(fit_weights(made, _PENALTY)[columns], abs=5e-3)


def test_what_is_equal_for_all_candidates_of_a_user_gets_no_weight() -> None:
    made = _world(3, [1.0, 0.0])
    of_user = np.random.default_rng(0).random(60).astype(np.float32)[made.user]
    found = fit_weights(Examples(np.column_stack([made.values, of_user]), *_rest(made)), _PENALTY)
    assert found[2] == 0 and found[:2] == pytest.approx(fit_weights(made, _PENALTY), abs=1e-3)


def test_a_component_that_users_choose_against_gets_no_weight() -> None:
    assert fit_weights(_world(4, [0.8, -0.5], n_users=200), _PENALTY)[1] == 0


def test_raising_a_component_of_the_chosen_jobs_raises_its_weight() -> None:
    made = _world(5, [0.5, 0.5], n_users=200)
    raised = made.values.copy()
    raised[made.gain > 0, 0] = np.minimum(raised[made.gain > 0, 0] + 0.2, 1)
    assert fit_weights(Examples(raised, *_rest(made)), _PENALTY)[0] > fit_weights(made, _PENALTY)[0] + 0.05


def test_an_unknown_value_counts_as_neutral() -> None:
    made = _world(6, [0.5, 0.5])
    hidden, filled = made.values.copy(), made.values.copy()
    hidden[::3, 1], filled[::3, 1] = np.nan, 0.5
    found = [fit_weights(Examples(values, *_rest(made)), _PENALTY) for values in (hidden, filled)]
    assert found[0].tolist() == found[1].tolist()


def test_a_component_without_differences_gives_no_recipe() -> None:
    made = _world(7, [0.5])
    constant = Examples(np.full_like(made.values, 0.3), *_rest(made))
    assert named(fit_weights(constant, _PENALTY), ["tags"]) == {}


def test_tiny_weights_are_left_out() -> None:
    assert normalised(np.array([3.0, 1.0, 0.001])).tolist() == [0.75, 0.25, 0]


def test_sampling_keeps_all_positives_and_the_number_that_negatives_stand_for() -> None:
    made = _world(8, [0.5, 0.5], n_users=400)
    few = sampled(made, most=4_000)
    assert few.n_positives == made.n_positives and 3_700 < len(few.gain) < 4_300
    assert few.stands_for[few.gain <= 0].sum() == pytest.approx((made.gain <= 0).sum(), rel=0.05)
    assert (few.stands_for[few.gain > 0] == 1).all()
    assert sampled(made, most=10**6) is made
    assert fit_weights(few, _PENALTY) == pytest.approx(fit_weights(made, _PENALTY), abs=0.08)


def test_users_without_a_choice_are_left_out() -> None:
    made = _world(9, [0.5, 0.5], n_users=3, n_jobs=4)
    gain = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1], dtype=np.float32)
    kept = with_positives(Examples(made.values, gain, made.stands_for, made.user, made.pair_hash))
    assert set(kept.user.tolist()) == {0}


def test_folds_depend_on_the_user_alone_and_are_of_like_size() -> None:
    users = np.random.default_rng(0).integers(0, 2**63, 4_000).astype(np.uint64)
    dealt = folds(users, n_folds=4)
    assert dealt[::7].tolist() == folds(users[::7], n_folds=4).tolist()
    assert np.bincount(dealt, minlength=4).min() > 900
