from pathlib import Path

import pytest

from serving.service.app import Application
from serving.service.hosts import AllowedHosts, HostsError
from serving.service.problems import ProblemError
from tests.serving.client import call
from tests.serving.world import open_store, publish_full

LOCAL = (
    "localhost", "localhost:8080", "LocalHost:80", "localhost.", "127.0.0.1", "127.0.0.1:8080", "127.0.0.2:1", "[::1]",
    "[::1]:8080", "[0:0:0:0:0:0:0:1]:8080", "localhost:",
)  # fmt: skip
FOREIGN = (
    "", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost",
    "10.0.0.1", "0.0.0.0:8080", "[::2]", "[fe80::1]:80", "localhost@evil.example", "localhost:80:80", "localhost/x",
    "localhost evil.example", "localhost,evil.example", "localhost#", "[::1]evil.example", "::1", "[::1", "127.1",
    "2130706433", "localhost:port", "x" * 5000, "\x00localhost", "localhost\n",
)  # fmt: skip
PATHS = ("/", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/users/anna/feed", "/v1/nothing")


@pytest.mark.parametrize("header", LOCAL)
def test_names_of_this_machine_are_answered_with_any_port(header: str) -> None:
    AllowedHosts().require(header)


@pytest.mark.parametrize("header", [None, *FOREIGN])
def test_any_other_name_is_refused(header: str | None) -> None:
    with pytest.raises(ProblemError, match="--allowed-host NAME adds a name") as refused:
        AllowedHosts().require(header)
    assert refused.value.status == 421


@pytest.mark.parametrize("header", ["jobs.example.org", "JOBS.example.org:443", "jobs.example.org."])
def test_named_hosts_are_answered_too(header: str) -> None:
    hosts = AllowedHosts(["Jobs.Example.org"])
    hosts.require(header)
    hosts.require("localhost")
    with pytest.raises(ProblemError):
        hosts.require(f"x{header}")


@pytest.mark.parametrize("name", ["", "http://jobs.example.org", "jobs.example.org:80", "*", "a b", "a/b", "[::1]"])
def test_what_is_no_host_name_can_not_be_allowed(name: str) -> None:
    with pytest.raises(HostsError, match="is not a host name"):
        AllowedHosts([name])


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_closed_to_other_names(tmp_path: Path, path: str) -> None:
    publish_full(tmp_path)
    app = Application(open_store(tmp_path), hosts=AllowedHosts())
    refused = call(app, path, headers={"host": "evil.example:8080"})
    assert (refused.status, refused.headers["content-type"]) == (421, "application/problem+json")
    assert "'evil.example:8080'" in refused.json["detail"]
    assert call(app, path, headers={"host": "localhost:8080"}).status == (404 if path == "/v1/nothing" else 200)
