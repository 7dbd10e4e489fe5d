"""Kills the sender of digests with SIGKILL at random instants and checks that no digest is sent twice and none is lost.

`python -m tests.benchmarks.kill_sender --kills 100`. A real mail server runs in a process of its own and notes every
mail that it takes. A digest is lost if the outbox says neither that it was sent nor that it may have been.
"""

import argparse
import datetime as dt
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from assets.digests.sending import Sender
from assets.digests.smtp import Delivered, MailServer
from tests.assets.digests.mail_server import Inbox, mail_server
from tests.assets.digests.mail_world import MailWorld, mail_world

SHARE_KILLED_WHILE_SENDING = 0.8  # the others are killed at any instant of their life


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.4, help="longest life, from the first mail on")
    parser.add_argument("--digests-per-kill", type=int, default=40)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp())
    taken = folder / "taken"
    taken.touch()
    server = forked(lambda: serve(folder / "port", taken))
    try:
        kill_senders(folder, taken, options, rng=rng)
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
        shutil.rmtree(folder)


def kill_senders(folder: Path, taken: Path, options: argparse.Namespace, *, rng: random.Random) -> None:
    while not (folder / "port").exists():
        time.sleep(0.02)
    world = mail_world(folder, int((folder / "port").read_text()), late_hours=24)
    users = [f"user-{number:05}" for number in range(options.digests_per_kill * options.kills)]
    wait_for(forked(lambda: fill(world, users)))
    n_at_work = 0
    for kill in range(options.kills):
        n_before = len(taken.read_bytes().splitlines())
        begins, begun = os.pipe()
        child = forked(partial(send, world, begun=begun))
        os.close(begun)
        if rng.random() < SHARE_KILLED_WHILE_SENDING:
            os.read(begins, 1)
        time.sleep(rng.uniform(0.0, options.seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(begins)
        assert status in (0, signal.SIGKILL), "the sender failed by itself"
        n_at_work += len(taken.read_bytes().splitlines()) > n_before
        sys.stderr.write(f"\r{kill + 1} kills, {n_at_work} of a sender that had sent something ")
    wait_for(forked(lambda: send(world)))
    check(world, users, Counter(taken.read_text().split()), n_kills=options.kills, n_at_work=n_at_work)


def forked(work: Callable[[], object]) -> int:
    """Does `work` in a process of its own: no thread may start in this one, which forks the others."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def wait_for(child: int) -> None:
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with {status}"


def serve(port_file: Path, taken: Path) -> NoReturn:
    """The mail server: appends the Message-ID of every mail to the file before it answers."""
    with taken.open("ab", buffering=0) as notes:

        def note(step: str, _n: int) -> None:
            if step == "taken":
                message_id = inbox.messages[-1]["Message-ID"]
                notes.write(f"{message_id}\n".encode())
                inbox.mails.clear()

        inbox = Inbox(note)
        with mail_server(inbox) as port:
            unfinished = port_file.with_suffix(".tmp")
            unfinished.write_text(str(port))
            unfinished.rename(port_file)
            while True:
                time.sleep(60)


def fill(world: MailWorld, users: list[str]) -> None:
    now = dt.datetime.now(dt.UTC)
    world.put_users(users, **{user: {"digest_hour": now.hour, "updated_at": now} for user in users})
    world.put_digests(users, now.date())


class ToldServer(MailServer):
    """Tells a pipe when the first mail goes out."""

    begun: int | None = None

    def send(self, message: bytes, **envelope: Any) -> Delivered:
        if self.begun is not None:
            os.write(self.begun, b".")
            self.begun = None
        return super().send(message, **envelope)


def send(world: MailWorld, *, begun: int | None = None) -> None:
    server = ToldServer(world.settings.delivery)
    server.begun = begun
    Sender(world.writer, server).send_due()


def check(world: MailWorld, users: list[str], taken: Counter[str], *, n_kills: int, n_at_work: int) -> None:
    rows = world.outbox()
    assert rows["user_id"].to_list() == users, "a digest is not in the outbox"
    twice = [message_id for message_id, n in taken.items() if n > 1]
    assert not twice, f"sent twice: {twice}"
    ends = Counter()
    for message_id, status, reason in rows["message_id", "status", "reason"].rows():
        is_taken = message_id in taken
        ends[status, reason, is_taken] += 1
        assert (status, reason) in {("sent", None), ("failed", "delivery_unknown")}, (status, reason)
        assert is_taken or status == "failed", f"{message_id} is said to be sent, and never came"
    unknown_taken = ends["failed", "delivery_unknown", True]
    unknown_lost = ends["failed", "delivery_unknown", False]
    print(
        f"\n{n_kills} kills, {n_at_work} of them of a sender that had sent something; {len(users)} digests: none twice,"
        f" {ends['sent', None, True]} sent, {unknown_taken + unknown_lost} said to be unknown"
        f" ({unknown_taken} of these had arrived)"
    )


if __name__ == "__main__":
    main()
