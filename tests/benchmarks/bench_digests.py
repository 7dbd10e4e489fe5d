"""How much CPU a digest takes: selection apart, 10 jobs each, most of them of few jobs as in a market.

Run by hand: `python -m tests.benchmarks.bench_digests --digests 20000`.
"""

import argparse
import resource
import time

import polars as pl

from assets.digests.assets import BATCH_USERS, Edition
from tests.assets.digests.digest_world import WORDING, market_items, market_jobs, market_readers

JOBS_PER_DIGEST = 10
MARKET_JOBS = 20_000


def main() -> None:
    """Prints CPU and wall time per digest, its mean size, and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digests", type=int, default=20_000)
    n = parser.parse_args().digests
    users = [f"user-{number}" for number in range(n)]
    readers = market_readers({user: "ru" if number % 2 else "en" for number, user in enumerate(users)})
    five, jobs = market_items(["any"]), market_jobs()
    copies = pl.DataFrame({"copy": range(MARKET_JOBS // 5)})
    market = jobs.join(copies, how="cross").with_columns(job_id=pl.format("{}-{}", "job_id", "copy")).drop("copy")
    halves = pl.concat([five, five]).with_columns(place=pl.int_range(1, JOBS_PER_DIGEST + 1))
    rows = pl.DataFrame({"user_id": users}).with_row_index("n").join(halves.drop("user_id"), how="cross")
    copy = (pl.col("n") * 7919 + pl.col("place") * 104_729) % (MARKET_JOBS // 5)
    items = rows.with_columns(job_id=pl.format("{}-{}", "job_id", copy)).drop("n")
    wall, cpu = time.perf_counter(), time.process_time()
    batches = Edition(readers, lambda some: some, items, market, WORDING).rendered()
    n_bytes = sum(int(batch["html"].str.len_bytes().sum()) for batch in batches)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{n} digests in batches of {BATCH_USERS}: {1000 * cpu / n:.3f} ms of CPU and {1000 * wall / n:.3f} ms each, "
        f"{n_bytes / n / 1000:.1f} kB of HTML, peak {peak:.1f} GB"
    )


if __name__ == "__main__":
    main()
