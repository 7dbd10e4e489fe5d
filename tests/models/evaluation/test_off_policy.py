"""Off-policy estimates: against slow loops over slots, and against the planted truth of a simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.off_policy import (
    cross_fitted_means,
    doubly_robust,
    expected_under_greedy,
    greedy_weights,
    snips,
)


def slow_weights(slots):
    """Each slot: (scores, propensities, index of the shown job)."""
    weights = []
    for scores, logged, shown in slots:
        best = [n for n, score in enumerate(scores) if score >= max(scores) - 1e-9]
        weights.append((shown in best) / len(best) / (logged[shown] / sum(logged)))
    return weights


one_slot = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=n, max_size=n),
        st.lists(st.floats(0.01, 1), min_size=n, max_size=n),
        st.integers(0, n - 1),
    )
)


@given(st.lists(one_slot, max_size=8))
def test_weights_are_those_of_a_loop_over_slots(slots):
    slot = np.repeat(np.arange(len(slots)), [len(scores) for scores, _, _ in slots])
    shown = np.array([n == s for scores, _, s in slots for n in range(len(scores))], dtype=bool)
    scores, logged = (np.array([x for one in slots for x in one[i]], dtype=np.float64) for i in (0, 1))
    assert greedy_weights(scores, logged, slot=slot, shown=shown) == pytest.approx(slow_weights(slots))
    means = [np.mean([p for s, p in zip(one[0], one[1], strict=True) if s >= max(one[0]) - 1e-9]) for one in slots]
    assert expected_under_greedy(logged, scores, slot=slot) == pytest.approx(means)


def test_a_slot_with_two_shown_jobs_is_refused():
    with pytest.raises(ValueError, match="exactly one shown job"):
        greedy_weights(np.ones(2), np.ones(2), slot=np.array([0, 0]), shown=np.array([True, True]))


def test_the_value_of_the_logging_policy_is_the_mean():
    found = snips(np.array([1.0, 0, 0, 1]), np.ones(4), user=np.arange(4))
    assert (found.value, found.n, found.effective_n) == (0.5, 4, 4.0)
    # The standard error of a share of 4: sqrt(0.25 / 3).
    assert found.upper - found.value == pytest.approx(1.959964 * np.sqrt(0.25 / 3))


def test_no_agreement_with_the_policy_gives_no_value():
    found = snips(np.array([1.0]), np.array([0.0]), user=np.array([0]))
    assert np.isnan(found.value)
    assert np.isnan(snips(np.empty(0), np.empty(0), user=np.empty(0, dtype=int)).value)
    nothing = np.zeros(1)
    assert np.isnan(doubly_robust(nothing, nothing, predicted=nothing, predicted_of_policy=nothing, user=nothing).value)


def test_one_user_gives_no_interval():
    found = snips(np.array([1.0, 0.0]), np.ones(2), user=np.zeros(2, dtype=int))
    assert found.value == 0.5
    assert np.isnan(found.lower)


class Logged:
    """Slots of users who were shown one of three drawn jobs each, with unequal chances; the truth is known."""

    n_drawn, slots_of_user = 3, 2

    def __init__(self, seed, n_users):
        rng = np.random.default_rng(seed)
        n = n_users * self.slots_of_user
        self.slot = np.repeat(np.arange(n), self.n_drawn)
        self.user = np.repeat(np.arange(n_users), self.slots_of_user)
        self.quality = rng.normal(size=(n, self.n_drawn))
        self.logged = rng.uniform(0.1, 1, (n, self.n_drawn))
        liking = np.repeat(rng.normal(0, 0.7, n_users), self.slots_of_user)
        self.chance = 1 / (1 + np.exp(-(0.9 * self.quality - 2 + liking[:, None])))
        share = self.logged / self.logged.sum(axis=1, keepdims=True)
        chosen = (rng.random(n)[:, None] > np.cumsum(share, axis=1)).sum(axis=1).clip(0, self.n_drawn - 1)
        self.shown = np.arange(self.n_drawn) == chosen[:, None]
        self.rewards = (rng.random(n) < self.chance[self.shown]).astype(np.float64)
        self.scores = {"good": self.quality, "bad": -self.quality, "random": rng.random((n, self.n_drawn))}

    def truth(self, recipe):
        best = self.scores[recipe].argmax(axis=1)
        return self.chance[np.arange(len(best)), best].mean()

    def weights(self, recipe):
        return greedy_weights(
            self.scores[recipe].ravel(), self.logged.ravel(), slot=self.slot, shown=self.shown.ravel()
        )

    def snips(self, recipe):
        return snips(self.rewards, self.weights(recipe), user=self.user)

    def doubly_robust(self, recipe):
        fold = self.user % 2
        features = self.quality[self.shown][:, None]
        asked = self.quality.reshape(-1, 1)
        predicted = cross_fitted_means(
            features, self.rewards, fold=fold, asked=asked, asked_fold=np.repeat(fold, self.n_drawn)
        )
        return doubly_robust(
            self.rewards,
            self.weights(recipe),
            predicted=predicted.reshape(self.shown.shape)[self.shown],
            predicted_of_policy=expected_under_greedy(predicted, self.scores[recipe].ravel(), slot=self.slot),
            user=self.user,
        )


@pytest.mark.parametrize("recipe", ["good", "bad", "random"])
@pytest.mark.parametrize("estimate", [Logged.snips, Logged.doubly_robust])
def test_estimates_land_within_5_percent_of_the_planted_truth(recipe, estimate):
    log = Logged(7, 60_000)
    found = estimate(log, recipe)
    assert found.value == pytest.approx(log.truth(recipe), rel=0.05)
    assert found.lower < log.truth(recipe) < found.upper
    assert 0 < found.effective_n < found.n


@pytest.mark.parametrize("estimate", [Logged.snips, Logged.doubly_robust])
def test_intervals_hold_the_truth_in_about_95_percent(estimate):
    logs = [Logged(seed, 800) for seed in range(200)]
    found = [(estimate(log, "good"), log.truth("good")) for log in logs]
    assert 0.90 <= np.mean([one.lower < truth < one.upper for one, truth in found]) <= 0.99


def test_a_model_of_the_outcome_makes_the_interval_narrower():
    log = Logged(9, 20_000)
    plain, robust = log.snips("good"), log.doubly_robust("good")
    assert robust.upper - robust.lower < plain.upper - plain.lower


def test_a_user_is_predicted_by_a_model_of_others():
    features, fold = np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([0, 0, 1, 1])
    rewards = np.array([0.0, 0.0, 1.0, 1.0])
    found = cross_fitted_means(features, rewards, fold=fold, asked=features, asked_fold=fold)
    assert found.tolist() == [1.0, 1.0, 0.0, 0.0]
