"""The stages of ranking a batch of users, in their order: `_rank_block` is the list. Pure.

Each stage lives in its own module. Users are taken in blocks whose size bounds memory.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from features.schemas.ranking import FEEDS
from features.schemas.table import UTC_TIMESTAMP
from models.arrays import NO_ENTRY, Doubles, Floats, Ints, Longs, names_at, take_or_missing
from models.explanations.attribution import READ_BY_REASONS, explain
from models.explanations.references import Reasons
from models.ranking.candidates import Candidates
from models.ranking.context import CandidatePairs, JobContext, UserBatch, UserBlock
from models.ranking.diversity import build_pool, diversified_order, scaled
from models.ranking.exploration import Slots, draw_keys, explore
from models.ranking.feed_rows import RankedItems, item_lists
from models.ranking.retrieval import RETRIEVERS, build_block, retrieve
from models.ranking.scoring import Scored, component_values, score_candidates, score_pairs
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS, FEED_SOURCES

BLOCK_USERS = 256
_POOL_SURPLUS = 60
_SOURCE_ORDER = ("personal", "profile", "segment", "global")


@dataclass
class Timings:
    """Seconds per stage, and how many listed items each retriever had proposed."""

    seconds: dict[str, float] = field(default_factory=dict)
    n_found_by: dict[str, int] = field(default_factory=dict)

    def add(self, other: "Timings") -> None:
        for name, seconds in other.seconds.items():
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        for name, count in other.n_found_by.items():
            self.n_found_by[name] = self.n_found_by.get(name, 0) + count


@dataclass(frozen=True)
class RecipeLists:
    """The lists of one recipe, (U, n) each: rows of the JobTable, -1 after a list's end, and their scores in [0, 1]."""

    job: Ints
    score: Doubles

    @staticmethod
    def joined(parts: Sequence["RecipeLists"], *, width: int) -> "RecipeLists":
        """Several groups of users as one, padded to `width`."""
        n_users = sum(len(part.job) for part in parts)
        job, score = np.full((n_users, width), NO_ENTRY, dtype=np.int32), np.zeros((n_users, width))
        start = 0
        for part in parts:
            rows = slice(start, start + len(part.job))
            job[rows, : part.job.shape[1]] = part.job
            score[rows, : part.job.shape[1]] = part.score
            start = rows.stop
        return RecipeLists(job, score)


def rank_batch(context: JobContext, batch: UserBatch, *, now: Callable[[], float]) -> tuple[pl.DataFrame, Timings]:
    """The feeds (schema FEEDS, sorted by user_id) of all users with a profile or a history; the others get none.

    `now` counts seconds, for the timings only.
    """
    users, timings, ranked = batch.users, Timings(), []
    for start in range(0, users.n, BLOCK_USERS):
        items, spent = _rank_block(context, batch, slice(start, min(start + BLOCK_USERS, users.n)), now=now)
        ranked.append(items)
        timings.add(spent)
    started = now()
    lists = _item_lists(context, ranked)
    timings.add(Timings({"reasons and rows": now() - started}))
    feeds = pl.DataFrame(
        {
            "user_id": users.ids,
            "generated_at": pl.Series([context.as_of], dtype=UTC_TIMESTAMP).new_from_index(0, users.n),
            "recipe": names_at(pl.Series([arm.recipe for arm in batch.arms]), batch.arm_of_user),
            "arm": names_at(pl.Series([arm.name for arm in batch.arms]), batch.arm_of_user),
            "source": names_at(pl.Series(FEED_SOURCES), feed_sources(batch)),
            "items": lists,
        }
    )
    return FEEDS.conform(feeds.drop_nulls("source")), timings


def rank_by_recipe(context: JobContext, batch: UserBatch, recipes: Sequence[Recipe]) -> dict[str, RecipeLists]:
    """The lists that every user of the batch would get from each recipe, by recipe. Candidates are retrieved once.

    The same stages as in `rank_batch`, without reasons and rows; the batch's arms are ignored.
    """
    parts: dict[str, list[RecipeLists]] = {recipe.name: [] for recipe in recipes}
    needed = sorted({name for recipe in recipes for name in recipe.normalised()})
    for start in range(0, batch.users.n, BLOCK_USERS):
        block = build_block(context, batch, slice(start, min(start + BLOCK_USERS, batch.users.n)))
        found = retrieve(block)
        values = component_values(needed, CandidatePairs(block, found.jobs))
        for recipe in recipes:
            alone = replace(batch, recipes=[recipe], recipe_of_user=np.zeros(batch.users.n, dtype=np.int32))
            of_recipe = replace(block, batch=alone)
            scored = score_pairs(values, alone.recipes, of_recipe.recipe_of_row)
            slots = arrange(of_recipe, found, scored)
            parts[recipe.name].append(_listed(found, scored, slots))
    width = context.settings.feed_items
    return {name: RecipeLists.joined(lists, width=width) for name, lists in parts.items()}


def _listed(found: Candidates, scored: Scored, slots: Slots) -> RecipeLists:
    job = take_or_missing(found.jobs, slots.candidate)
    if scored.score.shape[1] == 0:
        return RecipeLists(job, np.zeros(job.shape))
    return RecipeLists(job, np.take_along_axis(scored.score, np.maximum(slots.candidate, 0), axis=1))


def _rank_block(
    context: JobContext, batch: UserBatch, rows: slice, *, now: Callable[[], float]
) -> tuple[tuple[RankedItems, Reasons], Timings]:
    """The items of a block of users."""
    clock = [now()]
    block = build_block(context, batch, rows)  # excludes: its forbidden jobs reach no later stage
    found = retrieve(block)
    clock.append(now())
    pairs = CandidatePairs(block, found.jobs)
    scored = score_candidates(pairs)
    clock.append(now())
    slots = arrange(block, found, scored)
    clock.append(now())
    items, reasons = _explain(pairs, found, scored, slots)
    clock.append(now())
    stages = ("retrieval", "scoring", "diversity and exploration", "reasons and rows")
    seconds = {name: end - start for name, start, end in zip(stages, clock, clock[1:], strict=False)}
    n_found_by = {name: int(((items.found_by >> bit) & 1).sum()) for bit, name in enumerate(RETRIEVERS)}
    return (items, reasons), Timings(seconds, n_found_by)


def _item_lists(context: JobContext, ranked: Sequence[tuple[RankedItems, Reasons]]) -> pl.Series:
    """The rows of all blocks of a batch, made at once: texts and Arrow cost as much for a block as for a batch."""
    if not ranked:
        return FEEDS.empty()["items"]
    items = RankedItems.joined([of_block for of_block, _ in ranked])
    width = items.job.shape[1]
    reasons = Reasons.joined([of_block for _, of_block in ranked], [width * len(part.job) for part, _ in ranked])
    return item_lists(items.with_reasons(reasons.rows(context.index)), context.jobs.ids)


def feed_sources(batch: UserBatch) -> Ints:
    """Position in FEED_SOURCES per user: personal with a history, profile with only a profile, -1 with neither.

    Users who opted out of personalisation get a feed by their profile. Without a profile they get one by place
    (segment) or the common one (global), and only if they have a history to keep out of it.
    """
    users, has_history = batch.users, batch.has_history
    personal, profile, segment, everybody = (FEED_SOURCES.index(name) for name in _SOURCE_ORDER)
    source = np.where(users.has_profile, profile, -1)
    source = np.where(has_history & users.is_personalised, personal, source)
    without = has_history & ~users.is_personalised & ~users.has_profile
    return np.where(without, np.where(users.country >= 0, segment, everybody), source).astype(np.int32)


def arrange(block: UserBlock, found: Candidates, scored: Scored) -> Slots:
    """The lists of a block by its recipes: diversified, then with explored jobs."""
    return _explore(block, found, scored, _diversify(block, found, scored))


def _diversify(block: UserBlock, found: Candidates, scored: Scored) -> Ints:
    """The lists of a block: positions among the candidates, -1 after the end."""
    context, settings, cap = block.context, block.context.settings, block.context.settings.company_cap
    relevance, width = found.relevance(scored.score), settings.feed_items + _POOL_SURPLUS
    chosen, pool = build_pool(found, relevance, context.jobs, context.sketch, width=width, cap=cap)
    pool = pool._replace(relevance=scaled(pool.relevance))
    strength = block.by_recipe([recipe.diversity for recipe in block.batch.recipes])
    return take_or_missing(chosen, diversified_order(pool, strength=strength, n_items=settings.feed_items, cap=cap))


def _explore(block: UserBlock, found: Candidates, scored: Scored, order: Ints) -> Slots:
    """The lists with some jobs replaced by explored ones."""
    context, batch, settings = block.context, block.batch, block.context.settings
    day = (context.as_of.date() - dt.date(1970, 1, 1)).days
    return explore(
        order,
        relevance=found.relevance(scored.score),
        company=found.values_of(context.jobs.company),
        job_hash=context.jobs.id_hash[np.maximum(found.jobs, 0)],
        keys=draw_keys(batch.users.id_hash[block.rows], seed=settings.seed, day=day),
        share=block.by_recipe([recipe.exploration_share for recipe in batch.recipes]),
        from_rank=np.array([recipe.exploration_from_rank for recipe in batch.recipes])[block.recipe_of_row],
        cap=settings.company_cap,
    )


def _explain(
    candidates: CandidatePairs, found: Candidates, scored: Scored, slots: Slots
) -> tuple[RankedItems, Reasons]:
    """The chosen items with the components that are stored, and their reasons."""
    place = np.maximum(slots.candidate, 0)[:, : None if found.jobs.shape[1] else 0]
    width = place.shape[1]
    is_item = slots.candidate[:, :width] >= 0
    pairs = candidates.at(place)
    items = RankedItems(
        job=take_or_missing(found.jobs, slots.candidate[:, :width]),
        score=np.take_along_axis(scored.score, place, axis=1),
        confidence=np.take_along_axis(scored.confidence, place, axis=1),
        is_seen=pairs.lookup(pairs.batch.seen) > 0,
        is_explored=slots.is_explored[:, :width] & is_item,
        propensity=slots.propensity[:, :width],
        found_by=np.where(is_item, np.take_along_axis(found.found_by, place, axis=1), 0).astype(np.uint16),
        values=_item_values(pairs, scored, place),
    )
    reasons = explain(pairs, items)
    kept = items.stored_places(pairs.context.settings.component_items)
    at = np.maximum(kept, 0)
    values = {name: np.take_along_axis(value, at, axis=1) for name, value in items.values.items()}
    values |= component_values([name for name in COMPONENTS if name not in values], pairs.at(at))
    return items.with_components(values, kept), reasons


def _item_values(pairs: CandidatePairs, scored: Scored, place: Longs) -> dict[str, Floats]:
    """The components of the items at `place` among the candidates: those of the score, and those that reasons read."""
    values = {name: np.take_along_axis(value, place, axis=1) for name, value in scored.values.items()}
    return values | component_values([name for name in READ_BY_REASONS if name not in values], pairs)
