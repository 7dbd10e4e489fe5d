"""Settings of every test: no deadlines, because the duration of one example of a property proves nothing."""

import atexit
import gc
import io
import itertools
import logging
import os
import resource
import time
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from serving.contract import logs
from tests.object_store import S3Server, make_bucket, s3_server

# Continuous integration tries the same examples each time, and fewer; elsewhere each run tries others.
_IS_CI = "CI" in os.environ
settings.register_profile("jobfeed", deadline=None, derandomize=_IS_CI, max_examples=50 if _IS_CI else 100)
settings.load_profile("jobfeed")

# Worker processes of pytest-xdist inherit these from readline. A rich console that is made while they are set keeps
# that width, whatever a test sets later.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# Compiled functions outlive the interpreter, and with them `typing` and its list of overloads. Through Dagster it leads
# to our assets and so to types of DuckDB, which DuckDB would then report as leaked, one line each.
atexit.register(typing.clear_overloads)
atexit.register(gc.unfreeze)  # of pipelines/cli/process.py

# Continuous integration ends after half an hour, however slow its machine is: .ci/run says until when tests may begin.
_BEGIN_UNTIL = float(os.environ.get("JOBFEED_TESTS_BEGIN_UNTIL", "inf"))

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The modules of this folder, which take longest, come first: a worker that began one last would end alone."""
    folder = Path(__file__).parent
    items.sort(key=lambda item: item.path.parent != folder)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """A test for which no time is left is skipped, and the summary says so."""
    if time.time() > _BEGIN_UNTIL:
        pytest.skip("no time left: the machine is slow; run it with `make test`")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An object store, for all tests of this process."""
    with s3_server() as found:
        make_bucket(found, "jobfeed-tests")
        yield found


@pytest.fixture
def store_url(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own in a bucket, with the environment by which it is reached."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://jobfeed-tests/prefix-{next(_numbers)}"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged, as lines of JSON."""
    stream = io.StringIO()
    root, own = logging.getLogger(), logging.getLogger("jobfeed")
    handlers, level = list(root.handlers), own.level
    logs.configure_logs({}, stream=stream)
    yield stream
    root.handlers[:] = handlers
    own.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may get longer than 64 kB, so that a write ends before all is written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
