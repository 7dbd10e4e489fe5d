"""Metrics of the pipeline for Prometheus: files that node_exporter's textfile collector reads, and a Pushgateway.

JOBFEED_METRICS_DIR names the folder of the collector: a file for each job, and one for the data. JOBFEED_PUSHGATEWAY
names the address of a gateway. Instants are written instead of ages, so that they stay true between runs. No metric
names a user. What can't be written or pushed is logged and fails no run.
"""

import datetime as dt
import os
import platform
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from urllib.error import HTTPError

import polars as pl
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import push_to_gateway, write_to_textfile
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from assets.ingest.run_log import recent_runs
from assets.lake import Lake
from assets.publishing import generations
from assets.run_outcomes import RunOutcome
from features.source_health import source_alarms
from pipelines.environment import METRICS_FOLDER_VARIABLE, PUSHGATEWAY_VARIABLE
from serving.contract.generation import GenerationError, Manifest
from serving.contract.logs import get_logger
from serving.contract.tables import SCHEMA_VERSION

# Name -> description and labels. `job` is a label that Prometheus sets itself, hence `run_job`.
OF_RUNS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "jobfeed_run_success": ("1 if the last run of the job succeeded", ("run_job",)),
    "jobfeed_run_end_timestamp_seconds": ("When the last run of the job ended", ("run_job",)),
    "jobfeed_run_last_success_timestamp_seconds": ("When a run last succeeded, or had nothing to do", ("run_job",)),
    "jobfeed_run_seconds": ("Duration of the last run", ("run_job",)),
    "jobfeed_run_cpu_seconds": ("Processor time of the last run", ("run_job",)),
    "jobfeed_run_peak_memory_bytes": ("Memory of the largest process of the last run", ("run_job",)),
    "jobfeed_step_seconds": ("Duration of each step of the last run", ("run_job", "step")),
    "jobfeed_asset_rows": ("Rows of each table that the last run wrote", ("run_job", "asset")),
}
OF_DATA: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "jobfeed_build_info": ("The version that wrote this", ("version", "schema_version", "python")),
    "jobfeed_published_as_of_timestamp_seconds": ("The instant that the served generation was computed for", ()),
    "jobfeed_published_created_timestamp_seconds": ("When the served generation was made", ()),
    "jobfeed_published_rows": ("Rows of each table of the served generation", ("table",)),
    "jobfeed_quarantined_entries": ("Entries that the last reading could not use", ("kind", "reason")),
    "jobfeed_source_alarm": ("1 for what is wrong with a source", ("kind", "source", "alarm")),
}
_READABLE_BY_ALL = 0o644  # the collector runs as another user; nothing in the files is personal
_PUSH_ATTEMPTS = 3
_PUSH_TIMEOUT_SECONDS = 5.0
_BACKOFF_SECONDS = 0.5
_LOG = get_logger("metrics")


def report_run(outcome: RunOutcome, *, environment: Mapping[str, str]) -> None:
    """Writes and pushes the metrics of a job's last run."""
    _report(f"run-{outcome.job}", {"run_job": outcome.job}, lambda: metrics_of_run(outcome), environment)


def report_data(lake: Lake, published: Path, *, environment: Mapping[str, str]) -> None:
    """Writes and pushes the metrics of what is served, and of what was read last."""
    _report("data", {}, lambda: metrics_of_data(lake, published), environment)


def metrics_of_run(outcome: RunOutcome) -> CollectorRegistry:
    """The metrics of OF_RUNS."""
    registry, job = CollectorRegistry(), outcome.job
    add = _adder(registry, OF_RUNS)
    add("jobfeed_run_success", float(outcome.succeeded), job)
    add("jobfeed_run_end_timestamp_seconds", outcome.ended_at, job)
    if outcome.last_success_at is not None:
        add("jobfeed_run_last_success_timestamp_seconds", outcome.last_success_at, job)
    add("jobfeed_run_seconds", outcome.seconds, job)
    add("jobfeed_run_cpu_seconds", outcome.cpu_seconds, job)
    add("jobfeed_run_peak_memory_bytes", outcome.peak_memory_bytes, job)
    for step, seconds in outcome.steps.items():
        add("jobfeed_step_seconds", seconds, job, step)
    for asset, n_rows in outcome.rows.items():
        add("jobfeed_asset_rows", n_rows, job, asset)
    return registry


def metrics_of_data(lake: Lake, published: Path) -> CollectorRegistry:
    """The metrics of OF_DATA. Those of a generation are missing if none is served."""
    registry = CollectorRegistry()
    add = _adder(registry, OF_DATA)
    add("jobfeed_build_info", 1, version("jobfeed"), SCHEMA_VERSION, platform.python_version())
    served = _served(published)
    if served is not None:
        add("jobfeed_published_as_of_timestamp_seconds", dt.datetime.fromisoformat(served.as_of).timestamp())
        add("jobfeed_published_created_timestamp_seconds", dt.datetime.fromisoformat(served.created_at).timestamp())
        for table in served.tables:
            add("jobfeed_published_rows", served.rows(table), table)
    runs = recent_runs(lake)
    for kind, reason, n in _quarantined(runs).iter_rows():
        add("jobfeed_quarantined_entries", n, kind, reason)
    for kind, source, alarm in source_alarms(runs).select("kind", "source", "alarm").iter_rows():
        add("jobfeed_source_alarm", 1, kind, source, alarm)
    return registry


def _quarantined(runs: pl.DataFrame) -> pl.DataFrame:
    """kind, reason, entries: of the last run of each kind that read anything."""
    return (
        runs.filter(pl.col("ran_at") == pl.col("ran_at").max().over("kind"))
        .explode("reasons", empty_as_null=False, keep_nulls=False)
        .unnest("reasons")
        .group_by("kind", "reason")
        .agg(pl.col("n").sum())
        .sort("kind", "reason")
    )


def _served(published: Path) -> Manifest | None:
    try:
        name = generations.current_generation(published)
        return generations.read_manifest(published, name) if name is not None else None
    except (GenerationError, OSError):
        return None  # `jobfeed status` and the service say what is wrong


def _adder(registry: CollectorRegistry, declared: Mapping[str, tuple[str, tuple[str, ...]]]) -> Callable[..., None]:
    """A function that sets a declared metric: name, value, values of its labels."""

    @lru_cache
    def gauge(name: str) -> Gauge:
        description, labels = declared[name]
        return Gauge(name, description, labels, registry=registry)

    def add(name: str, value: float, *labels: str) -> None:
        (gauge(name).labels(*labels) if labels else gauge(name)).set(value)

    return add


def _report(
    name: str, grouping: Mapping[str, str], collect: Callable[[], CollectorRegistry], environment: Mapping[str, str]
) -> None:
    folder, gateway = environment.get(METRICS_FOLDER_VARIABLE), environment.get(PUSHGATEWAY_VARIABLE)
    if not folder and not gateway:
        return
    try:
        registry = collect()
    except (OSError, pl.exceptions.PolarsError, ValueError) as error:  # a damaged table, which the run itself reports
        _LOG.warning("metrics were not collected", reason=f"{type(error).__name__}: {error}")
        return
    if folder:
        try:
            _write(Path(folder) / f"jobfeed-{name}.prom", registry)
        except OSError as error:
            _LOG.warning("metrics were not written", reason=f"{METRICS_FOLDER_VARIABLE}: {error}")
    if gateway:
        try:
            _push(gateway, registry, grouping)
        except (OSError, ValueError) as error:  # its address is not told: it may hold a password
            _LOG.warning("metrics were not pushed", reason=f"{PUSHGATEWAY_VARIABLE}: {type(error).__name__}")


def _write(path: Path, registry: CollectorRegistry) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_to_textfile(str(temporary), registry)
        temporary.chmod(_READABLE_BY_ALL)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _push(gateway: str, registry: CollectorRegistry, grouping: Mapping[str, str]) -> None:
    retrying = Retrying(
        stop=stop_after_attempt(_PUSH_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=_BACKOFF_SECONDS, max=5),
        retry=retry_if_exception(_is_passing),
        reraise=True,
    )
    for attempt in retrying:
        with attempt:
            try:
                push_to_gateway(
                    gateway, "jobfeed", registry, grouping_key=dict(grouping), timeout=_PUSH_TIMEOUT_SECONDS
                )
            except HTTPError as error:
                error.close()  # it holds the connection
                raise


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, OSError) and not (isinstance(error, HTTPError) and error.code < 500)
