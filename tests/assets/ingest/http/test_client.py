"""The HTTP client against a server that misbehaves."""

import gzip
import random
import socket
import threading
import zlib
from collections.abc import Callable

import pytest

from assets.ingest import errors
from assets.ingest.http.client import HttpClient, Validators, retry_after_seconds
from assets.ingest.http.transport import AddressGuard, AddressRefusedError, is_public
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, gzipped, make_client


def test_a_plain_answer_comes_with_its_validators(server: FaultServer, client: HttpClient) -> None:
    headers = {"ETag": '"a1"', "Last-Modified": "Sun, 01 Mar 2026 00:00:00 GMT", "Content-Type": "text/xml"}
    url = server.route("/feed", Answer(body=b"<rss/>", headers=headers))
    response = client.get(url)
    assert (response.status, response.body, response.content_type) == (200, b"<rss/>", "text/xml")
    assert response.validators == Validators('"a1"', "Sun, 01 Mar 2026 00:00:00 GMT")
    assert server.requests[0].headers["user-agent"].startswith("jobfeed/1.0")


def test_validators_are_sent_back_and_304_is_no_error(server: FaultServer, client: HttpClient) -> None:
    url = server.route("/feed", lambda r: Answer(304 if r.headers.get("if-none-match") == '"a1"' else 200))
    assert client.get(url, validators=Validators(etag='"a1"')).is_unchanged


def test_an_unrequested_304_is_a_failure(server: FaultServer, client: HttpClient) -> None:
    with pytest.raises(errors.UnexpectedAnswerError, match="without conditions"):
        client.get(server.route("/feed", Answer(304)))


def test_a_slow_drip_ends_at_the_deadline_in_body_and_in_headers(server: FaultServer) -> None:
    client = HttpClient(make_client(FakeTime(), total_deadline_seconds=0.3).limits, make_client(FakeTime()).pacer)
    for answer in (
        Answer(body=b"x" * 1000, drip_seconds=0.02),
        Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, drip_seconds=0.02),
    ):
        with pytest.raises(errors.DeadlineExceededError):
            client.get(server.route("/drip", answer))


def test_a_compressed_bomb_stops_at_the_cap_of_the_decoded_body(server: FaultServer) -> None:
    client = make_client(FakeTime(), max_body_bytes=100_000)
    with pytest.raises(errors.BodyTooLargeError):
        client.get(server.route("/bomb", gzipped(b"\0" * 50_000_000)))
    assert client.get(server.route("/small", gzipped(b"\0" * 1000))).body == b"\0" * 1000


def test_redirects_are_followed_and_only_permanent_ones_remembered(server: FaultServer, client: HttpClient) -> None:
    server.route("/new", Answer(body=b"here"))
    moved = server.route("/old", Answer(301, headers={"Location": "/new"}))
    lent = server.route("/lent", Answer(302, headers={"Location": "/old"}))
    assert client.get(moved).moved_to == f"{server.url}/new"
    assert (client.get(lent).moved_to, client.get(lent).body) == (None, b"here")


def test_a_redirect_loop_ends(server: FaultServer, client: HttpClient) -> None:
    with pytest.raises(errors.TooManyRedirectsError):
        client.get(server.route("/loop", Answer(302, headers={"Location": "/loop"})))
    assert server.count("/loop") == client.limits.max_redirects + 1


@pytest.mark.parametrize(
    "target", ["http://localhost:1/", "http://169.254.169.254/meta", "http://[::1]/", "http://10.0.0.1/",
     "http://2130706433/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/", "http://0/"],
)  # fmt: skip
def test_a_redirect_to_a_private_address_is_refused(server: FaultServer, client: HttpClient, target: str) -> None:
    with pytest.raises(errors.ForbiddenAddressError):
        client.get(server.route("/trap", Answer(302, headers={"Location": target})))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/", "gopher://x/"])
def test_only_http_and_https_are_followed(server: FaultServer, client: HttpClient, target: str) -> None:
    with pytest.raises(errors.ForbiddenAddressError):
        client.get(server.route("/trap", Answer(302, headers={"Location": target})))


def test_a_token_does_not_follow_to_another_host(server: FaultServer, client: HttpClient) -> None:
    port = server.url.rsplit(":", 1)[1]
    client = make_client(FakeTime(), allowed_private_hosts=["127.0.0.1", "localhost"])
    server.route("/there", Answer(body=b"ok"))
    url = server.route("/here", Answer(302, headers={"Location": f"http://localhost:{port}/there"}))
    client.get(url, headers={"Authorization": "Bearer secret"})
    assert "authorization" in server.requests[0].headers
    assert "authorization" not in server.requests[1].headers


def test_no_own_header_follows_to_another_host_and_the_usual_ones_do(server: FaultServer) -> None:
    port = server.url.rsplit(":", 1)[1]
    client = make_client(FakeTime(), allowed_private_hosts=["127.0.0.1", "localhost"])
    server.route("/there", Answer(body=b"ok"))
    url = server.route("/here", Answer(302, headers={"Location": f"http://localhost:{port}/there"}))
    client.get(url, headers={"X-Key": "secret", "User-Agent": "me@example.org"})
    assert server.requests[0].headers["x-key"] == "secret"
    assert server.requests[0].headers["user-agent"] == "me@example.org"
    assert "x-key" not in server.requests[1].headers
    assert server.requests[1].headers["user-agent"] == client.limits.user_agent


def test_a_redirect_that_may_not_be_followed_is_not_asked(server: FaultServer, client: HttpClient) -> None:
    url = server.route("/here", Answer(302, headers={"Location": "/there?key=1"}))
    with pytest.raises(errors.RefusedRedirectError, match=r"/there$"):
        client.get(url, may_follow=lambda target: False)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True), ("10.1.2.3", False), ("127.0.0.1", False), ("169.254.1.1", False),
        ("224.0.0.1", False), ("0.0.0.0", False), ("100.64.0.1", False), ("::1", False), ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False), ("2002:7f00:1::", False), ("64:ff9b::7f00:1", False),
        ("2606:4700::1111", True), ("2a00:1450:4001::1", True), ("fec0::1", False), ("feff:ffff::1", False),
        ("fe80::1", False), ("fc00::1", False), ("ff0e::1", False), ("::7f00:1", False), ("::5db8:d822", False),
        ("4000::1", False), ("2001:db8::1", False), ("64:ff9b::5db8:d822", True), ("::ffff:93.184.216.34", True),
        ("3fff::1", False), ("2600::5efe:7f00:1", False), ("2a00:1450::200:5efe:a00:1", False), ("192.88.99.1", False),
        ("192.0.0.8", False), ("168.63.129.16", False), ("2600::5efe:808:808", True), ("2001:4860:4860::8888", True),
    ],
)  # fmt: skip
def test_public_addresses_are_distinguished_from_others(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_a_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "192.168.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    with pytest.raises(AddressRefusedError):
        AddressGuard().addresses("rebinding.example", 80)


def test_a_name_that_changes_its_address_after_the_check_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    connected: list[tuple[str, int]] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        ip = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port))]

    def create_connection(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address)
        raise OSError("not in a test")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("urllib3.util.connection.create_connection", create_connection)
    with pytest.raises(errors.NetworkError):
        make_client(FakeTime(), max_attempts=1).get("http://rebinding.example/")
    assert (asked, connected) == (["rebinding.example"], [("93.184.216.34", 80)])


def test_a_resolver_that_does_not_answer_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(30) and [])
    client = HttpClient(make_client(FakeTime(), total_deadline_seconds=0.2).limits, make_client(FakeTime()).pacer)
    with pytest.raises(errors.FetchError):
        client.get("http://slow-resolver.example/")
    answer.set()


def test_server_errors_are_tried_again_with_growing_pauses(
    server: FaultServer, client: HttpClient, fake_time: FakeTime
) -> None:
    url = server.in_turn("/flaky", Answer(503, body=b"<html>busy</html>"), Answer(500), Answer(body=b"ok"))
    assert client.get(url).body == b"ok"
    assert fake_time.slept == [0.5, 1.0]


def test_attempts_are_bounded_and_the_last_error_is_raised(server: FaultServer, client: HttpClient) -> None:
    with pytest.raises(errors.ServerError, match="answered 502"):
        client.get(server.route("/down", Answer(502)))
    assert server.count("/down") == client.limits.max_attempts


def test_retry_after_is_honoured(server: FaultServer, client: HttpClient, fake_time: FakeTime) -> None:
    url = server.in_turn("/busy", Answer(429, headers={"Retry-After": "20"}), Answer(body=b"ok"))
    assert client.get(url).body == b"ok"
    assert fake_time.slept == [20.0]


def test_a_retry_after_beyond_the_deadline_gives_up_at_once(
    server: FaultServer, client: HttpClient, fake_time: FakeTime
) -> None:
    with pytest.raises(errors.RateLimitedError) as caught:
        client.get(server.route("/busy", Answer(429, headers={"Retry-After": "3600"})))
    assert (caught.value.retry_after_seconds, fake_time.slept, server.count("/busy")) == (3600.0, [], 1)


def test_a_date_in_retry_after_is_compared_with_the_servers_own_clock() -> None:
    headers = {"Date": "Sun, 01 Mar 2026 00:00:00 GMT", "Retry-After": "Sun, 01 Mar 2026 00:01:30 GMT"}
    assert retry_after_seconds(headers) == 90
    assert retry_after_seconds({"Retry-After": "soon"}) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError), (401, errors.AccessDeniedError), (403, errors.AccessDeniedError),
        (404, errors.NotFoundError), (410, errors.GoneError), (418, errors.BadRequestError),
    ],
)  # fmt: skip
def test_client_errors_have_their_own_kinds_and_are_not_retried(
    server: FaultServer, client: HttpClient, status: int, kind: type[errors.StatusError]
) -> None:
    with pytest.raises(kind):
        client.get(server.route("/no", Answer(status, body=b"why")))
    assert server.count("/no") == 1


def test_a_truncated_body_is_a_failure_not_a_short_answer(server: FaultServer, client: HttpClient) -> None:
    with pytest.raises(errors.NetworkError):
        client.get(server.route("/cut", Answer(body=b"<rss>", length=500)))
    assert server.count("/cut") == client.limits.max_attempts


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("cut", [1, 8, 9, 20, 400])
@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)],
)
def test_a_compressed_body_that_is_cut_off_is_a_failure_although_its_length_is_right(
    server: FaultServer, client: HttpClient, coding: str, compress: Callable[[bytes], bytes], cut: int, is_chunked: bool
) -> None:
    body = compress(random.Random(1).randbytes(1_000))[:-cut]
    headers = {"Content-Encoding": coding}
    answer = Answer(body=body, headers=headers)
    if is_chunked:
        # without Connection: close, a retry may meet the connection that the server is just closing
        head = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        head += f"Content-Encoding: {coding}\r\n\r\n{len(body):x}\r\n"
        answer = Answer(raw=head.encode() + body + b"\r\n0\r\n\r\n")
    with pytest.raises(errors.NetworkError, match="EncodingError"):
        client.get(server.route("/cut", answer))


def test_a_cut_off_body_of_an_error_leaves_the_error_what_it_is(server: FaultServer, client: HttpClient) -> None:
    answer = Answer(404, body=gzip.compress(b"gone")[:-3], headers={"Content-Encoding": "gzip"})
    with pytest.raises(errors.NotFoundError):
        client.get(server.route("/cut", answer))


def test_a_damaged_second_member_is_a_failure(server: FaultServer, client: HttpClient) -> None:
    body = gzip.compress(b"a" * 100) + gzip.compress(b"b" * 100)[:10] + b"\xff" * 20
    with pytest.raises(errors.NetworkError, match="EncodingError"):
        client.get(server.route("/damaged", Answer(body=body, headers={"Content-Encoding": "gzip"})))


def test_compressed_bodies_of_every_usual_form_are_decoded(server: FaultServer, client: HttpClient) -> None:
    body = random.Random(1).randbytes(200_000) + bytes(300_000)
    half = len(body) // 2
    forms = [
        ("gzip", gzip.compress(body)),
        ("GZIP", gzip.compress(body[:half]) + gzip.compress(body[half:])),
        ("gzip", gzip.compress(body) + bytes(100)),
        ("deflate", zlib.compress(body)),
        ("deflate", raw_deflate(body)),
        ("deflate, gzip", gzip.compress(zlib.compress(body))),
        ("identity", body),
        ("", body),
    ]
    for coding, written in forms:
        answer = Answer(body=written, headers={"Content-Encoding": coding})
        assert client.get(server.route("/whole", answer)).body == body
    assert client.get(server.route("/none", Answer(headers={"Content-Encoding": "gzip"}))).body == b""


def test_a_closed_port_is_a_network_error(client: HttpClient) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(errors.NetworkError):
        client.get(f"http://127.0.0.1:{port}/")


def test_no_error_quotes_the_query_or_the_login(server: FaultServer, client: HttpClient) -> None:
    host = server.url.removeprefix("http://")
    server.route("/no", Answer(403))
    for url in (f"{server.url}/no?api_key=secret", f"http://me:secret@{host}/no", "http://localhost:1/x?key=secret"):
        with pytest.raises(errors.FetchError) as caught:
            client.get(url)
        assert "secret" not in str(caught.value)


def test_requests_to_one_host_keep_their_distance(server: FaultServer, fake_time: FakeTime) -> None:
    client = make_client(fake_time, requests_per_second=2)
    url = server.route("/page", Answer(body=b"ok"))
    for _ in range(3):
        client.get(url)
    assert fake_time.slept == [0.5, 0.5]


def test_cookies_are_not_kept(server: FaultServer, client: HttpClient) -> None:
    url = server.route("/page", Answer(body=b"ok", headers={"Set-Cookie": "id=1"}))
    client.get(url)
    client.get(url)
    assert "cookie" not in server.requests[1].headers
