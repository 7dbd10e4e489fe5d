"""Digests that are sent from a store: the next sender may be another machine."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import tenacity

from assets.digests import outbox_turn as turn_module
from assets.digests.outbox import open_outbox
from assets.digests.outbox_turn import forget_users, outbox_turn
from assets.digests.sending import AlreadySendingError, SendReport, queue_digests
from assets.run_turns import run_turn
from assets.storage import lease, turns
from assets.storage.snapshots import Part, read_snapshot
from assets.storage.working_copy import WorkingCopy, working_copy
from features.schemas.bronze import ERASURES
from serving.contract.object_store import ObjectStore, ObjectStoreError
from tests.assets.digests.mail_server import Inbox, mail_server
from tests.assets.digests.mail_world import NOON, Clock, MailWorld, mail_world

USERS = ("anna", "boris", "vera")


class DeadError(BaseException):
    """The machine is gone: nothing more of the program is done."""


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr("assets.digests.sending._DEAD_SECONDS", 5.0)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def here(store_url: str, tmp_path: Path, inbox: Inbox) -> Iterator[MailWorld]:
    """A machine whose lake, with a digest for each user, is stored."""
    with mail_server(inbox) as port:
        copy = working_copy(store_url, tmp_path / "here")
        world = MailWorld(copy.root, mail_world(tmp_path / "settings", port).settings)
        with run_turn(world.lake, job="daily"):
            world.put_users(USERS)
            world.put_digests(USERS)
        yield world


def elsewhere(here: MailWorld, tmp_path: Path, name: str = "there") -> MailWorld:
    """The same on another machine, as the store has it."""
    world = dataclasses.replace(here, folder=working_copy(url_of(here), tmp_path / name).root)
    turns.refresh(world.lake)
    return world


def url_of(world: MailWorld) -> str:
    return (world.folder / ".store" / "url").read_text()


def copy_of(world: MailWorld) -> WorkingCopy:
    return WorkingCopy(world.folder, url_of(world))


def dies(monkeypatch: pytest.MonkeyPatch, world: MailWorld, *, after: int) -> None:
    """The machine of the sender dies when its mail server has taken so many mails; nothing is stored after that."""
    store_files = ObjectStore.upload
    with monkeypatch.context() as patched:
        n_sent = 0

        def end_sent(*_: object, **__: object) -> None:
            nonlocal n_sent
            n_sent += 1
            if n_sent == after:
                patched.setattr(ObjectStore, "upload", gone)
                patched.setattr(ObjectStore, "replace", gone)
                raise DeadError

        def gone(*_: object, **__: object) -> None:
            raise ObjectStoreError("this machine is dead")

        patched.setattr("assets.digests.outbox.Outbox.end_sent", end_sent)
        with pytest.raises((DeadError, ObjectStoreError)):
            world.send()
    assert ObjectStore.upload is store_files


def test_each_digest_is_sent_once_by_all_machines(here: MailWorld, tmp_path: Path, inbox: Inbox) -> None:
    assert here.send() == SendReport(n_queued=3, n_sent=3)
    there = elsewhere(here, tmp_path)
    assert there.send() == SendReport()
    assert there.outbox().equals(here.outbox())
    assert there.table().equals(here.table())
    assert set(inbox.ids.values()) == {1}


@pytest.mark.parametrize("n_sent", [1, 2, 3])
def test_what_a_dead_machine_may_have_sent_is_not_sent_again(
    here: MailWorld, tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, n_sent: int
) -> None:
    dies(monkeypatch, here, after=n_sent)
    there = elsewhere(here, tmp_path)
    report = there.send()

    assert set(inbox.ids.values()) == {1}
    assert report.n_unknown == len(USERS)
    assert set(there.ends().values()) == {("failed", "delivery_unknown")}
    assert elsewhere(here, tmp_path, "third").send() == SendReport()
    # Nor by the machine that died, once it is back.
    turns.refresh(here.lake)
    assert here.send() == SendReport()
    assert set(inbox.ids.values()) == {1}


def test_nothing_goes_out_that_could_not_be_claimed(
    here: MailWorld, tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = turn_module.OpenPart.commit

    def refuses_claims(part: turn_module.OpenPart, after: object) -> None:
        if getattr(after, "claims", ()):
            raise ObjectStoreError("the store is away")
        commit(part, after)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(turn_module.OpenPart, "commit", refuses_claims)
        with pytest.raises(ObjectStoreError, match="away"):
            here.send()
    assert not inbox.mails
    assert elsewhere(here, tmp_path).send().n_sent == 3


def test_a_sender_that_was_overtaken_sends_no_further_mail(
    here: MailWorld, tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = elsewhere(here, tmp_path)
    monkeypatch.setattr(lease, "_keep_beating", lambda _lease, _stop: None)
    reports = []

    def suspended(turn: turn_module.OutboxTurn) -> None:
        monkeypatch.setattr(turn_module.OutboxTurn, "hear", lambda _turn: None)
        reports.append(there.send())

    monkeypatch.setattr(turn_module.OutboxTurn, "hear", suspended)
    with pytest.raises(lease.LeaseLostError):
        here.send()
    assert reports[0].n_sent == 3
    assert set(inbox.ids.values()) == {1}


def test_only_one_machine_sends_at_a_time(here: MailWorld, tmp_path: Path, inbox: Inbox) -> None:
    there = elsewhere(here, tmp_path)
    lease.BEAT_SECONDS, before = 0.1, lease.BEAT_SECONDS
    try:
        with outbox_turn(here.lake, job="sender of digests", timeout_seconds=0):
            with pytest.raises(AlreadySendingError, match="sender of digests that process"):
                there.send()
            assert queue_digests(there.writer, now=NOON) == 0
    finally:
        lease.BEAT_SECONDS = before
    assert not inbox.mails


def test_who_unsubscribes_in_the_store_gets_no_further_mail(here: MailWorld, inbox: Inbox) -> None:
    token = here.links.unsubscribe_url("boris").rpartition("/")[2]  # type: ignore[union-attr]
    body = f'{{"token": "{token}", "requested_at": "{NOON.isoformat()}"}}\n'
    copy_of(here).store.write("landing/unsubscribes/now.jsonl", body.encode())
    report = here.send(Clock())
    assert (report.n_sent, report.n_suppressed) == (2, 1)


def test_erased_users_leave_the_stored_outbox(here: MailWorld, tmp_path: Path) -> None:
    here.send()
    requests = pl.DataFrame([("boris", NOON)], schema=dict(ERASURES.columns), orient="row")
    before = set(read_snapshot(copy_of(here).store, Part.OUTBOX)[0].files.values())
    forget_users(here.lake, requests)

    after = set(read_snapshot(copy_of(here).store, Part.OUTBOX)[0].files.values())
    keys = {one.key for one in copy_of(here).store.list(Part.OUTBOX.objects_prefix)}
    assert before != after
    assert keys == {file.key for file in after}
    with open_outbox(elsewhere(here, tmp_path).lake, is_read_only=True) as outbox:
        assert outbox.rows()["user_id"].sort().to_list() == ["anna", "vera"]
