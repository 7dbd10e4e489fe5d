"""Which bodies are parsed where, and how the process that parses large ones is kept well."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from assets.ingest.feeds import parsing as feed_parsing
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.worker import Worker, WorkerError
from features.sources.feeds.entries import FeedContext, FeedError
from features.sources.feeds.formats import parse_feed

FEED = FeedContext("board", "rss")


@dataclass
class Recorder(Worker):
    """Answers in this process, and remembers what was asked of it and when it was renewed."""

    did: list[str] = field(default_factory=list)
    fault: str = ""

    def call(self, *arguments: Any, deadline_seconds: float, **named: Any) -> Any:
        self.did.append(f"{len(arguments[0])} in {deadline_seconds:.1f} s")
        if self.fault:
            raise WorkerError(self.fault)
        return self.function(*arguments, **named)

    def close(self) -> None:
        self.did.append("renewed")


def body(n_bytes: int) -> bytes:
    head, end = b"<rss version='2.0'><channel><item><title>Clerk</title></item><!--", b"--></channel></rss>"
    return head + b"x" * (n_bytes - len(head) - len(end)) + end


def parser(**about: Any) -> tuple[FeedParser, list[str]]:
    recorder = Recorder(parse_feed, 1, FeedError, **about)
    return FeedParser(worker=recorder), recorder.did


def test_only_large_bodies_go_to_the_process_and_have_time_by_their_size() -> None:
    made, did = parser()
    for n_bytes in (1_000, 65_536, 100_000, 1_000_000):
        assert made.parse(body(n_bytes), feed=FEED).rows["title"].to_list() == ["Clerk"]
    made.parse(b'{"jobs": []}'.ljust(100_000), feed=FeedContext("board", "remotive"))
    assert did == ["100000 in 5.2 s", "1000000 in 7.0 s"]


def test_the_process_is_renewed_before_it_holds_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_parsing, "RENEWED_AFTER_BYTES", 250_000)
    made, did = parser()
    for n_bytes in (100_000, 100_000, 100_000, 300_000, 300_000):
        made.parse(body(n_bytes), feed=FEED)
    assert [step.split(" ")[0] for step in did] == [
        "100000", "100000", "renewed", "100000", "renewed", "300000", "renewed", "300000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "message"), [("too_slow", "parsing took more than 5 s"), ("too_much_memory", "parsing: too_much_memory")]
)
def test_what_goes_wrong_in_the_process_is_a_feeds_failure(fault: str, message: str) -> None:
    made, _ = parser(fault=fault)
    with pytest.raises(FeedError, match=message):
        made.parse(body(100_000), feed=FEED)


def test_a_body_that_is_no_feed_keeps_its_reason_on_the_way_back() -> None:
    made, _ = parser()
    with pytest.raises(FeedError, match="an HTML page"):
        made.parse(b"<html>".ljust(100_000), feed=FEED)
