"""Dagster's local storages with relative folders in DAGSTER_HOME, for dagster.yaml.

Dagster's own take a relative folder from where a process was started: the UI, the daemon and `jobfeed run` would then
keep records of their own each.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from filelock import FileLock

_LOCK = ".opening.lock"
_LOCK_SECONDS = 120


class HomeSqliteStorage(DagsterSqliteStorage):
    """Runs, events and schedules.

    One process at a time opens them: two that make a database at once, as the UI and the daemon do on a first start,
    leave it with two versions of its schema, and nobody can open it any more.
    """

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """As Dagster calls it."""
        config = _at_home(config_value)
        folder = Path(config["base_dir"])
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _LOCK, timeout=_LOCK_SECONDS):
            return cls.from_local(inst_data=inst_data, **config)


class HomeArtifactStorage(LocalArtifactStorage):
    """What steps leave behind."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """As Dagster calls it."""
        return cls(inst_data=inst_data, **_at_home(config_value))


class HomeComputeLogManager(LocalComputeLogManager):
    """What steps write to standard output and standard error."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """As Dagster calls it."""
        return cls(inst_data=inst_data, **_at_home(config_value))


def _at_home(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with its folder in DAGSTER_HOME, unless it is absolute."""
    return {**config, "base_dir": os.fspath(Path(os.environ.get("DAGSTER_HOME", ""), config["base_dir"]))}
