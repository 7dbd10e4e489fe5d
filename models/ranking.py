"""The ranking of one shard of users: retrieval, scores, rules, diversity, exploration, reasons, rows. Pure.

Each step lives in its own module; here is only their order. Users are taken in blocks whose size bounds memory.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schemas import COMPONENTS, FEED_SOURCES, FEEDS
from models.candidates import Candidates
from models.diversity import CompanyCap, Pool, diversified_order, pool_order, topic_sketch
from models.encoding import Csr, JobTable, UserTable
from models.experiment import DEFAULT_ARM, Arm, assign_arms
from models.exploration import Slots, draw_keys, explore
from models.feed_rows import Items, item_lists
from models.reasons import Listed, explain
from models.retrieval import (
    RETRIEVERS,
    Limits,
    ShardLists,
    SharedLists,
    dense_scores,
    lists_of_users,
    retrieve,
    share_lists,
)
from models.rules import forbidden_mask
from models.scoring import BlockScores, Pairs, Recipe, Scored, adjacent_skills, component_values, score_pairs
from models.signals import Factors, Signals

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

MAX_BLOCK_USERS = 256
_BLOCK_PAIRS = 25_000_000  # users x jobs that a block's dense arrays may hold
_POOL_SURPLUS = 60
_SOURCE_ORDER = ("personal", "profile", "segment", "global")


@dataclass(frozen=True)
class Settings:
    """What ranking is told: recipes and who gets which, sizes, caps, the seed of exploration."""

    recipes: Mapping[str, Recipe]
    default_recipe: str
    limits: Limits
    company_cap: CompanyCap
    feed_items: int = 100
    component_items: int = 20
    arms: Sequence[Arm] = ()
    salt: str = ""
    seed: int = 0
    n_threads: int = 1


@dataclass(frozen=True)
class World:
    """What is the same for all shards: the jobs, what is derived from them once, and when this is."""

    jobs: JobTable
    shared: SharedLists
    adjacent: Csr
    sketch: Floats
    as_of: dt.datetime


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
class ShardFeeds:
    """One shard's rows (schema FEEDS, sorted by user_id) and how they came about."""

    feeds: pl.DataFrame
    timings: Timings


@dataclass(frozen=True)
class _BlockLists:
    items: Items
    n_found_by: Mapping[str, int]


def build_world(
    jobs: JobTable,
    *,
    profiles: pl.DataFrame,
    trending: pl.DataFrame,
    job_vectors: Factors,
    limits: Limits,
    as_of: dt.datetime,
) -> World:
    """Prepares what shards share. `profiles` gives the places of all users, `trending` has schema TRENDING."""
    return World(
        jobs=jobs,
        shared=share_lists(jobs, profiles=profiles, trending=trending, limits=limits),
        adjacent=adjacent_skills(jobs),
        sketch=topic_sketch(job_vectors.rows),
        as_of=as_of,
    )


def rank_shard(
    world: World, users: UserTable, signals: Signals, *, forbidden: Csr, settings: Settings, now: Callable[[], float]
) -> ShardFeeds:
    """Feeds of all users of the table that have a profile or a history; the others get none.

    `forbidden` (users x jobs) are the jobs ruled out by what users did. `now` counts seconds for the timings only.
    """
    arms = settings.arms or (Arm(DEFAULT_ARM, 1.0, settings.default_recipe),)
    recipe_names = sorted({arm.recipe for arm in arms})
    recipes = [settings.recipes[name] for name in recipe_names]
    arm_of_user = assign_arms(users.ids, salt=settings.salt, arms=arms)
    recipe_of_user = np.array([recipe_names.index(arm.recipe) for arm in arms], dtype=np.int32)[arm_of_user]
    lists = lists_of_users(users, world.shared, world.jobs)
    size = max(1, min(MAX_BLOCK_USERS, _BLOCK_PAIRS // max(world.jobs.n, 1)))
    blocks = [slice(start, min(start + size, users.n)) for start in range(0, users.n, size)]

    def rank(block: slice) -> tuple[pl.Series, Timings]:
        return _rank_block(
            block, world, users, signals, lists, forbidden, recipes, recipe_of_user[block], settings=settings, now=now
        )

    with ThreadPoolExecutor(max_workers=settings.n_threads) as pool:
        done = list(pool.map(rank, blocks))
    timings = Timings()
    for _, spent in done:
        timings.add(spent)
    items = pl.concat([part for part, _ in done]) if done else FEEDS.empty()["items"]
    feeds = pl.DataFrame(
        {
            "user_id": users.ids,
            "generated_at": pl.Series([world.as_of], dtype=FEEDS.columns["generated_at"]).new_from_index(0, users.n),
            "recipe": _gather([arm.recipe for arm in arms], arm_of_user),
            "arm": _gather([arm.name for arm in arms], arm_of_user),
            "source": _gather(list(FEED_SOURCES), feed_sources(users, signals)),
            "items": items,
        }
    )
    return ShardFeeds(FEEDS.conform(feeds.drop_nulls("source")), timings)


def feed_sources(users: UserTable, signals: Signals) -> Ints:
    """Position in FEED_SOURCES per user: personal with a history, profile with only a profile, -1 with neither.

    Who switched personalisation off is served by the profile; without one by place (segment) or like anybody (global),
    and only if there is a history to keep out of the feed.
    """
    personal, profile, segment, everybody = (FEED_SOURCES.index(name) for name in _SOURCE_ORDER)
    source = np.where(users.has_profile, profile, -1)
    source = np.where(signals.has_history & users.is_personalised, personal, source)
    without = signals.has_history & ~users.is_personalised & ~users.has_profile
    return np.where(without, np.where(users.country >= 0, segment, everybody), source).astype(np.int32)


def _rank_block(
    block: slice,
    world: World,
    users: UserTable,
    signals: Signals,
    lists: ShardLists,
    forbidden: Csr,
    recipes: Sequence[Recipe],
    recipe_of_row: Ints,
    *,
    settings: Settings,
    now: Callable[[], float],
) -> tuple[pl.Series, Timings]:
    clock = [now()]
    dense = dense_scores(block, signals)
    mask = forbidden_mask(users, world.jobs, forbidden, rows=block)
    found = retrieve(
        block,
        users=users,
        jobs=world.jobs,
        signals=signals,
        shared=world.shared,
        lists=lists,
        dense=dense,
        forbidden=mask,
        limits=settings.limits,
    )
    clock.append(now())
    pairs = _pairs(world, users, signals, dense, block.start, found.jobs)
    needed = sorted({name for recipe in recipes for name in recipe.normalised()})
    values = component_values(needed, pairs)
    scored = score_pairs(values, recipes, recipe_of_row)
    clock.append(now())
    slots = choose_items(found.jobs, scored, world, users.id_hash[block], recipes, recipe_of_row, settings=settings)
    clock.append(now())
    chosen = listed_items(found, scored, slots, world, users, signals, dense, block, recipes, recipe_of_row)
    series = item_lists(chosen.items, world.jobs.ids, component_items=settings.component_items)
    clock.append(now())
    stages = ("retrieval", "scoring", "diversity and exploration", "reasons and rows")
    seconds = {name: end - start for name, start, end in zip(stages, clock, clock[1:], strict=False)}
    return series, Timings(seconds, dict(chosen.n_found_by))


def choose_items(
    jobs: Ints,
    scored: Scored,
    world: World,
    user_hash: NDArray[np.uint64],
    recipes: Sequence[Recipe],
    recipe_of_row: Ints,
    *,
    settings: Settings,
) -> Slots:
    """The lists of a block out of its scored candidates (B, C): diversified, then mixed with explored jobs."""
    safe = np.maximum(jobs, 0)
    relevance = np.where(jobs >= 0, scored.score, -np.inf).astype(np.float32)
    company = np.where(jobs >= 0, world.jobs.company[safe], -1).astype(np.int32)
    width = min(jobs.shape[1], settings.feed_items + _POOL_SURPLUS)
    chosen = pool_order(relevance, company, width=width, cap=settings.company_cap)
    job = np.take_along_axis(safe, chosen, axis=1)
    pool = Pool(
        relevance=np.take_along_axis(relevance, chosen, axis=1),
        company=np.take_along_axis(company, chosen, axis=1),
        role=world.jobs.role[job],
        sketch=world.sketch[job],
    )
    strength = np.array([recipe.diversity for recipe in recipes], dtype=np.float32)[recipe_of_row]
    order = diversified_order(pool, strength=strength, n_items=settings.feed_items, cap=settings.company_cap)
    if width:
        order = np.where(order >= 0, np.take_along_axis(chosen, np.maximum(order, 0), axis=1), -1).astype(np.int32)
    day = (world.as_of.date() - dt.date(1970, 1, 1)).days
    return explore(
        order,
        jobs=jobs,
        company=company,
        job_hash=world.jobs.id_hash[safe],
        keys=draw_keys(user_hash, seed=settings.seed, day=day),
        share=np.array([recipe.exploration_share for recipe in recipes], dtype=np.float32)[recipe_of_row],
        cap=settings.company_cap,
    )


def listed_items(
    found: Candidates,
    scored: Scored,
    slots: Slots,
    world: World,
    users: UserTable,
    signals: Signals,
    dense: BlockScores,
    block: slice,
    recipes: Sequence[Recipe],
    recipe_of_row: Ints,
) -> _BlockLists:
    """Everything that is stored of the chosen items."""
    is_item = slots.candidate >= 0
    place = np.maximum(slots.candidate, 0)
    if found.jobs.shape[1] == 0:
        place, is_item = place[:, :0], is_item[:, :0]
    job = np.where(is_item, np.take_along_axis(found.jobs, place, axis=1), -1).astype(np.int32)
    found_by = np.where(is_item, np.take_along_axis(found.found_by, place, axis=1), 0).astype(np.uint16)
    width = job.shape[1]
    pairs = _pairs(world, users, signals, dense, block.start, job)
    values = component_values(COMPONENTS, pairs)
    listed = Listed(
        pairs, values, found_by=found_by, is_explored=slots.is_explored[:, :width] & is_item, is_item=is_item
    )
    items = Items(
        job=job,
        score=np.take_along_axis(scored.score, place, axis=1),
        confidence=np.take_along_axis(scored.confidence, place, axis=1),
        is_seen=pairs.lookup(signals.seen) > 0,
        is_explored=listed.is_explored,
        propensity=slots.propensity[:, :width],
        values=values,
        reasons=explain(listed, recipes, recipe_of_row),
    )
    n_found_by = {name: int(((found_by >> bit) & 1).sum()) for bit, name in enumerate(RETRIEVERS)}
    return _BlockLists(items, n_found_by)


def _pairs(world: World, users: UserTable, signals: Signals, dense: BlockScores, first: int, job: Ints) -> Pairs:
    return Pairs(
        users=users,
        jobs=world.jobs,
        signals=signals,
        dense=dense,
        first_user=first,
        job=np.maximum(job, 0),
        adjacent_skills=world.adjacent,
    )


def _gather(names: Sequence[str], positions: Ints) -> pl.Series:
    indices = pl.Series(np.where(positions < 0, len(names), positions), dtype=pl.UInt32)
    return pl.Series([*names, None], dtype=pl.String).gather(indices)
