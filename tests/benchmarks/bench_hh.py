"""HH by replay: saved vacancy bodies to bronze and to typed jobs; rate, peak memory, and whether one is lost.

    python -m tests.benchmarks.bench_hh --vacancies 10000 50000 [--like FOLDER] [--plain]

Rates are per second and, in brackets, per second of processor time, which other work on the machine does not lower.
Bodies are the simulator's, or with --like those saved in FOLDER, repeated under new ids. Each part is measured in a
process of its own; "again" reads the same landing folder once more. With --plain, a plain alternative is measured too:
`json.loads` of each file, a loop that picks the same columns, `polars.from_dicts`, one Parquet file. It does not
recognise a file that it has read, refuses nothing and types nothing.
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from assets.catalog.normalising import normalise_new, normaliser_name
from assets.config.files import SHIPPED_VOCABULARY
from assets.config.sources import Sources
from assets.ingest.hh.client import hh_client
from assets.ingest.hh.ingest import ingest_hh
from assets.lake import Lake
from features.jobs.versions import fold_jobs
from features.schemas.bronze import HH_POSTINGS, SIGHTINGS
from features.schemas.catalog import JOB_VERSIONS
from pipelines.simulation import market
from tests.benchmarks.child_process import measure_in_child

AS_OF = dt.datetime(2026, 11, 25, 2, tzinfo=dt.UTC)
_HH_SHARE = 0.4  # at least, of the simulator's jobs


def make_bodies(landing: Path, n_vacancies: int, *, like: Path | None) -> int:
    """Writes `n_vacancies` bodies to `landing/hh/`; returns their bytes."""
    folder = landing / "hh"
    folder.mkdir(parents=True)
    bodies = _saved(like, n_vacancies) if like else _simulated(landing.parent / "market", n_vacancies)
    n_bytes = 0
    for number, body in enumerate(bodies):
        (folder / f"{number}.json").write_bytes(body)
        n_bytes += len(body)
    return n_bytes


def _saved(folder: Path, n_vacancies: int) -> list[bytes]:
    found = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    whole = [body for body in found if "items" not in body]
    numbered = ({**whole[n % len(whole)], "id": str(10_000_000 + n)} for n in range(n_vacancies))
    return [json.dumps(body, ensure_ascii=False).encode() for body in numbered]


def _simulated(out: Path, n_vacancies: int) -> list[bytes]:
    n_jobs = max(50, int(n_vacancies / _HH_SHARE))
    market.simulate(out, market.MarketSize(n_users=2, n_jobs=n_jobs, n_events=0), seed=7, until=AS_OF)
    return [path.read_bytes() for path in sorted((out / "hh" / "vacancies").glob("*.json"))[:n_vacancies]]


def run_pipeline(landing: Path, lake: Lake) -> dict[str, list[float]]:
    """Wall and processor seconds of each part on a lake that is empty at first."""
    seconds: dict[str, list[float]] = {}
    client = hh_client(Sources(), token=None)
    for part in ("bronze", "again"):
        started = _now()
        ingest_hh(lake, landing, client, as_of=AS_OF)
        seconds[part] = _since(started)
    started = _now()
    normalise_new(lake, [lake.scan("bronze", HH_POSTINGS)], vocabulary=SHIPPED_VOCABULARY)
    seconds["typed"] = _since(started)
    started = _now()
    versions = lake.scan("catalog", JOB_VERSIONS).filter(pl.col("normaliser") == normaliser_name(SHIPPED_VOCABULARY))
    days = pl.DataFrame({"source": ["hh"], "days": [30]})
    jobs = fold_jobs(versions, lake.scan("bronze", SIGHTINGS), as_of=AS_OF, stale_after_days=days, default_days=60)
    seconds["jobs"] = _since(started)
    return {**seconds, "n_jobs": [jobs.height]}


def run_plain(landing: Path, out: Path) -> dict[str, list[float]]:
    """Wall and processor seconds of the plain way to a table of the same columns as bronze."""
    started = _now()
    rows = [_plain_row(json.loads(path.read_bytes())) for path in sorted((landing / "hh").glob("*.json"))]
    pl.from_dicts(rows, infer_schema_length=None).write_parquet(out)
    return {"bronze": _since(started)}


def _now() -> list[float]:
    return [time.perf_counter(), time.process_time()]


def _since(started: list[float]) -> list[float]:
    return [now - then for now, then in zip(_now(), started, strict=True)]


def _rate(n: int, seconds: list[float]) -> str:
    return f"{n / seconds[0]:,.0f} ({n / seconds[1]:,.0f})"


def _plain_row(vacancy: dict[str, Any]) -> dict[str, Any]:
    salary, address = vacancy.get("salary") or {}, vacancy.get("address") or {}
    employer = vacancy.get("employer") or {}
    return {
        "id": vacancy["id"],
        "url": vacancy["alternate_url"],
        "title": vacancy["name"],
        "company": employer.get("name"),
        "company_id": employer.get("id"),
        "description": vacancy["description"],
        "area_id": vacancy["area"]["id"],
        "city": address.get("city"),
        "latitude": address.get("lat"),
        "longitude": address.get("lng"),
        "schedule": (vacancy.get("schedule") or {}).get("id"),
        "employment": (vacancy.get("employment") or {}).get("id"),
        "experience": (vacancy.get("experience") or {}).get("id"),
        "salary_from": salary.get("from"),
        "salary_to": salary.get("to"),
        "currency": salary.get("currency"),
        "gross": salary.get("gross"),
        "skills": [skill["name"] for skill in vacancy.get("key_skills") or []],
        "roles": [role["name"] for role in vacancy.get("professional_roles") or []],
        "published_at": dt.datetime.strptime(vacancy["published_at"], "%Y-%m-%dT%H:%M:%S%z"),
        "archived": vacancy.get("archived"),
    }


def main() -> int:
    """Prints a table; 1 if a vacancy was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vacancies", type=int, nargs="+", default=[10_000])
    parser.add_argument("--like", type=Path, help="a folder of saved vacancy bodies to repeat")
    parser.add_argument("--plain", action="store_true", help="measure the plain alternative too")
    parser.add_argument("--pipeline", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--alternative", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pipeline:
        print(json.dumps(run_pipeline(options.pipeline[0], Lake(options.pipeline[1]))))
        return 0
    if options.alternative:
        print(json.dumps(run_plain(*options.alternative)))
        return 0
    print(
        "| vacancies | MB | to bronze/s | typed/s | jobs s | bronze to jobs/s | again s | peak GiB | none lost"
        " | plain to one table/s | plain peak GiB |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: |")
    is_all_complete = True
    for n in options.vacancies:
        with tempfile.TemporaryDirectory(prefix="jobfeed-bench-") as folder:
            landing = Path(folder) / "landing"
            n_bytes = make_bodies(landing, n, like=options.like)
            seconds, peak = measure_in_child(
                "tests.benchmarks.bench_hh", ["--pipeline", str(landing), str(Path(folder) / "lake")]
            )
            plain, plain_peak = {"bronze": [0.0, 0.0]}, 0.0
            if options.plain:
                plain, plain_peak = measure_in_child(
                    "tests.benchmarks.bench_hh", ["--alternative", str(landing), str(Path(folder) / "plain.parquet")]
                )
        is_complete = seconds["n_jobs"] == [n]
        is_all_complete &= is_complete
        plain_rate = f"{_rate(n, plain['bronze'])} | {plain_peak:.2f}" if options.plain else "- | -"
        all_parts = [sum(part) for part in zip(*(seconds[name] for name in ("bronze", "typed", "jobs")), strict=True)]
        print(
            f"| {n:,} | {n_bytes / 1e6:.0f} | {_rate(n, seconds['bronze'])} | {_rate(n, seconds['typed'])}"
            f" | {seconds['jobs'][0]:.1f} | {_rate(n, all_parts)} | {seconds['again'][0]:.2f} | {peak:.2f}"
            f" | {'yes' if is_complete else 'NO'} | {plain_rate} |",
            flush=True,
        )
    return 0 if is_all_complete else 1


if __name__ == "__main__":
    sys.exit(main())
