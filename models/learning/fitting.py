"""Fits a recipe to what users did after a cut, and measures it on users that it was not fitted to.

Cross-fitting: users are dealt into folds by a hash. What is measured for a user comes from weights fitted to the other
folds, by settings chosen on the other folds. The recipe itself is then fitted to all users.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from features.hashing import mix
from models.arrays import Csr, Doubles, Floats, Ints
from models.evaluation.metrics import ranking_metrics
from models.kernels.dense_rows import top_k
from models.kernels.sparse_rows import lookup
from models.learning.examples import Examples, folds, join_examples, sampled, with_positives
from models.learning.registry import learned_recipe
from models.learning.weights import Penalty, fit_weights, named
from models.ranking.candidates import Candidates
from models.ranking.context import CandidatePairs, JobContext, UserBatch, UserBlock
from models.ranking.retrieval import build_block, retrieve
from models.ranking.scoring import Scored, component_values, score_pairs
from models.ranking.settings import Recipe
from models.ranking.stages import BLOCK_USERS, arrange
from serving.contract.tables import COMPONENTS

LIST_LENGTH = 20
N_FOLDS = 4
PENALTIES = tuple(Penalty(l2, neutral) for l2 in (1e-3, 1e-2) for neutral in (0.0, 0.5))
DIVERSITIES = (0.0, 0.05, 0.15)


@dataclass(frozen=True)
class CandidateBlock:
    """A block of users with their candidates as of the cut, and `gain` (B, C) of each candidate after the cut.

    `truth` (B, J) holds the gains of all jobs, candidates or not.
    """

    block: UserBlock
    found: Candidates
    values: Mapping[str, Floats]
    gain: Floats
    truth: Csr


@dataclass(frozen=True)
class Learned:
    """The fitted recipe, what was chosen for it, its examples, and NDCG@20 of each user (U,) while held out."""

    recipe: Recipe
    penalty: Penalty
    examples: Examples
    ndcg: Doubles


def candidate_blocks(context: JobContext, batch: UserBatch, truth: Csr) -> list[CandidateBlock]:
    """The candidates of all users of the batch with all components; `truth` is users x jobs."""
    blocks = []
    for start in range(0, batch.users.n, BLOCK_USERS):
        rows = slice(start, min(start + BLOCK_USERS, batch.users.n))
        block = build_block(context, batch, rows)
        found = retrieve(block)
        pairs = CandidatePairs(block, found.jobs)
        gain = np.where(found.jobs >= 0, lookup(truth[rows], pairs.job), 0).astype(np.float32)
        blocks.append(CandidateBlock(block, found, component_values(COMPONENTS, pairs), gain, truth[rows]))
    return blocks


def examples_of(blocks: Sequence[CandidateBlock]) -> Examples:
    """The candidates of the blocks as examples; users are numbered over all blocks."""
    parts, start = [], 0
    for one in blocks:
        row, place = np.nonzero(one.found.jobs >= 0)
        users, jobs = one.block.batch.users.id_hash[one.block.rows], one.block.context.jobs.id_hash
        parts.append(
            Examples(
                values=np.stack([one.values[name][row, place] for name in COMPONENTS], axis=1),
                gain=one.gain[row, place],
                stands_for=np.ones(len(row), dtype=np.float32),
                user=(start + row).astype(np.int32),
                pair_hash=mix(users[row] ^ mix(jobs[one.found.jobs[row, place]])),
            )
        )
        start += len(one.gain)
    return join_examples(parts)


def learn(blocks: Sequence[CandidateBlock], *, on_step: Callable[[str], None] = lambda _line: None) -> Learned | None:
    """The recipe fitted to the blocks' outcomes, None if no component helps to foretell them."""
    examples = sampled(with_positives(examples_of(blocks)))
    fold = np.concatenate([folds(one.block.batch.users.id_hash[one.block.rows], n_folds=N_FOLDS) for one in blocks])
    fold_of_example = fold[examples.user]
    by_penalty: dict[Penalty, list[Recipe]] = {}
    for penalty in PENALTIES:
        by_penalty[penalty] = [
            _recipe(examples.take(fold_of_example != number), penalty, diversity=0.0) for number in range(N_FOLDS)
        ]
        on_step(f"fitted weights with {penalty}")
    scored = np.stack([ndcg_by_score(blocks, recipes, fold) for recipes in by_penalty.values()])
    chosen = _chosen(scored, fold)
    fitted = [by_penalty[PENALTIES[chosen[number]]][number] for number in range(N_FOLDS)]
    listed = np.stack(
        [
            ndcg_of_lists(blocks, [replace(recipe, diversity=diversity) for recipe in fitted], fold)
            for diversity in DIVERSITIES
        ]
    )
    strength = _chosen(listed, fold)
    on_step("chose the diversity")
    penalty = PENALTIES[int(np.nanmean(scored, axis=1).argmax())]
    final = _recipe(examples, penalty, diversity=DIVERSITIES[int(np.nanmean(listed, axis=1).argmax())])
    if not final.weights or not all(recipe.weights for recipe in fitted):
        return None
    ndcg = listed[strength[fold], np.arange(len(fold))]
    return Learned(final, penalty, examples, ndcg)


def ndcg_of_lists(blocks: Sequence[CandidateBlock], recipes: Sequence[Recipe], recipe_of_user: Ints) -> Doubles:
    """NDCG@20 of the lists that ranking makes by each user's recipe, (U,)."""
    return np.concatenate([_ndcg(one, place) for one, _, place in _listed(blocks, recipes, recipe_of_user)])


def ndcg_of_recipe(blocks: Sequence[CandidateBlock], recipe: Recipe) -> Doubles:
    """NDCG@20 of the lists that ranking makes by `recipe`, (U,)."""
    return ndcg_of_lists(blocks, [recipe], _nobody(blocks))


def scores_of_lists(blocks: Sequence[CandidateBlock], recipe: Recipe) -> Doubles:
    """The scores of all jobs in the first 20 ranks of the lists that ranking makes by `recipe`, (n,)."""
    found = []
    for _, scored, place in _listed(blocks, [recipe], _nobody(blocks)):
        score = np.take_along_axis(scored.score, np.maximum(place, 0), axis=1)
        found.append(score[place >= 0])
    return np.concatenate(found)


def exploring_as(recipe: Recipe, other: Recipe) -> Recipe:
    """`recipe` exploring at the ranks where `other` does: where jobs are drawn says nothing about an order.

    Recipes are compared like this.
    """
    return replace(recipe, exploration_share=other.exploration_share, exploration_from_rank=other.exploration_from_rank)


def _listed(
    blocks: Sequence[CandidateBlock], recipes: Sequence[Recipe], recipe_of_user: Ints
) -> Iterator[tuple[CandidateBlock, Scored, Ints]]:
    """Each block with its scores and the places among the candidates of the first 20 ranks, -1 for none."""
    start = 0
    for one in blocks:
        of_block = recipe_of_user[start : start + len(one.gain)]
        start += len(one.gain)
        batch = replace(
            one.block.batch, recipes=recipes, recipe_of_user=_spread(of_block, one.block.rows, one.block.batch.users.n)
        )
        scored = score_pairs(one.values, recipes, of_block)
        slots = arrange(replace(one.block, batch=batch), one.found, scored)
        yield one, scored, slots.candidate[:, :LIST_LENGTH]


def _nobody(blocks: Sequence[CandidateBlock]) -> Ints:
    """The first recipe for every user."""
    return np.zeros(sum(len(one.gain) for one in blocks), dtype=np.int32)


def ndcg_by_score(blocks: Sequence[CandidateBlock], recipes: Sequence[Recipe], recipe_of_user: Ints) -> Doubles:
    """NDCG@20 of the candidates in the order of their scores, (U,)."""
    found, start = [], 0
    for one in blocks:
        of_block = recipe_of_user[start : start + len(one.gain)]
        start += len(one.gain)
        scored = score_pairs(one.values, recipes, of_block)
        found.append(_ndcg(one, top_k(one.found.relevance(scored.score), LIST_LENGTH)))
    return np.concatenate(found)


def _ndcg(one: CandidateBlock, place: Ints) -> Doubles:
    gains = np.where(place >= 0, np.take_along_axis(one.gain, np.maximum(place, 0), axis=1), 0)
    relevant = one.truth.copy()
    relevant.data = np.ones_like(relevant.data)
    return ranking_metrics((gains > 0).astype(np.float32), relevant, k=LIST_LENGTH)["ndcg"]


def _spread(of_block: Ints, rows: slice, n_users: int) -> Ints:
    """Recipes of a block's users in their places in the batch."""
    of_batch = np.zeros(n_users, dtype=np.int32)
    of_batch[rows] = of_block
    return of_batch


def _recipe(examples: Examples, penalty: Penalty, *, diversity: float) -> Recipe:
    weights = named(fit_weights(examples, penalty), COMPONENTS)
    return learned_recipe(weights, neutral=penalty.neutral, diversity=diversity)


def _chosen(ndcg: Doubles, fold: Ints) -> Ints:
    """For each fold, the row of `ndcg` (settings, U) with the greatest mean over the users of the other folds."""
    return np.array([int(np.nanmean(ndcg[:, fold != number], axis=1).argmax()) for number in range(N_FOLDS)])
