"""The files of deploy/: systemd accepts the units, and what they name exists."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

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


def test_the_dashboard_shows_metrics_that_the_service_has() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "serving" / "service").glob("*.py"))
    panels = json.loads((DEPLOY / "grafana" / "jobfeed.json").read_text(encoding="utf-8"))["panels"]
    shown = {
        name for panel in panels for target in panel["targets"] for name in re.findall(r"jobfeed_\w+", target["expr"])
    }
    assert len(shown) > 4
    for name in shown:
        assert f'"{re.sub("_(total|bucket)$", "", name)}"' in code, name
