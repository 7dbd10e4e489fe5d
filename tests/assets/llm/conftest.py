"""Fixtures of the tests of the language model."""

from collections.abc import Iterator

import pytest

from tests.assets.ingest.http.fault_server import fault_server
from tests.assets.llm.model_server import ModelServer


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with fault_server() as server:
        yield ModelServer(server)
