"""The choice of the collaborative model that predicts held-out interactions best, of its parameters, or of a blend.

A Tree-structured Parzen Estimator (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011) by Optuna for
each model of the registry, one trial after the other: the same inputs and seed give the same choice, unless the time
runs out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from features.errors import JobfeedError
from models.arrays import Doubles
from models.evaluation.bootstrap import difference_interval
from models.evaluation.metrics import evaluate_lists
from models.evaluation.recommenders import Blend, Recommender, recommend, recommender_of
from models.evaluation.splits import NO_DECAY_DAYS, Split
from models.fitting.blending import blended_ndcg, candidate_shares, choose_weights
from models.fitting.collaborative import ALS, ITEM_KNN, LINEAR_ITEMS, MODELS, POPULARITY, USER_KNN, Member
from models.fitting.weights import WeightMatrix

LIST_LENGTH = 20
FACTORS = (16, 32, 64, 128, 256)
# Neighbours of all jobs together: 200 for 100,000 jobs, whose regressions take about a minute on two cores.
_MAX_LINEAR_COEFFICIENTS = 20_000_000
_POPULARITY_TRIALS = 4
_STARTUP_TRIALS = 5  # drawn without a model of what is good

OnTrial = Callable[[str, int, float], None]  # model, trial from 0, NDCG


class TuningError(JobfeedError, ValueError):
    """No interaction is held out to choose by."""


@dataclass(frozen=True)
class Budget:
    """At most `n_trials` for each model, and no trial begins after `seconds`, counted by `now`.

    The seconds begin when the incumbent has been evaluated. They are shared among the models; a model that is cheap
    leaves its rest to the others.
    """

    n_trials: int
    seconds: float
    now: Callable[[], float]
    max_factors: int = 128
    n_threads: int = 2


@dataclass(frozen=True)
class Result:
    """Settings of a model with NDCG@20 of each user of the truth, and the mean recall@20."""

    member: Member
    ndcg: Doubles
    recall: float
    recommender: Recommender

    @property
    def mean(self) -> float:
        # Nine decimals: another order of summation must not lead to another choice.
        return round(float(self.ndcg.mean()), 9)


@dataclass(frozen=True)
class Tuned:
    """`members`: the choice, which is the incumbent unless the challenger is better for certain.

    `difference`: the 95 % interval of challenger minus incumbent. `best`: each model's best result, without the fit.
    `trials`: model, trial, settings, ndcg, recall.
    """

    members: tuple[Member, ...]
    incumbent: tuple[Member, ...]
    incumbent_ndcg: float
    challenger: tuple[Member, ...]
    challenger_ndcg: float
    difference: tuple[float, float]
    best: Mapping[str, tuple[Member, float]]
    trials: Sequence[Mapping[str, Any]]
    is_cut_by_time: bool

    @property
    def is_replaced(self) -> bool:
        return self.members != self.incumbent

    @property
    def ndcg(self) -> float:
        return self.challenger_ndcg if self.is_replaced else self.incumbent_ndcg


@dataclass
class _Search:
    """What the trials of one search share, and what they found."""

    split: Split
    seed: int
    budget: Budget
    matrices: dict[float, WeightMatrix] = field(default_factory=dict)
    trials: list[dict[str, Any]] = field(default_factory=list)
    is_cut_by_time: bool = False

    def weights(self, half_life_days: float) -> WeightMatrix:
        if half_life_days not in self.matrices:
            self.matrices[half_life_days] = self.split.train(half_life_days)
        return self.matrices[half_life_days]

    def fit(self, member: Member) -> Recommender:
        kind = MODELS[member.model]
        weights = self.weights(member.settings.half_life_days)
        return recommender_of(kind.fit(weights, member.settings, self.seed, self.budget.n_threads))

    def evaluate(self, member: Member, recommender: Recommender) -> Result:
        users = self.split.truth["user_id"].unique().sort()
        lists = recommend(recommender, users, k=LIST_LENGTH, excluded=self.split.known)
        found = evaluate_lists(lists, self.split.truth, k=LIST_LENGTH)
        recall = round(float(found["recall"].mean()), 9)  # type: ignore[arg-type]
        return Result(member, found["ndcg"].to_numpy(), recall, recommender)


def tune_collaborative(
    split: Split,
    *,
    incumbent: Sequence[Member],
    starts: Mapping[str, Any],
    budget: Budget,
    seed: int,
    on_trial: OnTrial | None = None,
) -> Tuned:
    """The best model or blend by NDCG@20 on the truth of `split`.

    The incumbent stays unless the lower bound of the paired bootstrap difference is above 0. A blend must beat the best
    single model in the same way. If there is no time for any trial, the incumbent stays. `starts` are the settings of
    each model of the registry that are tried first. Raises TuningError if nothing is held out.
    """
    if split.truth.is_empty():
        raise TuningError("no interaction is held out to choose by; there must be clicks, saves or applications in it")
    search = _Search(split, seed, budget)
    incumbent = tuple(incumbent)
    of_incumbent = _incumbent_ndcg(search, incumbent)
    ends = budget.now() + budget.seconds
    best: dict[str, Result] = {}
    for number, name in enumerate(MODELS):
        share = (ends - budget.now()) / (len(MODELS) - number)
        found = _best_trial(search, name, starts[name], budget.now() + share, on_trial)
        if found is not None:
            best[name] = found
    results = sorted(best.values(), key=lambda result: -result.mean)
    challenger, ndcg = _single_or_blend(search, results) if results else (incumbent, of_incumbent)
    difference = difference_interval(ndcg, of_incumbent, seed=seed)
    return Tuned(
        members=challenger if difference[0] > 0 else incumbent,
        incumbent=incumbent,
        incumbent_ndcg=round(float(of_incumbent.mean()), 9),
        challenger=challenger,
        challenger_ndcg=round(float(ndcg.mean()), 9),
        difference=(round(difference[0], 9), round(difference[1], 9)),
        best={name: (result.member, result.mean) for name, result in best.items()},
        trials=search.trials,
        is_cut_by_time=search.is_cut_by_time,
    )


def _incumbent_ndcg(search: _Search, incumbent: Sequence[Member]) -> Doubles:
    members = [replace(member, settings=_decayed(search.split, member.settings)) for member in incumbent]
    fitted = [search.fit(member) for member in members]
    whole = Blend(fitted, [member.weight for member in members]) if len(fitted) > 1 else fitted[0]
    return search.evaluate(members[0], whole).ndcg


def _single_or_blend(search: _Search, results: Sequence[Result]) -> tuple[tuple[Member, ...], Doubles]:
    """The best model alone, or the blend of several if it is better for certain."""
    single = results[0]
    candidates = candidate_shares([result.recommender for result in results], search.split)
    weights = choose_weights(candidates, k=LIST_LENGTH)
    ndcg = blended_ndcg(candidates, weights, k=LIST_LENGTH)
    if difference_interval(ndcg, single.ndcg, seed=search.seed)[0] <= 0:
        return (replace(single.member, weight=1.0),), single.ndcg
    members = [replace(one.member, weight=weight) for one, weight in zip(results, weights, strict=True) if weight > 0]
    return tuple(members), ndcg


def _best_trial(search: _Search, name: str, start: Any, ends: float, on_trial: OnTrial | None) -> Result | None:
    """The best of the trials of one model; None if the time is up before the first."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    start = _decayed(search.split, start)
    sampler = optuna.samplers.TPESampler(seed=search.seed, n_startup_trials=_STARTUP_TRIALS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    best: Result | None = None
    now, n_trials = search.budget.now, search.budget.n_trials
    spent = 0.0
    for number in range(min(n_trials, _POPULARITY_TRIALS) if name == POPULARITY else n_trials):
        began = now()
        if began + spent > ends:
            search.is_cut_by_time = True
            break
        trial = study.ask() if number else None
        settings = start if trial is None else _ask(trial, name, start, search)
        member = Member(name, 1.0, settings)
        result = search.evaluate(member, search.fit(member))
        if trial is not None:
            study.tell(trial, result.mean)
        search.trials.append(
            {"model": name, "trial": number, "settings": asdict(settings), "ndcg": result.mean, "recall": result.recall}
        )
        if best is None or result.mean > best.mean:
            best = result
        if on_trial is not None:
            on_trial(name, number, result.mean)
        spent = max(spent, now() - began)
    return best


def _decayed(split: Split, settings: Any) -> Any:
    """The settings without decay, where the split has no times."""
    return settings if split.half_lives else replace(settings, half_life_days=NO_DECAY_DAYS)


def _ask(trial: Any, name: str, start: Any, search: _Search) -> Any:
    """The settings that Optuna proposes for the model `name`; what is not searched stays as in `start`."""
    chosen = _SPACES[name](trial, search)
    lives = sorted({*search.split.half_lives, start.half_life_days})
    return replace(start, **chosen, half_life_days=trial.suggest_categorical("half_life_days", lives))


def _als_space(trial: Any, search: _Search) -> dict[str, Any]:
    factors = [count for count in FACTORS if count <= search.budget.max_factors] or [search.budget.max_factors]
    return {
        "factors": trial.suggest_categorical("factors", factors),
        "regularization": trial.suggest_float("regularization", 1e-2, 1e2, log=True),
        "alpha": trial.suggest_float("alpha", 0.1, 100.0, log=True),
        "popularity_power": trial.suggest_float("popularity_power", 0.0, 1.0),
    }


def _user_knn_space(trial: Any, _search: _Search) -> dict[str, Any]:
    return {
        "n_neighbours": trial.suggest_categorical("n_neighbours", [25, 50, 100, 200, 400]),
        "rarity_power": trial.suggest_float("rarity_power", 0.0, 2.0),
        "activity_power": trial.suggest_float("activity_power", 0.0, 0.6),
        **_common_space(trial),
    }


def _item_knn_space(trial: Any, _search: _Search) -> dict[str, Any]:
    return {
        "n_neighbours": trial.suggest_categorical("n_neighbours", [25, 50, 100, 200, 400]),
        "shrinkage": trial.suggest_float("shrinkage", 0.1, 100.0, log=True),
        "activity_power": trial.suggest_float("activity_power", 0.0, 1.0),
        **_common_space(trial),
    }


def _linear_items_space(trial: Any, search: _Search) -> dict[str, Any]:
    n_jobs = max((len(weights.job_ids) for weights in search.matrices.values()), default=1)
    most = max(50, _MAX_LINEAR_COEFFICIENTS // max(n_jobs, 1))
    return {
        "n_neighbours": trial.suggest_categorical("n_neighbours", [n for n in (50, 100, 200) if n <= most]),
        "regularization": trial.suggest_float("regularization", 1.0, 3000.0, log=True),
        **_common_space(trial),
    }


def _common_space(trial: Any) -> dict[str, Any]:
    return {
        "is_binary": trial.suggest_categorical("is_binary", [True, False]),
        "popularity_power": trial.suggest_float("popularity_power", 0.0, 0.6),
    }


_SPACES: Mapping[str, Callable[[Any, _Search], dict[str, Any]]] = {
    ALS: _als_space,
    USER_KNN: _user_knn_space,
    ITEM_KNN: _item_knn_space,
    LINEAR_ITEMS: _linear_items_space,
    POPULARITY: lambda trial, _search: {"is_binary": trial.suggest_categorical("is_binary", [True, False])},
}
