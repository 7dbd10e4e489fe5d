"""The steps of the ranking benchmark, each in a process: `python -m pipelines.benchmarks.steps STEP AS_OF THREADS`.

Each works on the folder that JOBFEED_DATA names and prints what it measured as one line of JSON.
"""

import datetime as dt
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import dagster as dg

from assets.resources import AS_OF_TAG
from pipelines.environment import workspace_from_environment

TRAINING = ("als", "also_applied", "user_neighbours", "job_vectors", "user_vectors", "similar_jobs")
EMBEDDING = "training/text_embeddings"


def prepare(as_of: dt.datetime, n_threads: int) -> dict[str, Any]:
    """Computes what training reads: ingest, catalog, features, text embeddings. Not part of the total."""
    return _materialised(dg.AssetSelection.groups("training", "ranking").upstream(), as_of, excluded=TRAINING)


def train(as_of: dt.datetime, n_threads: int) -> dict[str, Any]:
    """Fits all models of the training stage except the text embeddings, which are kept from day to day."""
    return _materialised(dg.AssetSelection.assets(*(["training", name] for name in TRAINING)), as_of)


def rank(as_of: dt.datetime, n_threads: int) -> dict[str, Any]:
    """Ranks and writes all feeds."""
    from assets.ranking.inputs import lake_tables, load_fitted, served_settings
    from assets.ranking.shards import rank_feeds

    workspace = workspace_from_environment()
    report = rank_feeds(
        lake_tables(workspace.lake),
        load_fitted(workspace.models),
        lake=workspace.lake,
        settings=served_settings(workspace, n_threads=n_threads),
        shard_users=workspace.config.ranking.shard_users,
        as_of=as_of,
        scope="all",
        on_shard=_report_shard,
    )
    written = sum(path.stat().st_size for path in workspace.lake.files("ranking", "feeds"))
    return {"seconds_by_part": report.timings.seconds, "n_users": report.n_rows, "n_bytes": written}


def check(as_of: dt.datetime, n_threads: int) -> dict[str, Any]:
    """Checks every row of all feeds against every rule."""
    from assets.ranking.checks import check_feeds
    from models.ranking.settings import CompanyCap

    workspace = workspace_from_environment()
    ranking = workspace.config.ranking
    found = check_feeds(workspace.lake, CompanyCap(ranking.company_cap, ranking.company_cap_top))
    return {"n_problems": dict(found.problems.group_by("rule").len().iter_rows()), "n_users": found.n_feeds}


def compare(as_of: dt.datetime, n_threads: int) -> dict[str, Any]:
    """Measures the plain alternatives on a sample of the users."""
    from pipelines.benchmarks import plain

    return plain.alternatives(workspace_from_environment(), as_of=as_of, n_threads=n_threads)


def _materialised(selection: dg.AssetSelection, as_of: dt.datetime, excluded: tuple[str, ...] = ()) -> dict[str, Any]:
    from pipelines.definitions import build_defs

    defs = build_defs()
    left_out = {dg.AssetKey(["training", name]) for name in excluded}
    keys = [key for key in selection.resolve(defs.resolve_asset_graph()) if key not in left_out]
    keys = [key for key in keys if key.path[0] != "ranking"]
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("daily").execute_in_process(
            instance=instance,
            tags={AS_OF_TAG: as_of.isoformat()},
            asset_selection=keys,
            run_config={"loggers": {"console": {"config": {"log_level": "WARNING"}}}},
            raise_on_error=True,
        )
    steps = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_SUCCESS]
    return {
        "seconds_by_part": {
            str(event.step_key).replace("__", "/"): event.step_success_data.duration_ms / 1000 for event in steps
        }
    }


def _report_shard(done: int, n: int) -> None:
    if done % max(1, n // 8) == 0:
        print(f"ranked shard {done} of {n}", file=sys.stderr, flush=True)


STEPS: dict[str, Callable[[dt.datetime, int], dict[str, Any]]] = {
    step.__name__: step for step in (prepare, train, rank, check, compare)
}


def main() -> None:
    """Runs one step."""
    name, as_of, n_threads = sys.argv[1:4]
    wall, cpu = time.perf_counter(), time.process_time()
    measured = STEPS[name](dt.datetime.fromisoformat(as_of), int(n_threads))
    measured |= {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "load": os.getloadavg()[0],
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
