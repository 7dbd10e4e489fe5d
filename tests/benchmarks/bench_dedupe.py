"""Near-duplicates among many jobs: seconds and memory, compared with testing every pair of a company's jobs.

Run by hand: `python -m tests.benchmarks.bench_dedupe [--jobs 200000]`. A tenth of the jobs are re-posts with a word
changed, and a fifth belong to large employers that post one text under one title in many cities.
"""

import argparse
import datetime as dt
import random
import resource
import time
from itertools import combinations

import polars as pl

from features.jobs.dedupe import MIN_SIMILARITY, find_duplicates
from features.schemas.catalog import JOBS
from tests.benchmarks.bench_skills import make_texts

_COLUMNS = (
    "job_id", "company", "title", "city", "country", "work_format", "description", "career_level", "employment_type",
    "experience_min_years", "experience_max_years", "status", "published_at",
)  # fmt: skip


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200_000)
    options = parser.parse_args()
    jobs, true = make_jobs(options.jobs, seed=7)
    before = _peak_gigabytes()
    started = time.perf_counter()
    representative_of = dict(find_duplicates(jobs).iter_rows())
    seconds = time.perf_counter() - started
    found = set(representative_of.items())
    print(f"{jobs.height} jobs, {true.height} re-posts\n\n| way | jobs/s | seconds |\n| --- | ---: | ---: |")
    print(f"| MinHash within company, title and terms | {jobs.height / seconds:,.0f} | {seconds:.1f} |")
    few = jobs.head(jobs.height // 50)
    started = time.perf_counter()
    _every_pair(few)
    slow = time.perf_counter() - started
    print(f"| every pair of a company, of {few.height} jobs | {few.height / slow:,.0f} | {slow:.1f} |")
    groups = dict(true.iter_rows())
    n_right = sum(groups.get(a, a) == groups.get(b, b) for a, b in found)
    print(f"\npeak memory {before:.2f} GiB before, {_peak_gigabytes():.2f} GiB after")
    print(f"precision {n_right / len(found):.4f}, recall {n_right / true.height:.4f}")


def make_jobs(n: int, *, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`n` jobs, and (job_id, the job that it re-posts)."""
    rng = random.Random(seed)
    texts = make_texts(2_000, seed=seed)
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    rows: list[tuple[object, ...]] = []
    true: list[tuple[str, str]] = []
    while len(rows) < n:
        number = len(rows)
        large = rng.random() < 0.01
        company, title = f"Company {number % 40 if large else number}", f"Role {rng.randrange(300)}"
        text = f"{rng.choice(texts)} {number} {number * 7} {number * 13}"
        for city in range(20 if large else 1):
            first = f"a:{len(rows):06}"
            for copy in range(2 if rng.random() < 0.1 else 1):
                job_id = f"a:{len(rows):06}"
                if copy:
                    true.append((job_id, first))
                    words = text.split()
                    words[rng.randrange(len(words))] = "changed"
                    text = " ".join(words)
                terms = (company, title, f"City {city}", "XX", "on_site", text, None, None, None, None, "open")
                rows.append((job_id, *terms, at + dt.timedelta(minutes=len(rows))))
    frame = pl.DataFrame(rows, schema={name: JOBS.columns[name] for name in _COLUMNS}, orient="row")
    return frame, pl.DataFrame(true, schema=["job_id", "duplicate_of"], orient="row")


def _every_pair(jobs: pl.DataFrame) -> int:
    found = 0
    for group in jobs.partition_by("company"):
        shingles = []
        for description in group["description"]:
            words = description.lower().split()
            shingles.append(set(zip(words, words[1:], words[2:], strict=False)))
        for left, right in combinations(shingles, 2):
            found += len(left & right) >= MIN_SIMILARITY * len(left | right)
    return found


def _peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
