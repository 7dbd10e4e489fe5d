"""The quality of a data folder's feeds, measured on what users did afterwards, beside plain alternatives; then every
recipe for users without history.

Run by hand: `python tests/benchmarks/bench_quality.py DATA [--days 7] [--k 10] [--truth DATA/truth]`. The folder must
hold events from after the instant that `ranking/feeds` was computed for: ingest at a late instant first, then run
`daily --as-of` an earlier one. With `--truth`, feeds are also measured on the true tastes of the simulated market.
"""

import argparse
import datetime as dt
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from assets.config.loading import load_config
from assets.lake import Lake
from assets.ranking.inputs import lake_tables, load_fitted, ranking_settings
from assets.ranking.shards import whole_batch
from features.schemas.bronze import EVENTS
from features.schemas.catalog import INTERACTIONS, JOBS
from features.schemas.features import JOB_FEATURES
from features.schemas.ranking import FEEDS
from models.arrays import positions
from models.evaluation.metrics import (
    bootstrap_interval,
    catalogue_metrics,
    evaluate_lists,
    intra_list_diversity,
    novelty,
    summarise,
)
from models.evaluation.recommenders import (
    FactorRecommender,
    ItemKnn,
    Popularity,
    Recommender,
    UserKnn,
    als_recommender,
    content_recommender,
    recommend,
)
from models.fitting.als import AlsModel
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.fitting.user_knn import UserNeighbours
from models.fitting.user_vectors import UserVectors
from models.ranking.stages import rank_batch

GAINS = {"click": 1.0, "save": 2.0, "apply": 3.0}
SEED = 1


@dataclass(frozen=True)
class World:
    """The lake as it was at `as_of`: jobs that may be shown (sorted), pairs that are no news, and what came after."""

    lake: Lake
    models: Path
    as_of: dt.datetime
    job_ids: pl.Series
    known: pl.DataFrame
    truth: pl.DataFrame

    @property
    def user_ids(self) -> pl.Series:
        return self.truth["user_id"].unique().sort()


def load_world(data: Path, *, days: int) -> World:
    """Truth: each user's best act on an open job that is new to the user, in the `days` after the feeds were made."""
    lake = Lake(data / "lake")
    feeds = lake.scan("ranking", FEEDS)
    as_of = feeds.select(pl.col("generated_at").max()).collect().item()
    if as_of is None:
        raise SystemExit(f"{data}: has no feeds; run `jobfeed run daily --as-of T` on it first")
    jobs = lake.scan("catalog", JOBS)
    shown = jobs.filter(pl.col("status") == "open", pl.col("duplicate_of").is_null()).select("job_id")
    representative_of = jobs.select("job_id", representative=pl.coalesce("duplicate_of", "job_id"))
    known = (
        lake.scan("catalog", INTERACTIONS)
        .filter(pl.col("is_seen") | pl.col("is_saved") | pl.col("is_applied") | pl.col("is_dismissed"))
        .join(representative_of, on="job_id")
        .select("user_id", job_id="representative")
        .unique()
        .sort("user_id", "job_id")
        .collect()
    )
    truth = (
        lake.scan("bronze", EVENTS)
        .filter(
            pl.col("event_type").is_in(list(GAINS)),
            ~pl.col("is_bot").fill_null(value=False),
            pl.col("occurred_at").is_between(as_of, as_of + dt.timedelta(days=days), closed="right"),
        )
        .join(representative_of, on="job_id")
        .group_by("user_id", job_id="representative")
        .agg(gain=pl.col("event_type").replace_strict(GAINS, return_dtype=pl.Float64).max())
        .join(shown, on="job_id", how="semi")
        .join(known.lazy(), on=["user_id", "job_id"], how="anti")
        .join(feeds.select("user_id"), on="user_id", how="semi")
        .sort("user_id", "job_id")
        .collect()
    )
    if truth.is_empty():
        raise SystemExit(f"{data}: holds no event after {as_of:%Y-%m-%d %H:%M}; ingest at a later instant first")
    return World(lake, data / "models" / "training", as_of, shown.collect()["job_id"].sort(), known, truth)


def feed_lists(world: World) -> pl.DataFrame:
    """The feeds as a reader sees them who leaves out what was seen."""
    feeds = world.lake.scan("ranking", FEEDS).filter(pl.col("user_id").is_in(world.user_ids.implode()))
    return _flat(feeds).collect().join(world.known, on=["user_id", "job_id"], how="anti").pipe(_ranked)


def newcomers(world: World) -> pl.Series:
    """Users who had a profile and had done nothing yet."""
    feeds = world.lake.scan("ranking", FEEDS).filter(pl.col("source") == "profile").select("user_id").collect()
    return feeds["user_id"].filter(feeds["user_id"].is_in(world.user_ids.implode())).sort()


def recipe_lists(world: World, recipe: str, user_ids: pl.Series) -> pl.DataFrame:
    """What `user_ids` would be shown if `recipe` were everybody's."""
    tables, fitted = lake_tables(world.lake), load_fitted(world.models.parent)
    settings = replace(ranking_settings(load_config()), default_recipe=recipe, arms=())
    context, batch = whole_batch(tables, fitted, user_ids, settings=settings, as_of=world.as_of)
    feeds, _ = rank_batch(context, batch, now=time.perf_counter)
    return _flat(feeds.lazy()).collect().join(world.known, on=["user_id", "job_id"], how="anti").pipe(_ranked)


def recommenders(world: World) -> dict[str, Recommender]:
    """The plain alternatives, from what was fitted for the same instant."""
    als = AlsModel.load(world.models / "als.npz")
    near = UserNeighbours.load(world.models / "user_neighbours.npz")
    applied = JobNeighbours.load(world.models / "also_applied.npz")
    vectors = JobVectors.load(world.models / "job_vectors.npz")
    users = UserVectors.load(world.models / "user_vectors.npz")
    shown = positions(vectors.job_ids, world.job_ids)
    history = near.history()
    columns = positions(near.job_ids, applied.job_ids)
    aligned = history[:, np.maximum(columns, 0)].multiply(columns >= 0).tocsr()
    return {
        "popularity": Popularity(world.job_ids, _feature(world, "engagement")),
        "recency": Popularity(world.job_ids, -_feature(world, "age_days")),
        "random": _random(world),
        "ALS": als_recommender(als, job_ids=world.job_ids),
        "item-kNN": ItemKnn(near.user_ids, aligned, applied),
        "user-kNN": UserKnn(near),
        "content": content_recommender(users, world.job_ids, vectors.vectors[shown] * (shown >= 0)[:, None]),
    }


def measure(world: World, name: str, lists: pl.DataFrame, truth: pl.DataFrame, *, k: int) -> dict[str, object]:
    """One row of the table."""
    shown = lists.join(pl.DataFrame({"job_id": world.job_ids}), on="job_id", how="semi")
    per_user = evaluate_lists(shown.select("user_id", "rank", "job_id"), truth, k=k)
    lower, upper = bootstrap_interval(per_user["ndcg"].to_numpy(), seed=SEED)
    popularity = world.known.group_by("job_id").agg(n_users=pl.len())
    vectors = JobVectors.load(world.models / "job_vectors.npz")
    return {
        "list": name,
        f"NDCG@{k}": summarise(per_user)["ndcg"],
        "95 %": f"{lower:.4f}–{upper:.4f}",
        f"Recall@{k}": summarise(per_user)["recall"],
        "MRR": summarise(per_user)["mrr"],
        "hit rate": summarise(per_user)["hit_rate"],
        **catalogue_metrics(shown, world.job_ids, k=k),
        "novelty": novelty(shown, popularity, n_users=world.known["user_id"].n_unique(), k=k),
        "diversity": intra_list_diversity(shown, vectors.job_ids, vectors.vectors, k=k),
    }


def taste_truth(world: World, folder: Path) -> pl.DataFrame:
    """From the tastes that the market was made with: the user's own trade 2, the second trade 1. Not biased by what
    anyone was shown."""
    users = pl.read_parquet(folder / "users.parquet").select("user_id", "family", "second_family")
    users = users.filter(pl.col("user_id").is_in(world.user_ids.implode()))
    jobs = pl.read_parquet(folder / "jobs.parquet").select("job_id", trade="family")
    jobs = jobs.filter(pl.col("job_id").is_in(world.job_ids.implode()))
    wanted = pl.concat(
        [
            users.select("user_id", trade=name, gain=pl.lit(gain))
            for name, gain in (("family", 2.0), ("second_family", 1.0))
        ]
    )
    return (
        wanted.drop_nulls("trade")
        .join(jobs, on="trade")
        .group_by("user_id", "job_id")
        .agg(pl.col("gain").max())
        .join(world.known, on=["user_id", "job_id"], how="anti")
        .sort("user_id", "job_id")
    )


def markdown(rows: list[dict[str, object]]) -> str:
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + " --- |" * len(rows[0])]
    for row in rows:
        cells = (f"{value:.4f}" if isinstance(value, float) else str(value) for value in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a data folder with lake/ and models/")
    parser.add_argument("--days", type=int, default=7, help="how long after the feeds an act still counts")
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--truth", type=Path, help="the folder that `jobfeed simulate --truth` wrote")
    options = parser.parse_args()
    world = load_world(options.data, days=options.days)
    lists = {"feeds": feed_lists(world)}
    for name, recommender in recommenders(world).items():
        lists[name] = recommend(recommender, world.user_ids, k=options.k, excluded=world.known)
    truths = {"what users did": world.truth}
    if options.truth is not None:
        truths["known tastes"] = taste_truth(world, options.truth)
    print(f"Feeds of {world.as_of:%Y-%m-%d %H:%M} UTC, {options.days} days after; {len(world.job_ids)} open jobs.")
    for title, truth in truths.items():
        print(f"\n{title}: {truth['user_id'].n_unique()} users, {len(truth)} pairs\n")
        print(markdown([measure(world, name, made, truth, k=options.k) for name, made in lists.items()]))
    new = newcomers(world)
    by_recipe = {f"recipe {name}": recipe_lists(world, name, new) for name in sorted(load_config().ranking.recipes)}
    plain = {name: lists[name] for name in ("content", "popularity", "recency", "random")}
    for title, truth in truths.items():
        of_new = truth.filter(pl.col("user_id").is_in(new.implode()))
        print(f"\n{title}, users without history: {of_new['user_id'].n_unique()} users, {len(of_new)} pairs\n")
        both = {**by_recipe, **plain}
        print(markdown([measure(world, name, made, of_new, k=options.k) for name, made in both.items()]))


def _flat(feeds: pl.LazyFrame) -> pl.LazyFrame:
    items = feeds.select("user_id", "items").explode("items").drop_nulls("items").unnest("items")
    return items.select("user_id", "rank", "job_id")


def _ranked(lists: pl.DataFrame) -> pl.DataFrame:
    """Ranks counted anew, after items were left out."""
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("user_id")
    return lists.sort("user_id", "rank").with_columns(rank=rank)


def _feature(world: World, name: str) -> np.ndarray:
    features = world.lake.scan("features", JOB_FEATURES).select("job_id", name).collect()
    wanted = pl.DataFrame({"job_id": world.job_ids}).join(features, on="job_id", how="left", maintain_order="left")
    return wanted[name].cast(pl.Float32).fill_null(float("nan")).to_numpy(writable=True)


def _random(world: World) -> FactorRecommender:
    generator = np.random.default_rng(SEED)
    users = generator.normal(size=(len(world.user_ids), 32)).astype(np.float32)
    jobs = generator.normal(size=(len(world.job_ids), 32)).astype(np.float32)
    return FactorRecommender(world.user_ids, users, world.job_ids, jobs)


if __name__ == "__main__":
    main()
