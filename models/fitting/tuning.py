"""The choice of the collaborative model that predicts held-out interactions best, of its parameters, or of a blend.

A Tree-structured Parzen Estimator (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011) by Optuna for
each model of the registry, one trial after the other. One half of the users chooses; whether the choice is better than
the incumbent is decided by the other half, which nothing was fitted to. The same inputs and seed give the same choice,
unless time runs out. No fitted model is kept.

Trials of large data fit on a sample of the users (successive halving in two steps, Jamieson and Talwalkar,
"Non-stochastic best arm identification and hyperparameter optimization", 2016): the best few settings of each model are
then fitted on all of them, and only those scores count. Models that are far behind get fewer trials and finals.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.errors import JobfeedError
from features.hashing import mix, stable_hash, uniform
from models.arrays import Doubles
from models.evaluation.bootstrap import difference_interval
from models.evaluation.recommenders import recommender_of
from models.evaluation.splits import NO_DECAY_DAYS, Split
from models.fitting.blending import (
    Scored,
    Truth,
    blended_metrics,
    blended_ndcg,
    candidate_shares,
    choose_weights,
    score_users,
)
from models.fitting.collaborative import MODELS, POPULARITY, Member
from models.fitting.costs import Size, fit_bytes, fit_seconds
from models.fitting.search_spaces import ask, smaller
from models.fitting.weights import WeightMatrix

LIST_LENGTH = 20
_POPULARITY_TRIALS = 4
_STARTUP_TRIALS = 5  # drawn without a model of what is good
_HALVES_SALT = "halves"
_MATRICES_SHARE = 0.25  # of the memory, for matrices of several half-lives
_LEAST_USERS = 10
_FIRST_MARGIN = 1.5
_FINALISTS = 2  # settings of each model that are fitted on all users, where trials saw a sample
_FINALISTS_NDCG_SHARE = 0.5  # of the best trial's: a model that is further behind on a sample won't win on all users
# On a sample, a model that is behind by so much after its first trials gets no more; one that is behind on all users
# gets no second final.
_FIRST_TRIALS, _TRIALS_NDCG_SHARE, _SECOND_FINAL_NDCG_SHARE = 3, 0.6, 0.8
_TRIALS_TIME_SHARE = 0.6  # of the time, where finals follow
_SAMPLE_SALT = "trials"

OnTrial = Callable[[str, int, float], None]  # model, trial from 0, NDCG


class TuningError(JobfeedError, ValueError):
    """There are no held-out interactions to choose by."""


@dataclass(frozen=True)
class Budget:
    """At most `n_trials` for each model, `seconds` for all of them, counted by `now`, and `memory_bytes` for a fit.

    The seconds begin when the incumbent has been evaluated. Each model's first trial may use all that is left; then
    the models share it, and one that is cheap leaves its rest to the others. A trial that is estimated to need more
    time or memory than there is is skipped. Trials fit on users with about `trial_pairs` pairs of a user and a job.
    """

    n_trials: int
    seconds: float
    now: Callable[[], float]
    max_factors: int = 128
    n_threads: int = 2
    memory_bytes: float = 4e9
    trial_pairs: int = 400_000


@dataclass(frozen=True)
class Result:
    """Settings of a model with their mean NDCG@20 and recall@20 of the users who choose.

    `is_of_all`: the model was fitted on all users.
    """

    member: Member
    ndcg: float
    recall: float
    scored: Scored
    is_of_all: bool


@dataclass(frozen=True)
class Tuned:
    """`members`: the choice, which is the incumbent unless the challenger is better for certain.

    The NDCGs of incumbent and challenger, and `difference`, the 95 % interval of challenger minus incumbent, are those
    of the users who did not choose. `best`: each model's best result. `trials`: model, trial, settings, ndcg, recall of
    the users who chose, and `is_of_all`, whether it was fitted on all users; `skipped` says why a trial has none.
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
    truth: Truth
    choosing: NDArray[np.intp]  # rows of the truth's users
    judging: NDArray[np.intp]
    seed: int
    budget: Budget
    ends: float = 0.0  # when the time is up
    matrices: dict[float, WeightMatrix] = field(default_factory=dict)
    size: Size = field(default_factory=Size)  # of the largest matrix so far
    trial_size: Size = field(default_factory=Size)  # of the largest one that trials fitted on
    paces: dict[str, float] = field(default_factory=dict)  # seconds of a model's last fit by its estimate
    scored: dict[Member, Scored] = field(default_factory=dict)  # of the incumbent, which may be tried again
    trials: list[dict[str, Any]] = field(default_factory=list)
    is_cut_by_time: bool = False
    hopeless_ndcg: float = 0.0  # of a model's best trial on a sample: more trials of it are not worth their time

    def weights(self, half_life_days: float) -> WeightMatrix:
        made = self.matrices.pop(half_life_days, None) or self.split.train(half_life_days)
        self.matrices[half_life_days] = made  # the one that was used last comes last
        size = Size.of(made)
        self.size = max(self.size, size, key=lambda one: one.n_pairs)
        most = self.budget.memory_bytes * _MATRICES_SHARE
        while len(self.matrices) > 1 and sum(_bytes(one) for one in self.matrices.values()) > most:
            del self.matrices[next(iter(self.matrices))]
        return made

    @cached_property
    def sampled_share(self) -> float:
        """Of the users beside those of the truth, how many trials fit on: by the pairs of the longest half-life."""
        longest = self.weights(max(self.split.half_lives, default=NO_DECAY_DAYS))
        return min(1.0, self.budget.trial_pairs / max(int(longest.values.nnz), 1))

    def trial_weights(self, half_life_days: float) -> WeightMatrix:
        """The rows of the users of the truth, whose lists are judged, and of the same sample of all others."""
        share, weights = self.sampled_share, self.weights(half_life_days)
        if share < 1:
            users = weights.user_ids
            is_judged = users.is_in(self.truth.user_ids.implode()).to_numpy()
            rows = np.flatnonzero(is_judged | (uniform(mix(stable_hash(users, _SAMPLE_SALT))) < share))
            weights = WeightMatrix(users.gather(rows), weights.job_ids, weights.values[rows])
        self.trial_size = max(self.trial_size, Size.of(weights), key=lambda one: one.n_pairs)
        return weights

    def score(self, member: Member, *, of_all: bool = True) -> Scored:
        """What a fit of `member`, which is not kept, says of the users of the truth. Measures the pace of the model."""
        alone, is_whole = replace(member, weight=1.0), of_all or self.sampled_share == 1
        if is_whole and alone in self.scored:
            return self.scored[alone]
        half_life_days = member.settings.half_life_days
        began = self.budget.now()
        weights = self.weights(half_life_days) if is_whole else self.trial_weights(half_life_days)
        fitted = MODELS[member.model].fit(weights, member.settings, self.seed, self.budget.n_threads)
        scored = score_users(recommender_of(fitted), self.split)
        size = self.size if is_whole else self.trial_size
        self.paces[member.model] = (self.budget.now() - began) / self._plain_seconds(member, size)
        return scored

    def evaluate(self, member: Member, *, of_all: bool) -> Result:
        scored = self.score(member, of_all=of_all)
        candidates = candidate_shares([scored], self.truth).of_users(self.choosing)
        found = blended_metrics(candidates, [1.0], k=LIST_LENGTH)
        is_of_all = of_all or self.sampled_share == 1
        return Result(member, _mean(found["ndcg"]), _mean(found["recall"]), scored, is_of_all)

    def refusal(self, member: Member, *, of_all: bool, ends: float) -> str | None:
        """Why a trial of `member` can't be made: the memory it needs, or the time; None if it can.

        A model that can't be fitted on all users in the time that is left is not tried on a sample either.
        """
        need, most = fit_bytes(member.model, member.settings, self.size), self.budget.memory_bytes
        if need > most:
            return f"needs about {need / 1e9:.1f} GB of memory; the limit is {most / 1e9:.1f} GB"
        stages = [(self.size, self.ends if of_all else ends)]
        if not of_all and self.sampled_share < 1:
            stages = [(self.trial_size, ends), (self.size, self.ends)]
        for size, until in stages:
            seconds, left = self.expected_seconds(member, size), until - self.budget.now()
            if seconds > left:
                self.is_cut_by_time = True
                return f"needs about {seconds:.0f} s; {max(left, 0):.0f} s are left"
        return None

    def expected_seconds(self, member: Member, size: Size) -> float:
        """By the pace of the model's last fit; before the first by the usual pace of this machine, with a margin."""
        usual = float(np.median(list(self.paces.values()))) if self.paces else 1.0
        return self.paces.get(member.model, _FIRST_MARGIN * usual) * self._plain_seconds(member, size)

    def _plain_seconds(self, member: Member, size: Size) -> float:
        return fit_seconds(member.model, member.settings, size, n_scored_users=len(self.truth.user_ids))


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

    The incumbent stays unless the lower bound of the paired bootstrap difference is above 0 for the half of the users
    that did not choose. If there is no time for any trial, the incumbent stays. `starts` are the settings of each model
    of the registry that are tried first. Raises TuningError if too little is held out.
    """
    search = _search(split, seed, budget)
    incumbent = tuple(incumbent)
    decayed = [replace(member, settings=_decayed(split, member.settings)) for member in incumbent]
    search.scored = {replace(member, weight=1.0): search.score(member) for member in decayed}
    of_incumbent = candidate_shares(list(search.scored.values()), search.truth)
    incumbent_ndcg = blended_ndcg(of_incumbent, [member.weight for member in incumbent], k=LIST_LENGTH)[search.judging]
    began = budget.now()
    search.ends = began + budget.seconds
    models = {name: _ModelSearch(search, name, _decayed(split, starts[name]), on_trial) for name in MODELS}
    ends = search.ends if search.sampled_share == 1 else began + _TRIALS_TIME_SHARE * budget.seconds
    for one in models.values():
        one.run(1, ends=ends)
    for number, one in enumerate(models.values()):
        one.run(budget.n_trials, ends=budget.now() + (ends - budget.now()) / (len(models) - number))
    _run_finals(search, models)
    best = {name: one.best for name, one in models.items() if one.best is not None}
    challenger, ndcg = incumbent, incumbent_ndcg
    if best:
        challenger, ndcg = _single_or_blend(search, sorted(best.values(), key=lambda result: -result.ndcg))
    difference = difference_interval(ndcg, incumbent_ndcg, seed=seed)
    return Tuned(
        members=challenger if difference[0] > 0 else incumbent,
        incumbent=incumbent,
        incumbent_ndcg=_mean(incumbent_ndcg),
        challenger=challenger,
        challenger_ndcg=_mean(ndcg),
        difference=(round(difference[0], 9), round(difference[1], 9)),
        best={name: (result.member, result.ndcg) for name, result in best.items()},
        trials=search.trials,
        is_cut_by_time=search.is_cut_by_time,
    )


def _search(split: Split, seed: int, budget: Budget) -> _Search:
    truth = Truth.of(split)
    n_users = len(truth.user_ids)
    if n_users < _LEAST_USERS:
        raise TuningError(
            f"interactions of {n_users} users are held out to choose by; there must be clicks, saves or applications "
            f"of at least {_LEAST_USERS}"
        )
    by_hash = np.argsort(stable_hash(truth.user_ids, _HALVES_SALT), kind="stable")
    halves = np.sort(by_hash[: n_users // 2]), np.sort(by_hash[n_users // 2 :])
    return _Search(split, truth, *halves, seed, budget)


def _run_finals(search: _Search, models: Mapping[str, "_ModelSearch"]) -> None:
    """Fits the best settings of each model on all users if their trials saw a sample: those that did best first."""
    if search.sampled_share == 1:
        return
    least = _FINALISTS_NDCG_SHARE * max((one.tried[0][1].ndcg for one in models.values() if one.tried), default=0)
    for place in range(_FINALISTS):
        having = [one for one in models.values() if len(one.tried) > place and one.tried[place][1].ndcg >= least]
        best = max((one.best.ndcg for one in having if one.best is not None), default=0)
        having = [one for one in having if one.best is None or one.best.ndcg >= _SECOND_FINAL_NDCG_SHARE * best]
        for one in sorted(having, key=lambda model: -model.tried[place][1].ndcg):
            one.run_final(*one.tried[place])


def _single_or_blend(search: _Search, results: Sequence[Result]) -> tuple[tuple[Member, ...], Doubles]:
    """The best model alone, or the blend of several if it is better for certain; with the NDCG of the judging users.

    Both are decided by the choosing users.
    """
    every = candidate_shares([result.scored for result in results], search.truth)
    choosing = every.of_users(search.choosing)
    weights, alone = choose_weights(choosing, k=LIST_LENGTH), np.eye(len(results))[0]
    ndcg = [blended_ndcg(choosing, tried, k=LIST_LENGTH) for tried in (weights, alone)]
    if difference_interval(*ndcg, seed=search.seed)[0] <= 0:
        weights = tuple(alone)
    members = [
        replace(one.member, weight=float(weight)) for one, weight in zip(results, weights, strict=True) if weight > 0
    ]
    return tuple(members), blended_ndcg(every.of_users(search.judging), weights, k=LIST_LENGTH)


class _ModelSearch:
    """The trials of one model. `tried`: the best few, by number; `best`: the best one on all users, None if none."""

    def __init__(self, search: _Search, name: str, start: Any, on_trial: OnTrial | None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._search, self._name, self._start, self._on_trial = search, name, start, on_trial
        sampler = optuna.samplers.TPESampler(seed=search.seed, n_startup_trials=_STARTUP_TRIALS)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._refused = optuna.trial.TrialState.FAIL
        self._number = 0
        self.tried: list[tuple[int, Result]] = []
        self.best: Result | None = None

    def run(self, until: int, *, ends: float) -> None:
        """Makes the trials before number `until` while there is time; those that would need too much are skipped."""
        if self._name == POPULARITY:
            until = min(until, _POPULARITY_TRIALS)
        for number in range(self._number, until):
            if number >= _FIRST_TRIALS and self.tried and self.tried[0][1].ndcg < self._search.hopeless_ndcg:
                return
            if self._search.budget.now() > ends:
                self._search.is_cut_by_time = True
                return
            self._try(number, ends)
            self._number = number + 1

    def run_final(self, number: int, found: Result) -> None:
        """Fits the settings of a trial on all users, if there is time."""
        refusal = self._search.refusal(found.member, of_all=True, ends=self._search.ends)
        if refusal is not None:
            self._skip(number, found.member, refusal)
        else:
            self._keep(number, self._search.evaluate(found.member, of_all=True))

    def _try(self, number: int, ends: float) -> None:
        search = self._search
        trial = self._study.ask() if number else None
        settings = self._start
        if trial is not None:
            most = search.budget.max_factors
            settings = ask(trial, self._name, self._start, half_lives=search.split.half_lives, max_factors=most)
        member = Member(self._name, 1.0, settings)
        while (refusal := search.refusal(member, of_all=False, ends=ends)) is not None:
            self._skip(number, member, refusal)
            if trial is not None:
                self._study.tell(trial, state=self._refused)
                return
            # What is known to do well is worth a trial, if only with a smaller model.
            settings = smaller(member.settings)
            if settings is None:
                return
            member = replace(member, settings=settings)
        result = search.evaluate(member, of_all=False)
        if trial is not None:
            self._study.tell(trial, result.ndcg)
        self.tried = sorted([*self.tried, (number, result)], key=lambda one: (-one[1].ndcg, one[0]))[:_FINALISTS]
        if not result.is_of_all:
            search.hopeless_ndcg = max(search.hopeless_ndcg, _TRIALS_NDCG_SHARE * result.ndcg)
        self._keep(number, result)

    def _keep(self, number: int, result: Result) -> None:
        found = {"ndcg": result.ndcg, "recall": result.recall, "is_of_all": result.is_of_all}
        self._search.trials.append({**self._report(number, result.member), **found})
        if result.is_of_all and (self.best is None or result.ndcg > self.best.ndcg):
            self.best = result
        if self._on_trial is not None:
            self._on_trial(self._name, number, result.ndcg)

    def _skip(self, number: int, member: Member, refusal: str) -> None:
        nothing = {"ndcg": None, "recall": None, "skipped": refusal}
        self._search.trials.append({**self._report(number, member), **nothing})

    def _report(self, number: int, member: Member) -> dict[str, Any]:
        return {"model": self._name, "trial": number, "settings": asdict(member.settings)}


def _decayed(split: Split, settings: Any) -> Any:
    """The settings without decay, where the split has no times."""
    return settings if split.half_lives else replace(settings, half_life_days=NO_DECAY_DAYS)


def _mean(values: Doubles) -> float:
    # Nine decimals: another order of summation must not lead to another choice.
    return round(float(values.mean()), 9)


def _bytes(weights: WeightMatrix) -> int:
    return int(weights.values.data.nbytes + weights.values.indices.nbytes + weights.values.indptr.nbytes)
