"""Dagster's local storages with relative folders in DAGSTER_HOME, for dagster.yaml.

Dagster's own take a relative folder from where a process was started: the UI, the daemon and `jobfeed run` would then
keep records of their own each. They also open a database anew for each event, which takes 10 ms; these keep it open.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Self

import sqlalchemy as db
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from filelock import FileLock

_LOCK = ".opening.lock"
_LOCK_SECONDS = 120
_MOST_OPEN = 4  # databases: every run has one, and the UI reads those of many runs


class _Engines:
    """The engines of the databases that were used last, with their connections and compiled statements."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, db.Engine] = OrderedDict()
        self._changing = Lock()

    def of(self, address: str) -> db.Engine:
        """The engine of the database at `address`; the one that was not used for longest is closed."""
        with self._changing:
            engine = self._open.pop(address, None) or _engine(address)
            self._open[address] = engine
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)[1].dispose()
            return engine

    def close(self) -> None:
        with self._changing:
            while self._open:
                self._open.popitem()[1].dispose()


class _HomeEvents(SqliteEventLogStorage):
    def __init__(self, base_dir: str) -> None:
        self._engines = _Engines()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock:
            engine = self._engines.of(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def dispose(self) -> None:
        super().dispose()
        self._engines.close()


class _HomeRuns(SqliteRunStorage):
    def __init__(self, address: str) -> None:
        self._engines = _Engines()
        super().__init__(address)

    @contextmanager
    def connect(self) -> Iterator[db.Connection]:
        with self._engines.of(self._conn_string).begin() as connection:
            yield connection

    def dispose(self) -> None:
        super().dispose()
        self._engines.close()


class HomeSqliteStorage(DagsterSqliteStorage):
    """Runs, events and schedules.

    One process at a time opens them: two that make a database at once, as the UI and the daemon do on a first start,
    leave it with two versions of its schema, and nobody can open it any more.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)  # brings the schemas up to date
        self._event_log_storage = _HomeEvents(self._event_log_storage._base_dir)
        self._run_storage = _HomeRuns(self._run_storage._conn_string)

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


def _engine(address: str) -> db.Engine:
    engine = db.create_engine(
        address, poolclass=db.pool.QueuePool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
    )

    @db.event.listens_for(engine, "connect")
    def _wait_for_the_disk_less(connection: Any, _record: Any) -> None:
        # With a write-ahead log, a machine that fails loses the last records at most, and no database is damaged.
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


def _at_home(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with its folder in DAGSTER_HOME, unless it is absolute."""
    return {**config, "base_dir": os.fspath(Path(os.environ.get("DAGSTER_HOME", ""), config["base_dir"]))}
