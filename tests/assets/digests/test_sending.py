import datetime as dt
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
import tenacity
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.digests.assets import _kept
from assets.digests.letters import LetterWriter, NotConfiguredError
from assets.digests.links import DigestLinks
from assets.digests.outbox import LOCK
from assets.digests.rendering import render
from assets.digests.sending import AlreadySendingError, Sender, SendReport, queue_digests, write_due
from assets.digests.smtp import MailServer, MailServerError
from features.schemas.bronze import USER_RECORDS
from features.schemas.catalog import JOBS
from features.schemas.catalog import USERS as USERS_TABLE
from features.schemas.insight import DIGESTS
from tests.assets.digests.digest_world import WORDING, market_items, market_jobs, market_readers
from tests.assets.digests.mail_server import DROP, Fault, Inbox, mail_server, no_fault
from tests.assets.digests.mail_world import DAY, NOON, Clock, MailWorld, mail_world

USERS = ("anna", "boris", "vera")
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)


@contextmanager
def world_of(
    folder: Path, users: tuple[str, ...] = USERS, *, fault: Fault = no_fault, **delivery: Any
) -> Iterator[tuple[MailWorld, Inbox]]:
    inbox = Inbox(fault)
    with mail_server(inbox) as port:
        yield mail_world(folder, port, users, **delivery), inbox


def recipients(inbox: Inbox) -> list[str]:
    return [address.partition("@")[0] for address, _ in inbox.mails]


def test_each_digest_is_sent_once(tmp_path: Path) -> None:
    with world_of(tmp_path) as (world, inbox):
        assert world.send() == SendReport(n_queued=3, n_sent=3)
        assert world.send() == SendReport()
        assert recipients(inbox) == list(USERS)
        assert inbox.messages[0]["Subject"] == "5 вакансий: anna"
        row = world.outbox().row(0, named=True)
        assert row["message_id"] == inbox.messages[0]["Message-ID"]
        assert row | {"message_id": "", "user_id": ""} == {
            "user_id": "", "digest_date": DAY, "message_id": "", "status": "sent", "reason": None,
            "due_at": NOON.replace(minute=0), "queued_at": NOON, "attempts": 1, "attempted_at": NOON, "retry_at": None,
            "ended_at": NOON, "smtp_code": 250, "smtp_status": None,
        }  # fmt: skip
        assert world.table().equals(world.outbox())


def test_a_digest_is_due_at_its_users_own_hour(tmp_path: Path) -> None:
    with world_of(tmp_path) as (world, inbox):
        world.put_users(
            USERS, anna={"timezone": "Asia/Almaty", "digest_hour": 18}, boris={"timezone": "America/New_York"}
        )
        assert world.send(Clock(NOON)).n_sent == 1
        assert recipients(inbox) == ["vera"]
        assert world.send(Clock(NOON + 1 * HOUR)).n_sent == 1  # 18:30 in Almaty
        assert world.send(Clock(NOON + 4 * HOUR)).n_sent == 0
        assert world.send(Clock(NOON + 5 * HOUR)).n_sent == 1  # 12:30 in New York
        assert recipients(inbox) == ["vera", "anna", "boris"]


def test_a_digest_follows_a_user_who_changes_the_hour(tmp_path: Path) -> None:
    with world_of(tmp_path) as (world, inbox):
        queue_digests(world.writer, now=NOON - 3 * HOUR)
        world.put_users(USERS, anna={"digest_hour": 15})
        assert world.send().n_sent == 2
        assert world.send(Clock(NOON + 3 * HOUR)).n_sent == 1
        assert recipients(inbox)[-1] == "anna"


def test_a_digest_whose_time_is_over_is_not_sent(tmp_path: Path) -> None:
    with world_of(tmp_path, late_hours=2) as (world, inbox):
        queue_digests(world.writer, now=NOON - HOUR)
        world.put_digests([*USERS, "late"])
        world.put_users([*USERS, "late"])
        assert world.send(Clock(NOON + 3 * HOUR)) == SendReport(n_suppressed=3)
        assert set(world.ends().values()) == {("suppressed", "outdated")}
        assert not inbox.mails


def test_jobs_that_closed_before_the_hour_are_left_out(tmp_path: Path) -> None:
    with world_of(tmp_path) as (world, inbox):
        readers = market_readers(dict.fromkeys(USERS, "en"))
        items = market_items(["anna", "vera"]).vstack(market_items(["boris"], 1)).sort("user_id", "place")
        digests = render(readers, items, market_jobs(), WORDING).with_columns(digest_date=pl.lit(DAY))
        world.lake.replace("digests", DIGESTS, DIGESTS.conform(digests))
        is_first = pl.col("job_id") == "hh:1"
        jobs = market_jobs().with_columns(status=pl.when(is_first).then(pl.lit("closed")).otherwise(pl.lit("open")))
        world.lake.replace("catalog", JOBS, jobs)
        assert world.send() == SendReport(n_queued=3, n_sent=2, n_suppressed=1)
        assert world.ends()["boris"] == ("suppressed", "jobs_closed")
        for message in inbox.messages:
            assert message["Subject"] == "4 new jobs: Backend Engineer, Payments & Ledger"
            parts = [part.get_content() for part in message.walk() if not part.is_multipart()]
            assert len(parts) == 2 and not any("Data Platform" in part for part in parts)


def test_who_must_not_get_mail_gets_none(tmp_path: Path) -> None:
    users = ("asked", "bad", "bounced", "complained", "gone", "linked", "moved", "mute", "none", "soft", "well")
    with world_of(tmp_path, users) as (world, inbox):
        links = world.links
        token = str(links.unsubscribe_url("linked")).rpartition("/")[2]
        world.land("unsubscribes", "a.jsonl", {"user_id": "asked", "requested_at": "2026-03-01"}, {"token": token})
        hard = {"type": "hard", "status": "5.1.1", "occurred_at": "2026-02-28"}
        world.land(
            "bounces", "b.jsonl",
            {"message_id": f"<{links.message_name('bounced', DAY)}@example.org>", **hard},
            {"email": "Moved@example.org", **hard}, {"user_id": "soft", "type": "soft"},
            {"user_id": "complained", "type": "complaint", "occurred_at": "2026-02-28"},
        )  # fmt: skip
        moved = {"user_id": "moved", "updated_at": NOON, "email": "new@example.org", "content_hash": "2"}
        world.lake.append("bronze", USER_RECORDS, USER_RECORDS.conform(pl.DataFrame([moved])))
        queue_digests(world.writer, now=NOON - HOUR)
        world.put_users(
            [user for user in users if user != "gone"],
            none={"email": None},
            bad={"email": "bad@example.org\r\nBcc: x@example.org"},
            mute={"digest_frequency": "none"},
        )
        assert world.send() == SendReport(n_sent=3, n_suppressed=8)
        assert sorted(recipients(inbox)) == ["moved", "soft", "well"]
        assert world.ends() == {
            "asked": ("suppressed", "unsubscribed"), "linked": ("suppressed", "unsubscribed"),
            "bounced": ("suppressed", "bounced"), "complained": ("suppressed", "complained"),
            "mute": ("suppressed", "frequency_none"), "none": ("suppressed", "no_address"),
            "bad": ("suppressed", "bad_address"), "gone": ("suppressed", "unknown_user"),
            **dict.fromkeys(("moved", "soft", "well"), ("sent", None)),
        }  # fmt: skip


def test_who_unsubscribes_while_digests_are_sent_gets_nothing_more(tmp_path: Path) -> None:
    users = tuple(f"user-{number:03}" for number in range(60))

    def unsubscribes(step: str, n: int) -> None:
        if (step, n) == ("taken", 3):
            world.land("unsubscribes", "now.jsonl", {"user_id": "user-050"})
            world.land("erasures", "now.jsonl", {"user_id": "user-051", "requested_at": NOON.isoformat()})

    with world_of(tmp_path, users, fault=unsubscribes, messages_per_second=2) as (world, inbox):
        assert world.send() == SendReport(n_queued=60, n_sent=58, n_suppressed=1)
        assert set(users) - set(recipients(inbox)) == {"user-050", "user-051"}
        assert world.ends()["user-050"] == ("suppressed", "unsubscribed")
        assert "user-051" not in world.ends()


def test_a_user_who_subscribes_again_gets_digests_again(tmp_path: Path) -> None:
    with world_of(tmp_path, ("anna",)) as (world, _):
        world.land("unsubscribes", "a.jsonl", {"user_id": "anna", "requested_at": "2026-02-01"})
        world.land("bounces", "spam.jsonl", {"user_id": "anna", "type": "spam", "occurred_at": "2026-02-04"})
        world.send()
        assert world.ends()["anna"] == ("suppressed", "unsubscribed")
        for days, at, end in ((1, "2026-02-03", ("suppressed", "complained")), (2, "2026-02-05", ("sent", None))):
            again = {"user_id": "anna", "requested_at": at, "subscribe": True}
            world.land("unsubscribes", f"{at}.jsonl", again)
            world.put_digests(["anna"], DAY + dt.timedelta(days=days))
            world.send(Clock(NOON + days * 24 * HOUR))
            assert world.outbox().sort("digest_date").row(-1)[3:5] == end


def test_a_mailbox_that_does_not_exist_is_not_tried_again_until_the_address_changes(tmp_path: Path) -> None:
    refuse = {"fault": lambda step, n: "550 5.1.1 no such user" if (step, n) == ("rcpt", 0) else None}
    with world_of(tmp_path, ("anna",), **refuse) as (world, _):
        assert world.send() == SendReport(n_queued=1, n_failed=1)
        assert world.ends()["anna"] == ("failed", "no_such_mailbox")
        world.put_digests(["anna"], DAY + dt.timedelta(days=1))
        assert world.send(Clock(NOON + 24 * HOUR)) == SendReport(n_queued=1, n_suppressed=1)
        world.put_digests(["anna"], DAY + dt.timedelta(days=2))
        new = {"user_id": "anna", "updated_at": NOON + 30 * HOUR, "email": "b@example.org", "content_hash": "2"}
        world.lake.append("bronze", USER_RECORDS, USER_RECORDS.conform(pl.DataFrame([new])))
        assert world.send(Clock(NOON + 48 * HOUR)).n_sent == 1


def test_temporary_refusals_are_followed_by_other_attempts(tmp_path: Path) -> None:
    clock = Clock()
    busy = {"fault": lambda step, n: "450 4.2.0 later" if step == "rcpt" and n < 3 else None}
    with world_of(tmp_path, ("anna",), **busy) as (world, inbox):
        assert world.send(clock) == SendReport(n_queued=1, n_sent=1, n_retried=3)
        assert [seconds for seconds in clock.slept if seconds > 1] == [60, 120, 240]
        row = world.outbox().row(0, named=True)
        assert (row["attempts"], row["smtp_code"], row["retry_at"]) == (4, 250, None)
        assert len(inbox.mails) == 1


def test_attempts_end(tmp_path: Path) -> None:
    busy = {"fault": lambda step, n: "450 4.2.0 later" if step == "text" else None, "max_attempts": 3}
    with world_of(tmp_path, ("anna",), **busy) as (world, _):
        assert world.send() == SendReport(n_queued=1, n_failed=1, n_retried=2)
        row = world.outbox().row(0, named=True)
        assert (row["status"], row["reason"], row["attempts"]) == ("failed", "too_many_attempts", 3)
        assert (row["smtp_code"], row["smtp_status"]) == (450, "4.2.0")


def test_what_may_have_arrived_is_not_sent_again_and_is_told(tmp_path: Path) -> None:
    lost = {"fault": lambda step, n: DROP if (step, n) == ("taken", 0) else None}
    with world_of(tmp_path, **lost) as (world, inbox):
        assert world.send() == SendReport(n_queued=3, n_sent=2, n_failed=1, n_unknown=1)
        assert world.send() == SendReport()
        assert world.ends()["anna"] == ("failed", "delivery_unknown")
        assert set(inbox.ids.values()) == {1} and len(inbox.mails) == 3


def test_a_sender_that_died_with_a_mail_leaves_it_unknown(tmp_path: Path) -> None:
    class DeathError(BaseException):
        pass

    def die(step: str, n: int) -> None:
        if (step, n) == ("taken", 1):
            dying.now = dead  # the first thing after the answer of the server is to ask for the time

    def dead() -> dt.datetime:
        raise DeathError

    with world_of(tmp_path, fault=die) as (world, inbox):
        dying = world.sender(Clock())
        with pytest.raises(DeathError):
            dying.send_due()
        assert world.ends() == {"anna": ("sent", None), "boris": ("sending", None), "vera": ("queued", None)}
        assert world.send() == SendReport(n_sent=1, n_failed=1, n_interrupted=1, n_unknown=1)
        assert world.ends()["boris"] == ("failed", "delivery_unknown")
        assert set(inbox.ids.values()) == {1}


def test_a_refused_sender_leaves_all_queued(tmp_path: Path) -> None:
    refused = {"fault": lambda step, n: "550 5.7.1 no" if (step, n) == ("mail", 1) else None}
    with world_of(tmp_path, **refused) as (world, inbox):
        with pytest.raises(MailServerError):
            world.send()
        assert sorted(status for status, _ in world.ends().values()) == ["queued", "queued", "sent"]
        assert world.table().equals(world.outbox())
        assert world.send().n_sent == 2
        assert set(inbox.ids.values()) == {1}


def test_many_refusals_by_policy_end_the_run(tmp_path: Path) -> None:
    users = tuple(f"user-{number:03}" for number in range(30))
    unwelcome = {"fault": lambda step, n: "550 5.7.1 blocked" if step == "rcpt" and n != 5 else None}
    with world_of(tmp_path, users, **unwelcome) as (world, inbox):
        with pytest.raises(MailServerError, match=r"refused 10 mails in a row by its policy \(550 5\.7\.1\)"):
            world.send()
        assert Counter(status for status, _ in world.ends().values()) == {"failed": 15, "sent": 1, "queued": 14}
        assert len(inbox.mails) == 1


def test_only_one_sender_works_at_a_time(tmp_path: Path) -> None:
    with world_of(tmp_path) as (world, inbox):
        with world.lake.lock(LOCK):
            with pytest.raises(AlreadySendingError, match="another process"):
                world.send()
            assert queue_digests(world.writer, now=NOON) == 0
        assert not inbox.mails


def test_a_newer_digest_does_not_take_away_one_that_waits_to_be_sent(tmp_path: Path) -> None:
    busy = {"fault": lambda step, n: "450 4.2.0 later" if (step, n) == ("rcpt", 0) else None, "max_attempts": 9}
    with world_of(tmp_path, **busy, retry_seconds=3600) as (world, _):
        clock = Clock()
        clock.sleep = stop  # type: ignore[method-assign]  # with anna's digest queued again
        with pytest.raises(StoppedError):
            world.send(clock)
        tomorrow = DAY + dt.timedelta(days=1)
        new = pl.DataFrame({"user_id": ["anna", "boris"], "digest_date": [tomorrow, tomorrow]})
        users = world.lake.scan("catalog", USERS_TABLE)
        kept = _kept(world.lake, users, new, new, as_of=NOON + HOUR)
        assert kept.rows() == [("anna", DAY), ("vera", DAY)]
        again = pl.DataFrame({"user_id": ["anna"], "digest_date": [DAY]})
        assert _kept(world.lake, users, again, again, as_of=NOON + HOUR)["user_id"].to_list() == ["boris", "vera"]


class StoppedError(Exception):
    pass


def stop(seconds: float) -> None:
    if seconds > 60:
        raise StoppedError


def test_the_rate_is_bounded(tmp_path: Path) -> None:
    clock = Clock()
    with world_of(tmp_path, messages_per_second=0.25) as (world, _):
        assert world.send(clock).n_sent == 3
        # Between three mails there are two pauses of four seconds, less the time that sending took.
        assert 7 < sum(clock.slept) <= 8


def test_an_erasure_leaves_no_trace_in_the_outbox(tmp_path: Path) -> None:
    users = ("somebody-very-special", "vera")
    with world_of(tmp_path, users) as (world, _):
        world.send()
        files = [path for path in (tmp_path / "lake" / "digests").rglob("*outbox*") if path.is_file()]
        assert any(b"somebody-very-special" in path.read_bytes() for path in files)
        world.land("erasures", "a.jsonl", {"user_id": users[0], "requested_at": NOON.isoformat()})
        queue_digests(world.writer, now=NOON + HOUR)
        assert list(world.ends()) == ["vera"] == world.table()["user_id"].to_list()
        for path in (tmp_path / "lake" / "digests").rglob("*outbox*"):
            assert path.is_dir() or b"somebody-very-special" not in path.read_bytes(), path.name


def test_old_rows_are_removed(tmp_path: Path) -> None:
    with world_of(tmp_path, kept_days=8) as (world, _):
        world.send()
        queue_digests(world.writer, now=NOON + 9 * 24 * HOUR)
        assert world.outbox().is_empty() and world.table().is_empty()


def test_no_address_is_kept(tmp_path: Path) -> None:
    refuse = {"fault": lambda step, n: "550 5.1.1 <anna@example.org> is unknown" if step == "rcpt" else None}
    with world_of(tmp_path, **refuse) as (world, _):
        world.land("bounces", "b.jsonl", {"email": "anna@example.org", "type": "hard"})
        world.send()
        for folder in ("digests", "bronze/bounces.parquet", "bronze/quarantine"):
            files = [tmp_path / "lake" / folder, *(tmp_path / "lake" / folder).rglob("*")]
            assert not any(b"anna@example.org" in path.read_bytes() for path in files if path.is_file())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sender": ""}, "digest.sender"),
        ({"unsubscribe_url": ""}, "digest.unsubscribe_url"),
        ({"delivery": {"host": ""}}, "digest.delivery.host"),
        ({}, "JOBFEED_LINK_KEYS"),
    ],
)
def test_what_is_missing_is_named_before_anything_is_sent(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with world_of(tmp_path) as (world, inbox):
        settings = world.settings.model_validate(world.settings.model_dump() | changes)
        links = (
            DigestLinks.of(settings, {}) if not changes else DigestLinks(settings.unsubscribe_url, "", world.links.keys)
        )
        writer = LetterWriter(world.lake, world.landing, settings, links)
        with pytest.raises(NotConfiguredError, match=re.escape(named)):
            Sender(writer, MailServer(settings.delivery)).send_due()
        if named != "digest.delivery.host":
            with pytest.raises(NotConfiguredError, match=re.escape(named)):
                write_due(writer, tmp_path / "out", now=NOON)
        assert not inbox.mails and not (tmp_path / "lake" / "digests" / "outbox.sqlite3").exists()


def test_a_dry_run_writes_the_mails_that_would_be_sent(tmp_path: Path) -> None:
    with world_of(tmp_path) as (world, inbox):
        world.put_users(USERS, anna={"email": None}, boris={"digest_hour": 13})
        assert write_due(world.writer, tmp_path / "out", now=NOON) == (1, {"no_address": 1})
        [path] = (tmp_path / "out").iterdir()
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        assert (message["To"], message["Subject"]) == ("vera@example.org", "5 вакансий: vera")
        assert world.outbox().is_empty() and not inbox.mails
        world.send()
        assert write_due(world.writer, tmp_path / "again", now=NOON) == (0, {})
        [sent] = inbox.messages
        assert sent["Message-ID"] == message["Message-ID"]


FAULTS = {
    "mail": ("451 4.3.0 later", "421 4.3.2 closing", DROP),
    "rcpt": ("450 4.2.0 later", "550 5.1.1 unknown", "552 5.2.2 full", DROP),
    "data": ("451 4.3.0 later", "554 5.7.1 no", DROP),
    "cut": (DROP,),
    "text": ("452 4.3.1 later", "554 5.6.0 no", DROP),
    "taken": (DROP,),
}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.dictionaries(st.tuples(st.sampled_from(list(FAULTS)), st.integers(0, 12)), st.integers(0, 9), max_size=20)
)
def test_whatever_fails_no_digest_comes_twice_and_none_is_lost(plan: dict[tuple[str, int], int]) -> None:
    def fault(step: str, n: int) -> str | None:
        chosen = plan.get((step, n))
        return None if chosen is None else FAULTS[step][chosen % len(FAULTS[step])]

    users = tuple(f"user-{number}" for number in range(6))
    with TemporaryDirectory() as folder, world_of(Path(folder), users, fault=fault, max_attempts=3) as (world, inbox):
        clock = Clock()
        reports = [world.send(clock) for _ in range(2)]
        taken = inbox.ids
        assert all(n == 1 for n in taken.values())
        for message_id, status, reason in world.outbox()["message_id", "status", "reason"].rows():
            if status == "sent":
                assert message_id in taken
            elif reason != "delivery_unknown":
                assert status == "failed" and message_id not in taken
        ends = Counter(status for status, _ in world.ends().values())
        assert ends["sent"] + ends["failed"] == len(users)
        assert ends["sent"] == sum(report.n_sent for report in reports)


@pytest.mark.slow
def test_a_killed_sender_sends_nothing_twice_and_loses_nothing() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.kill_sender", "--kills", "10", "--digests-per-kill", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr[-2000:]
    assert "10 kills" in done.stdout and "none twice" in done.stdout
