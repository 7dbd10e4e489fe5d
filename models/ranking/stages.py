"""The ranking of one shard of users: retrieval, scores, rules, diversity, exploration, reasons, rows. Pure.

Each step lives in its own module; here is only their order. Users are taken in blocks whose size bounds memory.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from features.schemas.ranking import FEEDS
from features.schemas.table import UTC_TIMESTAMP
from models.arrays import Csr, Floats, Ints, names_at
from models.explanations.attribution import Listed, explain
from models.ranking.candidates import Candidates
from models.ranking.diversity import CompanyCap, Pool, diversified_order, pool_order, scaled, topic_sketch
from models.ranking.experiments import DEFAULT_ARM, Arm, assign_arms
from models.ranking.exploration import Slots, draw_keys, explore
from models.ranking.feed_rows import Items, item_lists
from models.ranking.job_arrays import JobTable, UserTable
from models.ranking.retrieval import (
    RETRIEVERS,
    BlockScores,
    Limits,
    ShardLists,
    SharedLists,
    lists_of_users,
    retrieve,
    share_lists,
)
from models.ranking.retrievers.inverted_index import wanted_terms
from models.ranking.retrievers.nearest import EXACT_JOBS
from models.ranking.rules import Blockable, blockable, forbidden_rows
from models.ranking.scoring import Pairs, Recipe, Scored, SkillGraph, component_values, score_pairs, skill_graph
from models.ranking.signals import Factors, Signals
from serving.contract.tables import COMPONENTS, FEED_SOURCES

BLOCK_USERS = 256
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
    exact_jobs: int = EXACT_JOBS


@dataclass(frozen=True)
class World:
    """What is the same for all shards: the jobs, what is derived from them once, and when this is."""

    jobs: JobTable
    shared: SharedLists
    blockable: Blockable
    skill_graph: SkillGraph
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
class Shard:
    """The users of one shard, all that is known of them, and who is ranked by which recipe."""

    world: World
    users: UserTable
    signals: Signals
    lists: ShardLists
    wanted: Csr  # users x terms: what they ask for
    forbidden: Csr  # users x jobs that are ruled out by what the users did
    settings: Settings
    arms: Sequence[Arm]
    arm_of_user: Ints
    recipes: Sequence[Recipe]
    recipe_of_user: Ints


def build_world(
    jobs: JobTable,
    *,
    places: pl.DataFrame,
    trending: pl.DataFrame,
    job_vectors: Factors,
    limits: Limits,
    as_of: dt.datetime,
) -> World:
    """Prepares what shards share. `places`: latitude and longitude of the users; `trending` has schema TRENDING."""
    return World(
        jobs=jobs,
        shared=share_lists(jobs, places=places, trending=trending, limits=limits),
        blockable=blockable(jobs),
        skill_graph=skill_graph(jobs),
        sketch=topic_sketch(job_vectors.rows),
        as_of=as_of,
    )


def places_of(users: UserTable) -> pl.DataFrame:
    """Columns latitude and longitude, null where unknown."""
    return pl.DataFrame({"latitude": users.latitude, "longitude": users.longitude}).fill_nan(None)


def build_shard(world: World, users: UserTable, signals: Signals, *, forbidden: Csr, settings: Settings) -> Shard:
    """Assigns arms and looks up shared lists; `forbidden` as in Shard."""
    arms = settings.arms or (Arm(DEFAULT_ARM, 1.0, settings.default_recipe),)
    names = sorted({arm.recipe for arm in arms})
    arm_of_user = assign_arms(users.ids, salt=settings.salt, arms=arms)
    return Shard(
        world=world,
        users=users,
        signals=signals,
        lists=lists_of_users(users, world.shared, world.jobs),
        wanted=wanted_terms(world.shared.terms, users, signals.affinity),
        forbidden=forbidden,
        settings=settings,
        arms=arms,
        arm_of_user=arm_of_user,
        recipes=[settings.recipes[name] for name in names],
        recipe_of_user=np.array([names.index(arm.recipe) for arm in arms], dtype=np.int32)[arm_of_user],
    )


def rank_shard(shard: Shard, *, now: Callable[[], float]) -> ShardFeeds:
    """Feeds of all users of the shard that have a profile or a history; the others get none.

    `now` counts seconds, for the timings only.
    """
    users = shard.users
    blocks = [slice(start, min(start + BLOCK_USERS, users.n)) for start in range(0, users.n, BLOCK_USERS)]
    done = [_rank_block(shard, block, now=now) for block in blocks]
    timings = Timings()
    for _, spent in done:
        timings.add(spent)
    feeds = pl.DataFrame(
        {
            "user_id": users.ids,
            "generated_at": pl.Series([shard.world.as_of], dtype=UTC_TIMESTAMP).new_from_index(0, users.n),
            "recipe": names_at(pl.Series([arm.recipe for arm in shard.arms]), shard.arm_of_user),
            "arm": names_at(pl.Series([arm.name for arm in shard.arms]), shard.arm_of_user),
            "source": names_at(pl.Series(FEED_SOURCES), feed_sources(users, shard.signals)),
            "items": pl.concat([part for part, _ in done]) if done else FEEDS.empty()["items"],
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


def pairs_of(shard: Shard, block: slice, job: Ints, scores: BlockScores) -> Pairs:
    """The users of a block against `job` (B, C); padding stands for the first job."""
    return Pairs(
        users=shard.users,
        jobs=shard.world.jobs,
        signals=shard.signals,
        of_block=scores,
        first_user=block.start,
        job=np.maximum(job, 0),
        skill_graph=shard.world.skill_graph,
    )


def retrieve_block(shard: Shard, block: slice) -> tuple[Candidates, BlockScores]:
    """What the retrievers propose to the users of a block, and what they tell of the scores."""
    return retrieve(
        block,
        jobs=shard.world.jobs,
        signals=shard.signals,
        shared=shard.world.shared,
        lists=shard.lists,
        wanted=shard.wanted,
        forbidden=forbidden_rows(shard.users, shard.world.blockable, shard.forbidden, rows=block),
        limits=shard.settings.limits,
    )


def _rank_block(shard: Shard, block: slice, *, now: Callable[[], float]) -> tuple[pl.Series, Timings]:
    """The item lists of a block of users."""
    clock = [now()]
    found, scores = retrieve_block(shard, block)
    clock.append(now())
    needed = sorted({name for recipe in shard.recipes for name in recipe.normalised()})
    values = component_values(needed, pairs_of(shard, block, found.jobs, scores))
    scored = score_pairs(values, shard.recipes, shard.recipe_of_user[block])
    clock.append(now())
    slots = _choose(shard, block, found.jobs, scored)
    clock.append(now())
    items, n_found_by = _describe(shard, block, found, scored, slots, scores)
    lists = item_lists(items, shard.world.jobs.ids, component_items=shard.settings.component_items)
    clock.append(now())
    stages = ("retrieval", "scoring", "diversity and exploration", "reasons and rows")
    seconds = {name: end - start for name, start, end in zip(stages, clock, clock[1:], strict=False)}
    return lists, Timings(seconds, n_found_by)


def _choose(shard: Shard, block: slice, jobs: Ints, scored: Scored) -> Slots:
    """The lists of a block out of its scored candidates (B, C): diversified, then mixed with explored jobs."""
    table, settings = shard.world.jobs, shard.settings
    safe = np.maximum(jobs, 0)
    relevance = np.where(jobs >= 0, scored.score, -np.inf).astype(np.float32)
    company = np.where(jobs >= 0, table.company[safe], -1).astype(np.int32)
    width = min(jobs.shape[1], settings.feed_items + _POOL_SURPLUS)
    chosen = pool_order(relevance, company, width=width, cap=settings.company_cap)
    job = np.take_along_axis(safe, chosen, axis=1)
    pool = Pool(
        relevance=scaled(np.take_along_axis(relevance, chosen, axis=1)),
        company=np.take_along_axis(company, chosen, axis=1),
        role=table.role[job],
        sketch=shard.world.sketch[job],
    )
    strength = _of_recipes(shard, block, [recipe.diversity for recipe in shard.recipes])
    order = diversified_order(pool, strength=strength, n_items=settings.feed_items, cap=settings.company_cap)
    if width:
        order = np.where(order >= 0, np.take_along_axis(chosen, np.maximum(order, 0), axis=1), -1).astype(np.int32)
    day = (shard.world.as_of.date() - dt.date(1970, 1, 1)).days
    return explore(
        order,
        relevance=relevance,
        company=company,
        job_hash=table.id_hash[safe],
        keys=draw_keys(shard.users.id_hash[block], seed=settings.seed, day=day),
        share=_of_recipes(shard, block, [recipe.exploration_share for recipe in shard.recipes]),
        cap=settings.company_cap,
    )


def _describe(
    shard: Shard, block: slice, found: Candidates, scored: Scored, slots: Slots, scores: BlockScores
) -> tuple[Items, dict[str, int]]:
    """Everything that is stored of the chosen items, and how many of them each retriever had proposed."""
    place = np.maximum(slots.candidate, 0)[:, : None if found.jobs.shape[1] else 0]
    width = place.shape[1]
    is_item = slots.candidate[:, :width] >= 0
    job = np.where(is_item, np.take_along_axis(found.jobs, place, axis=1), -1).astype(np.int32)
    found_by = np.where(is_item, np.take_along_axis(found.found_by, place, axis=1), 0).astype(np.uint16)
    is_explored = slots.is_explored[:, :width] & is_item
    pairs = pairs_of(shard, block, job, scores)
    values = component_values(COMPONENTS, pairs)
    listed = Listed(pairs, values, found_by=found_by, is_explored=is_explored, is_item=is_item)
    items = Items(
        job=job,
        score=np.take_along_axis(scored.score, place, axis=1),
        confidence=np.take_along_axis(scored.confidence, place, axis=1),
        is_seen=pairs.lookup(shard.signals.seen) > 0,
        is_explored=is_explored,
        propensity=slots.propensity[:, :width],
        values=values,
        reasons=explain(listed, shard.recipes, shard.recipe_of_user[block]),
    )
    return items, {name: int(((found_by >> bit) & 1).sum()) for bit, name in enumerate(RETRIEVERS)}


def _of_recipes(shard: Shard, block: slice, values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float32)[shard.recipe_of_user[block]]
