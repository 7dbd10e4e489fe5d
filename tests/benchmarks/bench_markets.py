"""The learned recipe against every fixed one on simulated markets of several kinds, from landing files on.

Run by hand: `python -m tests.benchmarks.bench_markets FOLDER [--seeds 10] [--kinds merit,hidden]`. Each market is made
and evaluated by the commands themselves; what is there already is not made again. A minute of a core for each market.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from models.evaluation.bootstrap import difference_interval
from pipelines.simulation.kinds import MARKET_KINDS

UNTIL = "2026-11-01"
METRIC = "ndcg@20"
FIXED = ("marketplace", "headhunter", "hybrid", "content", "match", "outcome")
COMMAND = (sys.executable, "-c", "from pipelines.cli.main import main; main()")


def main() -> None:
    """Prints a table for all users and one for cold users."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--kinds", default=",".join(MARKET_KINDS))
    parser.add_argument("--users", type=int, default=1_500)
    parser.add_argument("--jobs", type=int, default=1_200)
    parser.add_argument("--events", type=int, default=80_000)
    options = parser.parse_args()
    size = [f"--{name}={getattr(options, name)}" for name in ("users", "jobs", "events")]
    values = pl.concat(
        evaluated(options.folder / f"{kind}-{seed}", [*size, f"--kind={kind}", f"--seed={seed}"]).with_columns(
            kind=pl.lit(kind), market=pl.lit(f"{kind}-{seed}")
        )
        for seed in range(1, options.seeds + 1)
        for kind in options.kinds.split(",")
    )
    print("\n".join(["## All users", *table(values), "", "## Cold users", *table(values.filter(history="cold"))]))


def evaluated(folder: Path, market: list[str]) -> pl.DataFrame:
    """user_id, list, history and METRIC of the market's evaluation, which holds out the last week."""
    kept = folder / "per_user.parquet"
    if not kept.exists():
        landing, data = folder / "landing", folder / "data"
        run("simulate", str(landing), f"--until={UNTIL}", *market)
        run("evaluate", f"--landing={landing}", "--holdout=time", "--days=7", data=data)
        (made,) = data.glob("evaluation/*/per_user.parquet")
        made.replace(kept)
        shutil.rmtree(data)
        shutil.rmtree(landing)
        print(f"evaluated {folder.name}", file=sys.stderr, flush=True)
    return pl.read_parquet(kept, columns=["user_id", "list", "history", METRIC]).cast({"history": pl.String})


def run(*arguments: str, data: Path | None = None) -> None:
    """Runs a command of the project; raises CalledProcessError with its output."""
    environment = {"JOBFEED_DATA": str(data)} if data else {}

    subprocess.run([*COMMAND, *arguments], check=True, capture_output=True, text=True, env=os.environ | environment)


def table(values: pl.DataFrame) -> Iterator[str]:
    """Rows in Markdown: learned, the best fixed recipe and the best model of each kind, the gain and its interval."""
    yield f"| market | users | learned {METRIC} | best fixed recipe | gain | 95 % | best single model | markets won |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for kind in values["kind"].unique(maintain_order=True):
        wide = values.filter(kind=kind).pivot("list", index=["market", "user_id"], values=METRIC)
        means = {name: wide[name].mean() for name in wide.columns if name not in ("market", "user_id")}
        fixed = max((name for name in FIXED if name in means), key=lambda name: means[name])
        model = max((name for name in means if name not in (*FIXED, "learned")), key=lambda name: means[name])
        if "learned" not in wide.columns:
            yield f"| {kind} | {len(wide)} | never promoted | {fixed} {means[fixed]:.3f} | | | | |"
            continue
        # A market without a promoted fit is served by the default recipe.
        learned = wide["learned"].fill_null(wide["marketplace"])
        lower, upper = difference_interval(learned.to_numpy(), wide[fixed].to_numpy(), seed=1)
        by_market = wide.with_columns(gain=learned - wide[fixed]).group_by("market").agg(pl.col("gain").mean())
        yield (
            f"| {kind} | {len(wide)} | {learned.mean():.3f} | {fixed} {means[fixed]:.3f} "
            f"| {learned.mean() - means[fixed]:+.3f} | {lower:+.3f} to {upper:+.3f} | {model} {means[model]:.3f} "
            f"| {(by_market['gain'] > 0).sum()} of {len(by_market)} |"
        )


if __name__ == "__main__":
    main()
