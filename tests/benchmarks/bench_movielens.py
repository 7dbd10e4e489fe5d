"""The collaborative models on MovieLens 100k, read from landing files by the pipeline's own assets.

Run by hand on your own copy of the data (https://grouplens.org/datasets/movielens/100k/, not to be passed on):
`python -m tests.benchmarks.bench_movielens FOLDER`, where FOLDER holds `u.data` and `u.item`, or the same as RecBole's
atomic files. A random fifth of the ratings is held out; parameters are chosen on a fifth of the rest. Lists are drawn
from all films except those of the training part.
"""

import argparse
import datetime as dt
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl

from assets.resources import AS_OF_TAG, Workspace
from assets.training.inputs import consented, representatives
from assets.training.tuning import keep_tuned
from features.schemas.catalog import DAILY_INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from models.evaluation.metrics import bootstrap_interval, evaluate_lists, summarise
from models.evaluation.recommenders import ItemKnn, Popularity, Recommender, UserKnn, als_recommender, recommend
from models.evaluation.splits import random_split
from models.fitting.als import AlsModel, AlsSettings, fit_als
from models.fitting.item_knn import fit_also_applied
from models.fitting.tuning import tune_als
from models.fitting.user_knn import UserNeighbours
from models.fitting.weights import WINDOW_HALF_LIVES, WeightMatrix, decayed_weights
from pipelines.definitions import build_defs

SOURCE = "movielens"
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.2
# What a rating says as an act on a job: all are positive, as all were watched.
EVENT_OF_RATING = {1: "view", 2: "view", 3: "click", 4: "save", 5: "apply"}
NO_DECAY_DAYS = 36_500.0  # in a random split the past holds what is to be foretold
SHIFTED_DAYS = 10_227  # 28 years: event times before 2000 are taken for mistakes
K = 20


@dataclass(frozen=True)
class Ratings:
    """`rated`: user_id, job_id, rating, seconds; `films`: source_id, title, tags."""

    rated: pl.DataFrame
    films: pl.DataFrame


def read_ratings(folder: Path) -> Ratings:
    """MovieLens' own files or RecBole's. Raises SystemExit where there are neither."""
    if (folder / "u.data").is_file():
        rated = pl.read_csv(folder / "u.data", separator="\t", has_header=False)
        items = (folder / "u.item").read_text(encoding="latin-1").splitlines()
        films = pl.DataFrame({"source_id": [i.split("|")[0] for i in items], "title": [i.split("|")[1] for i in items]})
        films = films.with_columns(tags=pl.lit([], pl.List(pl.String)))
    elif found := sorted(folder.glob("**/*.inter")):
        rated = pl.read_csv(found[0], separator="\t")
        items_frame = pl.read_csv(found[0].with_suffix(".item"), separator="\t", quote_char=None, infer_schema=False)
        names = items_frame.columns
        films = items_frame.select(source_id=names[0], title=names[1], tags=pl.col(names[3]).str.split(" "))
    else:
        raise SystemExit(f"{folder}: holds neither u.data nor an .inter file; it must be an unpacked MovieLens 100k")
    rated.columns = ["user_id", "job_id", "rating", "seconds"]
    return Ratings(
        rated.select(
            pl.format("ml-{}", "user_id").alias("user_id"),
            pl.format(f"{SOURCE}:{{}}", "job_id").alias("job_id"),
            pl.col("rating").cast(pl.Int64),
            pl.col("seconds").cast(pl.Int64) + SHIFTED_DAYS * 86_400,
        ).sort("user_id", "job_id"),
        films,
    )


def write_landing(landing: Path, train: pl.DataFrame, films: pl.DataFrame) -> None:
    """The training part as one file of events, the films as jobs."""
    (landing / "jobs").mkdir(parents=True)
    (landing / "interactions").mkdir()
    films.with_columns(source=pl.lit(SOURCE), published_at=pl.lit("2025-09-01")).write_ndjson(
        landing / "jobs" / "films.jsonl"
    )
    train.select(
        pl.format("{}-{}", "user_id", "job_id").alias("event_id"),
        "user_id",
        "job_id",
        event_type=pl.col("rating").replace_strict(EVENT_OF_RATING, return_dtype=pl.String),
        occurred_at="seconds",
    ).write_ndjson(landing / "interactions" / "ratings.jsonl")


def materialise(workspace: Workspace, selection: dg.AssetSelection, as_of: dt.datetime) -> None:
    """Runs the pipeline's own assets in this process. Raises SystemExit if one fails."""
    job = dg.define_asset_job("movielens", selection.without_checks())
    defs = dg.Definitions.merge(build_defs(workspace), dg.Definitions(jobs=[job]))
    with dg.instance_for_test() as instance:
        tags = {AS_OF_TAG: as_of.isoformat()}
        if not defs.resolve_job_def("movielens").execute_in_process(instance=instance, tags=tags).success:
            raise SystemExit("the pipeline failed; see above")


def training_weights(workspace: Workspace, as_of: dt.datetime) -> WeightMatrix:
    """What the lake holds of the training part, as the ALS asset sees it."""
    lake = workspace.lake
    return decayed_weights(
        consented(lake.scan("catalog", DAILY_INTERACTIONS), lake.scan("features", USER_PROFILES)),
        as_of=as_of,
        half_life_days=NO_DECAY_DAYS,
        days=WINDOW_HALF_LIVES * NO_DECAY_DAYS,
        representatives=representatives(lake.scan("catalog", JOBS)),
    )


def as_pairs(weights: WeightMatrix) -> pl.DataFrame:
    """user_id, job_id, weight of a matrix's entries."""
    places = weights.values.tocoo()
    return pl.DataFrame(
        {
            "user_id": weights.user_ids.gather(places.row),
            "job_id": weights.job_ids.gather(places.col),
            "weight": places.data,
        }
    )


def recommenders(workspace: Workspace, weights: WeightMatrix, seed: int) -> dict[str, Recommender]:
    """ALS as the pipeline fitted it with the tuned parameters, and what it is to be compared with."""
    models = workspace.models / "training"
    shipped = AlsSettings(**workspace.config.pipeline.als.model_dump(exclude={"use_tuned"}))
    applied = as_pairs(weights).with_columns(last_at=pl.lit(None, pl.Datetime("us", "UTC")))
    item_knn = fit_also_applied(applied, n_neighbours=100, shrinkage=10.0, max_jobs_per_user=1000)
    n_users = np.bincount(weights.values.indices, minlength=len(weights.job_ids)).astype(np.float32)
    return {
        "ALS, tuned": als_recommender(AlsModel.load(models / "als.npz"), job_ids=weights.job_ids),
        "ALS, parameters as shipped": als_recommender(
            fit_als(weights, settings=shipped, as_of="", seed=seed), job_ids=weights.job_ids
        ),
        "item-kNN": ItemKnn(weights.user_ids, weights.values.sign(), item_knn),
        "user-kNN": UserKnn(UserNeighbours.load(models / "user_neighbours.npz")),
        "popularity": Popularity(weights.job_ids, n_users),
    }


def run(ratings: Ratings, *, seed: int, n_trials: int, data: Path) -> pl.DataFrame:
    """One split from landing files to scores: list, ndcg, lower, upper, recall."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    is_test = pl.Series(np.random.default_rng(seed).random(len(ratings.rated)) < TEST_SHARE)
    train, test = ratings.rated.filter(~is_test), ratings.rated.filter(is_test)
    as_of = dt.datetime.fromtimestamp(int(ratings.rated["seconds"].max()), dt.UTC) + dt.timedelta(days=1)  # type: ignore[arg-type]
    workspace = Workspace(data_dir=str(data))
    write_landing(workspace.landing, train, ratings.films)
    inputs = dg.AssetSelection.assets("training/als").upstream() - dg.AssetSelection.assets("training/als")
    materialise(workspace, inputs, as_of)
    weights = training_weights(workspace, as_of)
    config = workspace.config.pipeline
    start = AlsSettings(**config.als.model_dump(exclude={"use_tuned", "half_life_days"}), half_life_days=NO_DECAY_DAYS)
    split = random_split(as_pairs(weights), share=VALIDATION_SHARE, seed=seed)
    started = time.perf_counter()
    tuned = tune_als(split, start=start, n_trials=n_trials, seed=seed, max_factors=128)
    keep_tuned(workspace.models, tuned, as_of=as_of, config=config)
    names = ("factors", "regularization", "alpha", "popularity_power")
    chosen = json.dumps({name: round(getattr(tuned.settings, name), 3) for name in names})
    print(
        f"seed {seed}: {len(train)} ratings to train on, {weights.values.nnz} pairs in the model, {len(test)} held out"
    )
    print(f"{n_trials} trials in {time.perf_counter() - started:.0f} s: {chosen}")
    print(f"validation NDCG@{K} {tuned.start_ndcg:.4f} -> {tuned.best_ndcg:.4f}", flush=True)
    materialise(workspace, dg.AssetSelection.assets("training/als", "training/user_neighbours"), as_of)
    truth = test.select("user_id", "job_id", gain=pl.lit(1.0))
    users = truth["user_id"].unique().sort()
    rows = []
    for name, recommender in recommenders(workspace, weights, seed).items():
        lists = recommend(recommender, users, k=K, excluded=train.select("user_id", "job_id"))
        found = evaluate_lists(lists, truth, k=K)
        scores = summarise(found)
        low, high = bootstrap_interval(found["ndcg"].to_numpy(), seed=seed)
        rows.append({"list": name, "ndcg": scores["ndcg"], "lower": low, "upper": high, "recall": scores["recall"]})
    return pl.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    ratings = read_ratings(options.folder)
    for seed in options.seeds:
        with tempfile.TemporaryDirectory(prefix="jobfeed-movielens-") as data:
            made = run(ratings, seed=seed, n_trials=options.trials, data=Path(data))
        print(f"\n| list | NDCG@{K} | 95 % | recall@{K} |\n| --- | ---: | --- | ---: |")
        for row in made.iter_rows(named=True):
            print(
                f"| {row['list']} | {row['ndcg']:.4f} | {row['lower']:.3f}–{row['upper']:.3f} | {row['recall']:.4f} |"
            )
        print(flush=True)


if __name__ == "__main__":
    main()
