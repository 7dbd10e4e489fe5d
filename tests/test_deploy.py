"""The files of deploy/: systemd accepts the units, and what they name exists."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from pipelines import metrics as pipeline_metrics
from serving.service.auth import Authoriser
from serving.service.served_state import ServedState
from serving.service.store import Store
from serving.service.telemetry import Metrics
from serving.stream.app import create_application
from tests.factories import AS_OF, publish_small

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_the_unit(unit: Path, tmp_path: Path) -> None:
    # systemd wants the programs to be there: stand-ins in another folder are.
    text = unit.read_text(encoding="utf-8").replace("/opt/jobfeed", str(tmp_path))
    for program in re.findall(r"^ExecStart=(\S+)", text, flags=re.MULTILINE):
        Path(program).parent.mkdir(parents=True, exist_ok=True)
        Path(program).write_text("#!/bin/sh\n")
        Path(program).chmod(0o755)
    (tmp_path / unit.name).write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_cache_that_the_environment_names_is_one_that_all_units_may_write() -> None:
    (cache,) = re.findall(r"^#JOBFEED_CACHE=(.+)$", (DEPLOY / "jobfeed.env").read_text(), flags=re.MULTILINE)
    for unit in UNITS:
        (folder,) = re.findall(r"^CacheDirectory=(.+)$", unit.read_text(), flags=re.MULTILINE)
        assert cache == f"/var/cache/{folder}", unit.name


def test_what_cron_runs_has_the_environment_of_the_units() -> None:
    (block,) = re.findall(r"```cron\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(), flags=re.DOTALL)
    named = [line.split()[-1].split("@") for line in block.splitlines()]
    assert {job for _, job in named} == {"frequent", "hourly", "daily", "weekly"}
    for unit, _ in named:
        text = (DEPLOY / "systemd" / f"{unit}@.service").read_text()
        assert "EnvironmentFile=/etc/jobfeed.env\n" in text
        assert "jobfeed run %i\n" in text


def test_the_compose_file_names_targets_and_files_that_exist() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    targets = set(re.findall(r"^FROM \S+ AS (\w+)", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE))
    assert set(services) == {"postgres", "ui", "daemon", "service"}
    for service in services.values():
        if "build" in service:
            assert service["build"]["target"] in targets
            assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_what_the_images_copy_exists() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Containerfile").read_text(), flags=re.MULTILINE)
    assert copied
    assert all((ROOT / name).exists() for line in copied for name in line.split())


def exposed(tmp_path: Path) -> set[str]:
    """The names of all samples that the service, the stream and the pipeline expose; they are all asked for them."""
    publish_small(tmp_path)
    store = Store(tmp_path)
    store.refresh()
    state = ServedState(store, stale_after_seconds=1, clock=lambda: AS_OF.timestamp())
    service = Metrics(state.metrics)
    service.add("/v1/trending", 200, 0.001)
    stream = create_application(store, authoriser=Authoriser(), hosts=None, clock=lambda: AS_OF.timestamp())
    texts = [service.exposition().decode(), TestClient(stream).get("/metrics").text]
    found = {
        sample.name for text in texts for family in text_string_to_metric_families(text) for sample in family.samples
    }
    return found | set(pipeline_metrics.OF_RUNS) | set(pipeline_metrics.OF_DATA)


def names_in(expressions: Iterable[str]) -> set[str]:
    return {name for expression in expressions for name in re.findall(r"\bjobfeed_\w+", expression)}


def test_each_query_of_the_dashboard_names_metrics_that_exist(tmp_path: Path) -> None:
    panels = json.loads((DEPLOY / "grafana" / "jobfeed.json").read_text(encoding="utf-8"))["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert all(names_in([expression]) for expression in expressions)
    assert names_in(expressions) - exposed(tmp_path) == set()
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_all_metrics_of_the_pipeline_are_on_the_dashboard() -> None:
    shown = names_in([(DEPLOY / "grafana" / "jobfeed.json").read_text(encoding="utf-8")])
    unshown = {*pipeline_metrics.OF_RUNS, *pipeline_metrics.OF_DATA} - shown
    assert unshown == {"jobfeed_run_end_timestamp_seconds", "jobfeed_published_created_timestamp_seconds"}


def test_each_alert_of_prometheus_names_metrics_that_exist(tmp_path: Path) -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "jobfeed.rules.yaml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert all(names_in([rule["expr"]]) for rule in rules)
    assert names_in(rule["expr"] for rule in rules) - exposed(tmp_path) == set()
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    for rule in rules:
        page, _, title = rule["annotations"]["runbook"].partition(", ")
        assert page == "docs/runbook.md"
        assert not title or f"## {title}\n" in runbook, title
