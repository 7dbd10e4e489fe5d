"""robots.txt: what its rules, its absence and its faults allow."""

import pytest

from assets.ingest.http.client import HttpClient
from assets.ingest.http.robots import RobotsFiles
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer

RULES = b"""User-agent: *
Disallow: /private
Disallow: /*.pdf$
Allow: /private/jobs
Crawl-delay: 5

User-agent: otherbot
Disallow: /
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/jobs/1", True), ("/private/x", False), ("/private/jobs/1", True), ("/a.pdf", False), ("/a.pdf?x", True)],
)
def test_the_longest_rule_that_matches_decides(
    server: FaultServer, client: HttpClient, path: str, expected: bool
) -> None:
    server.route("/robots.txt", Answer(body=RULES))
    assert RobotsFiles(client).allow(server.url + path) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(404), True), (Answer(403), True), (Answer(410), True), (Answer(body=b""), True),
        (Answer(body=b"<html>no rules</html>"), True), (Answer(body=b"\xff\x00"), True),
        (Answer(500), False), (Answer(429), False), (Answer(resets=True), False),
        (Answer(302, headers={"Location": "/robots.txt"}), False),
    ],
)  # fmt: skip
def test_without_rules_all_is_allowed_and_without_an_answer_nothing(
    server: FaultServer, client: HttpClient, answer: Answer, expected: bool
) -> None:
    server.route("/robots.txt", answer)
    assert RobotsFiles(client).allow(server.url + "/jobs") is expected


def test_the_file_is_read_once_and_its_delay_slows_the_host(
    server: FaultServer, client: HttpClient, fake_time: FakeTime
) -> None:
    server.route("/robots.txt", Answer(body=RULES))
    server.route("/jobs", Answer(body=b"ok"))
    robots = RobotsFiles(client)
    for _ in range(3):
        assert robots.allow(server.url + "/jobs")
        client.get(server.url + "/jobs")
    assert server.count("/robots.txt") == 1
    assert fake_time.slept == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("agent", "expected"), [("jobfeed", False), ("JobFeed", False), ("jobs", True), ("example.org", True)]
)
def test_a_group_counts_if_it_names_our_product(
    server: FaultServer, client: HttpClient, agent: str, expected: bool
) -> None:
    assert client.limits.user_agent == "jobfeed/1.0 (+https://example.org/jobfeed; jobs@example.org)"
    server.route("/robots.txt", Answer(body=f"User-agent: {agent}\nDisallow: /\n".encode()))
    assert RobotsFiles(client).allow(server.url + "/jobs") is expected
