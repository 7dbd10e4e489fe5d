"""Requests of the HTTP client that send something."""

import pytest

from assets.ingest import errors
from assets.ingest.http.client import HttpClient
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, make_client


def test_body_and_headers_arrive_as_they_are(server: FaultServer, client: HttpClient) -> None:
    url = server.route("/in", Answer(body=b"ok"))
    assert client.send("POST", url, headers={"Content-Type": "text/x"}, body=b"\0abc").body == b"ok"
    request = server.requests[0]
    assert (request.method, request.body, request.headers["content-type"]) == ("POST", b"\0abc", "text/x")


def test_a_failing_server_is_sent_the_whole_body_again(server: FaultServer, client: HttpClient) -> None:
    url = server.in_turn("/in", Answer(503), Answer(resets=True), Answer(body=b"ok"))
    assert client.send("POST", url, headers={}, body=b"abc").body == b"ok"
    assert [request.body for request in server.requests] == [b"abc"] * 3


def test_a_redirect_is_never_sent_the_body(server: FaultServer, client: HttpClient) -> None:
    server.route("/elsewhere", Answer(body=b"stolen"))
    for status in (301, 302, 303, 307, 308):
        url = server.route("/in", Answer(status, headers={"Location": "/elsewhere"}))
        with pytest.raises(errors.RefusedRedirectError):
            client.send("POST", url, headers={"Authorization": "Bearer secret"}, body=b"abc")
    assert server.count("/elsewhere") == 0


def test_addresses_are_guarded_as_in_every_request() -> None:
    client = make_client(FakeTime(), allowed_private_hosts=[])
    with pytest.raises(errors.ForbiddenAddressError):
        client.send("POST", "http://127.0.0.1:9/", headers={}, body=b"abc")
