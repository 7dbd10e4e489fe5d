"""Sends the digests that are due: at most once each, at a bounded rate, again after a temporary refusal."""

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, fields
from pathlib import Path

from assets.digests.letters import LetterWriter, require_settings
from assets.digests.message import Letter, build_message, sender_mailbox
from assets.digests.outbox import Mail, Outbox, open_outbox
from assets.digests.outbox_turn import OutboxTurn, outbox_turn
from assets.digests.smtp import Delivered, MailServer, MailServerError, Result
from assets.lake import write_bytes
from assets.locks import LockedError
from assets.storage.lease import LEASE_SECONDS, LeaseTakenError
from features.errors import JobfeedError

_SECONDS_PER_BATCH = 10.0  # who unsubscribes while digests are sent is heard after so long
_FEWEST, _MOST = 20, 500
_DEAD_SECONDS = 2 * LEASE_SECONDS
_LONGEST_RETRY = dt.timedelta(hours=1)
_MOST_UNWELCOME = 10  # refusals by policy in a row


class AlreadySendingError(JobfeedError, RuntimeError):
    """Another process sends digests from the same data folder."""


@dataclass
class SendReport:
    """What a run did with the e-mails of the outbox. `n_interrupted`: failed because an earlier run died with them.

    `n_unknown` of the failed may have arrived, those of `n_interrupted` among them. `n_retried` counts attempts.
    """

    n_queued: int = 0
    n_sent: int = 0
    n_failed: int = 0
    n_suppressed: int = 0
    n_retried: int = 0
    n_interrupted: int = 0
    n_unknown: int = 0

    def line(self) -> str:
        """The figures that are not zero, as one line."""
        named = {one.name.removeprefix("n_"): getattr(self, one.name) for one in fields(self)}
        return ", ".join(f"{n:,} {name}" for name, n in named.items() if n) or "nothing is due"


@dataclass
class Sender:
    """One run over the outbox. `now` and `sleep` are the clock, which tests replace."""

    writer: LetterWriter
    server: MailServer
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    sleep: Callable[[float], None] = time.sleep
    _n_unwelcome: int = field(default=0, init=False)

    def send_due(self) -> SendReport:
        """Queues the digests of the lake and sends what is due, until nothing is due any more.

        Raises NotConfiguredError, AlreadySendingError and MailServerError; what was not sent stays queued.
        """
        writer, report = self.writer, SendReport()
        require_settings(writer.settings, writer.links, sends=True)
        with ExitStack() as stack:
            try:
                turn = stack.enter_context(
                    # Long enough to see that another machine's sender is dead.
                    outbox_turn(writer.lake, job="sender of digests", timeout_seconds=0, store_seconds=_DEAD_SECONDS)
                )
            except LeaseTakenError as error:
                raise AlreadySendingError(str(error)) from None
            except LockedError:
                raise AlreadySendingError("digests are being sent by another process; nothing was done") from None
            outbox = stack.enter_context(open_outbox(writer.lake))
            stack.callback(outbox.store_table, writer.lake)
            stack.enter_context(closing(self.server))
            report.n_interrupted = report.n_unknown = outbox.end_interrupted(now=self.now())
            report.n_failed += report.n_interrupted
            report.n_queued = self.writer.queue(outbox, now=self.now())
            turn.store()
            self._send_all(outbox, turn, report)
        return report

    def _send_all(self, outbox: Outbox, turn: OutboxTurn, report: SendReport) -> None:
        delivery = self.writer.settings.delivery
        size = round(min(max(_FEWEST, delivery.messages_per_second * _SECONDS_PER_BATCH), _MOST))
        pause, earliest = 1 / delivery.messages_per_second, 0.0
        while True:
            mails = outbox.due(self.now(), limit=size)
            if not mails:
                retry_at = outbox.next_retry(self.now())
                if retry_at is None:
                    return
                self.sleep(max(0.0, (retry_at - self.now()).total_seconds()))
                continue
            turn.hear()
            prepared = self.writer.letters(mails, outbox, now=self.now())
            refused = [(mail, reason) for mail, reason in prepared if isinstance(reason, str)]
            if any(reason == "erased" for _, reason in refused):
                outbox.forget(self.writer.erasures(self.now()).iter_rows())
            report.n_suppressed += outbox.suppress(refused, now=self.now())
            turn.claim([mail for mail, letter in prepared if isinstance(letter, Letter)])
            for mail, letter in prepared:
                if isinstance(letter, Letter):
                    self.sleep(max(0.0, earliest - time.monotonic()))
                    earliest = time.monotonic() + pause
                    self._stop_if_unwelcome(self._send(mail, letter, outbox, report))

    def _stop_if_unwelcome(self, delivered: Delivered) -> None:
        """Raises MailServerError after many refusals in a row that are meant for us, not for a user."""
        is_policy = delivered.result is Result.REFUSED and (delivered.reply.status or "").startswith("5.7.")
        self._n_unwelcome = self._n_unwelcome + 1 if is_policy else 0
        if self._n_unwelcome >= _MOST_UNWELCOME:
            raise MailServerError(
                f"the mail server refused {self._n_unwelcome} mails in a row by its policy ({delivered.reply.code} "
                f"{delivered.reply.status}); may {sender_mailbox(self.writer.settings.sender).domain} send from here "
                "(SPF, DKIM, DMARC, block lists)? The other digests stay queued"
            )

    def _send(self, mail: Mail, letter: Letter, outbox: Outbox, report: SendReport) -> Delivered:
        settings = self.writer.settings
        message = build_message(letter, sender=settings.sender, now=self.now())
        delivered = self.server.send(
            message,
            sender=sender_mailbox(settings.delivery.bounce_address or settings.sender).addr_spec,
            to=letter.to,
            before_text=lambda: outbox.begin_sending(mail, now=self.now()),
        )
        after = "sending" if delivered.had_begun else "queued"
        if delivered.result is Result.TAKEN:
            outbox.end_sent(mail, delivered.reply, now=self.now())
            report.n_sent += 1
        elif delivered.result is Result.LATER and mail.attempts + 1 < settings.delivery.max_attempts:
            outbox.put_back(mail, delivered.reply, now=self.now(), retry_at=self._retry_at(mail), after=after)
            report.n_retried += 1
        else:
            outbox.end_failed(mail, _reason(delivered), delivered.reply, now=self.now(), after=after)
            report.n_failed += 1
            report.n_unknown += delivered.result is Result.UNKNOWN
        return delivered

    def _retry_at(self, mail: Mail) -> dt.datetime:
        seconds = self.writer.settings.delivery.retry_seconds * 2 ** min(mail.attempts, 30)
        return self.now() + min(dt.timedelta(seconds=seconds), _LONGEST_RETRY)


def _reason(delivered: Delivered) -> str:
    reasons: Mapping[Result, str] = {Result.UNKNOWN: "delivery_unknown", Result.LATER: "too_many_attempts"}
    return reasons.get(delivered.result, delivered.result.value)


def queue_digests(writer: LetterWriter, *, now: dt.datetime) -> int:
    """Queues the digests of the lake if they can be sent, and forgets erased users. Returns how many were queued.

    While a sender is at work nothing is done: it does the same itself.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(outbox_turn(writer.lake, job="queueing of digests", timeout_seconds=0))
        except LockedError:
            return 0
        outbox = stack.enter_context(open_outbox(writer.lake))
        stack.callback(outbox.store_table, writer.lake)
        return writer.queue(outbox, now=now)


def write_due(writer: LetterWriter, folder: Path, *, now: dt.datetime) -> tuple[int, dict[str, int]]:
    """Writes the e-mails that would be sent now into `folder`, as .eml files, and changes nothing else.

    Returns how many were written, and how many must not be sent, by reason.
    """
    require_settings(writer.settings, writer.links, sends=False)
    n_written, reasons = 0, dict[str, int]()
    with open_outbox(writer.lake, is_read_only=True) as outbox:
        mails = sorted(outbox.due(now, limit=-1) + writer.unqueued(outbox, now=now))
        for first in range(0, len(mails), _MOST):
            for mail, letter in writer.letters(mails[first : first + _MOST], outbox, now=now):
                if isinstance(letter, str):
                    reasons[letter] = reasons.get(letter, 0) + 1
                    continue
                name = f"{mail.digest_date}-{hashlib.sha256(mail.message_id.encode()).hexdigest()[:16]}.eml"
                write_bytes(folder / name, build_message(letter, sender=writer.settings.sender, now=now))
                n_written += 1
    return n_written, reasons
