from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from models.evaluation.metrics import evaluate_lists
from models.evaluation.recommenders import recommend, recommender_of
from models.evaluation.splits import Split, random_split
from models.fitting import tuning
from models.fitting.als import AlsSettings
from models.fitting.blending import Scored, Truth, blended_ndcg, candidate_shares, choose_weights, score_users
from models.fitting.collaborative import MODELS, Member, ModelKind
from models.fitting.costs import Size, fit_seconds
from models.fitting.item_knn import ItemKnnSettings
from models.fitting.tuning import Budget, Tuned, TuningError, _Search, _search, tune_collaborative
from models.fitting.weights import WeightMatrix
from tests.models.adapters import Popularity

BAD = Member("als", 1.0, AlsSettings(factors=2, iterations=2, n_threads=1, regularization=5.0, alpha=0.1))
STARTS: dict[str, Any] = {name: kind.settings() for name, kind in MODELS.items()} | {"als": BAD.settings}


def groups() -> Split:
    """Five groups of users, each with its own jobs; a third of the pairs is held out."""
    pairs = [
        {"user_id": f"u{user:03}", "job_id": f"j{job + 12 * (user % 5):03}", "weight": 1.0 + job % 3}
        for user in range(120)
        for job in range(12)
        if (user * 5 + job * 7) % 4
    ]
    return random_split(pl.DataFrame(pairs), share=0.3, seed=1)


def clock(step: float) -> Callable[[], float]:
    """Each look at it is `step` seconds later."""
    looks = [0.0]

    def now() -> float:
        looks[0] += step
        return looks[0]

    return now


def tuned(
    *,
    split: Split | None = None,
    n_trials: int = 3,
    seconds: float = 1e9,
    step: float = 0.0,
    memory_bytes: float = 1e9,
    trial_pairs: int = 1_000_000,
) -> Tuned:
    budget = Budget(n_trials, seconds, clock(step), 16, 1, memory_bytes, trial_pairs)
    return tune_collaborative(split or groups(), incumbent=[BAD], starts=STARTS, budget=budget, seed=3)


def test_every_model_is_tried_and_a_bad_incumbent_is_replaced() -> None:
    found = tuned()
    assert set(found.best) == set(MODELS)
    assert [trial["trial"] for trial in found.trials if trial["model"] == "user_knn"] == [0, 1, 2]
    assert found.trials[0]["settings"] == {"is_binary": False, "half_life_days": 36_500.0}
    assert found.is_replaced and found.difference[0] > 0
    assert found.ndcg == found.challenger_ndcg > found.incumbent_ndcg
    assert sum(member.weight for member in found.members) == pytest.approx(1)
    assert not found.is_cut_by_time
    als = [trial["settings"]["factors"] for trial in found.trials if trial["model"] == "als"]
    assert als[0] == 2 and set(als[1:]) == {16}


def few_judged() -> Split:
    """The groups, with the truth of a third of the users."""
    split = groups()
    judged = split.truth["user_id"].unique().sort().gather_every(3).implode()
    return replace(split, truth=split.truth.filter(pl.col("user_id").is_in(judged)))


def test_trials_of_much_data_fit_on_a_sample_and_only_the_best_of_them_on_all_users(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    n_users: list[int] = []
    fit = MODELS["item_knn"].fit

    def counted(weights: WeightMatrix, *rest: Any) -> Any:
        n_users.append(len(weights.user_ids))
        return fit(weights, *rest)

    monkeypatch.setitem(tuning.MODELS, "item_knn", ModelKind(ItemKnnSettings, counted))
    split = few_judged()
    n_all, n_judged = len(split.train(1.0).user_ids), split.truth["user_id"].n_unique()
    found = tuned(split=split, n_trials=5, trial_pairs=300)
    assert n_users[5:] == [n_all, n_all]
    assert len(set(n_users[:5])) == 1 and n_judged < n_users[0] < (n_all + n_judged) / 2
    of_item_knn = [trial for trial in found.trials if trial["model"] == "item_knn"]
    trials, finals = of_item_knn[:5], of_item_knn[5:]
    assert not any(trial["is_of_all"] for trial in trials) and all(trial["is_of_all"] for trial in finals)
    best_two = sorted(trials, key=lambda trial: -trial["ndcg"])[:2]
    assert [final["settings"] for final in finals] == [trial["settings"] for trial in best_two]
    assert found.best["item_knn"][1] == max(final["ndcg"] for final in finals)
    assert found == tuned(split=split, n_trials=5, trial_pairs=300)


def test_a_model_that_is_far_behind_on_a_sample_is_not_fitted_on_all_users() -> None:
    found = tuned(split=few_judged(), trial_pairs=300)
    best = {name: max(ndcgs) for name, ndcgs in by_model(found, is_of_all=False).items()}
    finals = by_model(found, is_of_all=True)
    assert finals.keys() == {name for name, ndcg in best.items() if ndcg >= max(best.values()) / 2}
    assert 0 < len(finals) < len(best)


def test_a_model_that_is_far_behind_after_its_first_trials_on_a_sample_gets_no_more() -> None:
    found = tuned(split=few_judged(), n_trials=6, trial_pairs=300)
    ndcgs = by_model(found, is_of_all=False)
    best = max(max(of_model) for of_model in ndcgs.values())
    assert {name for name, of_model in ndcgs.items() if len(of_model) == 3} == {"popularity"}
    assert max(ndcgs["popularity"]) < 0.6 * best
    assert len(by_model(tuned(n_trials=6), is_of_all=True)["popularity"]) == 4  # where nothing is sampled


def test_a_model_that_is_behind_on_all_users_gets_no_second_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_SECOND_FINAL_NDCG_SHARE", 1.0)
    finals = by_model(tuned(split=few_judged(), trial_pairs=300), is_of_all=True)
    first = {name: ndcgs[0] for name, ndcgs in finals.items()}
    assert {name for name, ndcgs in finals.items() if len(ndcgs) == 2} == {
        name for name, ndcg in first.items() if ndcg == max(first.values())
    }


def by_model(found: Tuned, *, is_of_all: bool) -> dict[str, list[float]]:
    ndcgs: dict[str, list[float]] = {}
    for trial in found.trials:
        if trial.get("is_of_all") is is_of_all:
            ndcgs.setdefault(trial["model"], []).append(trial["ndcg"])
    return ndcgs


def test_a_choice_by_samples_does_as_well_as_one_by_all_users() -> None:
    by_sample, by_all = tuned(split=few_judged(), trial_pairs=300), tuned(split=few_judged())
    assert by_sample.is_replaced and by_sample.incumbent_ndcg == by_all.incumbent_ndcg
    assert by_sample.ndcg > 0.95 * by_all.ndcg


def test_without_time_for_finals_the_incumbent_stays() -> None:
    class Clock:
        at = 0.0

        def __call__(self) -> float:
            return self.at

    now = Clock()

    def tick(model: str, _trial: int, _ndcg: float) -> None:
        now.at += 1.0 if model != "linear_items" else 1_000.0

    budget = Budget(1, 900, now, max_factors=16, n_threads=1, trial_pairs=300)
    found = tune_collaborative(few_judged(), incumbent=[BAD], starts=STARTS, budget=budget, seed=3, on_trial=tick)
    tried, finals = found.trials[:5], found.trials[5:]
    assert all("skipped" not in trial for trial in tried) and all("skipped" in trial for trial in finals) and finals
    assert found.is_cut_by_time and found.best == {} and not found.is_replaced


def test_an_incumbent_that_nothing_beats_for_certain_stays() -> None:
    best = tuned().members
    again = tune_collaborative(
        groups(),
        incumbent=best,
        starts=STARTS | {member.model: member.settings for member in best},
        budget=Budget(1, 1e9, clock(0.0), n_threads=1),
        seed=3,
    )
    assert again.members == best
    assert not again.is_replaced
    assert again.ndcg == again.incumbent_ndcg
    assert again.difference[0] <= 0


def test_the_same_seed_gives_the_same_choice() -> None:
    one, two = tuned(), tuned()
    assert one == two


def test_time_that_runs_out_ends_the_trials_and_is_said() -> None:
    found = tuned(n_trials=50, seconds=100, step=1.0)
    assert found.is_cut_by_time
    assert 0 < len(found.trials) < 100
    assert found.is_replaced


def test_the_incumbent_stays_if_there_is_no_time_for_any_trial() -> None:
    found = tuned(seconds=0, step=1.0)
    assert found.is_cut_by_time
    assert found.trials == [] and found.best == {}
    assert found.members == found.incumbent == found.challenger == (BAD,)
    assert found.ndcg == found.incumbent_ndcg == found.challenger_ndcg > 0
    assert found.difference == (0, 0)


def test_the_time_counts_from_when_the_incumbent_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]
    score = _Search.score

    def slow(search: _Search, member: Member, *, of_all: bool = True) -> Scored:
        passed[0] += 100.0
        return score(search, member, of_all=of_all)

    monkeypatch.setattr(_Search, "score", slow)
    budget = Budget(1, 50, lambda: passed[0], max_factors=16, n_threads=1)
    found = tune_collaborative(groups(), incumbent=[BAD], starts=STARTS, budget=budget, seed=3)
    assert [trial["model"] for trial in found.trials] == ["popularity"]


def test_the_users_that_chose_do_not_judge_the_choice() -> None:
    split = groups()
    search = _search(split, 3, Budget(1, 1, clock(0.0)))
    users = search.truth.user_ids
    assert sorted([*search.choosing, *search.judging]) == list(range(len(users)))
    # The users who judge take to jobs that no model can know: no choice is better for them.
    judging = users.gather(search.judging).implode()
    job = pl.when(pl.col("user_id").is_in(judging)).then(pl.lit("unheard-") + pl.col("job_id")).otherwise("job_id")
    found = tuned(split=replace(split, truth=split.truth.with_columns(job_id=job)))
    assert max(ndcg for _, ndcg in found.best.values()) > 0.3
    assert found.challenger != found.incumbent == found.members
    assert (found.challenger_ndcg, found.difference) == (0, (0, 0))


def test_trials_that_need_too_much_memory_are_skipped_and_say_so() -> None:
    found = tuned(memory_bytes=1e4)
    assert found.best == {} and not found.is_replaced
    assert {trial["model"] for trial in found.trials} == set(MODELS)
    for trial in found.trials:
        assert trial["ndcg"] is None
        assert "GB of memory; the limit is 0.0 GB" in trial["skipped"]


def test_trials_that_would_take_too_long_are_skipped_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(model: str, settings: Any, size: Size, *, n_scored_users: int) -> float:
        return 1000.0 if model == "linear_items" else fit_seconds(model, settings, size, n_scored_users=n_scored_users)

    monkeypatch.setattr(tuning, "fit_seconds", slow)
    found = tuned(seconds=500, step=0.5)
    assert set(found.best) == set(MODELS) - {"linear_items"}
    reasons = [trial["skipped"] for trial in found.trials if trial["model"] == "linear_items"]
    assert len(reasons) > 3 and all(reason.endswith("s are left") for reason in reasons)
    assert found.is_cut_by_time


def test_the_first_trial_takes_a_smaller_model_where_the_start_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def large(_model: str, settings: Any, _size: Size) -> float:
        return 2e9 if getattr(settings, "n_neighbours", 0) > 60 else 1.0

    monkeypatch.setattr(tuning, "fit_bytes", large)
    found = tuned(n_trials=1)
    tried = [trial["settings"]["n_neighbours"] for trial in found.trials if trial["model"] == "linear_items"]
    assert tried == [200, 100, 50]
    assert found.best["linear_items"][0].settings.n_neighbours == 50


def test_matrices_of_other_half_lives_are_kept_only_where_there_is_memory() -> None:
    for memory_bytes, kept in ((1e9, [9.0, 7.0]), (1.0, [7.0])):
        search = _search(groups(), 3, Budget(1, 1, clock(0.0), memory_bytes=memory_bytes))
        for half_life_days in (7.0, 9.0, 7.0):
            search.weights(half_life_days)
        assert list(search.matrices) == kept


def test_nothing_held_out_is_an_error() -> None:
    empty = replace(groups(), truth=groups().truth.clear())
    budget = Budget(1, 10, clock(0.0))
    with pytest.raises(TuningError, match="of 0 users are held out"):
        tune_collaborative(empty, incumbent=[BAD], starts=STARTS, budget=budget, seed=1)


def test_the_ndcg_of_one_recommender_in_a_blend_is_that_of_its_lists() -> None:
    split = groups()
    model = recommender_of(MODELS["item_knn"].fit(split.train(1.0), ItemKnnSettings(), 1, 1))
    popular = Popularity(model.job_ids, pl.Series(range(len(model.job_ids)), dtype=pl.Float32).to_numpy() + 1)
    candidates = candidate_shares([score_users(one, split) for one in (popular, model)], Truth.of(split))
    for weights, one in (((1.0, 0.0), popular), ((0.0, 1.0), model)):
        lists = recommend(one, split.truth["user_id"].unique().sort(), k=5, excluded=split.known)
        expected = evaluate_lists(lists, split.truth, k=5)["ndcg"].to_list()
        assert blended_ndcg(candidates, weights, k=5).tolist() == pytest.approx(expected, abs=1e-6)
    assert choose_weights(candidates, k=5)[1] > 0.5
