import itertools
from collections.abc import Iterator

import pytest

from assets.storage import lease
from tests.object_store import S3Server, make_bucket, s3_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with s3_server() as found:
        make_bucket(found, "jobfeed-tests")
        yield found


@pytest.fixture
def url(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own in a bucket, with the environment by which it is reached."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://jobfeed-tests/prefix-{next(_numbers)}"


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that run out within a second."""
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.2)
