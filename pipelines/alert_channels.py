"""Where alerts go: to a webhook, and by e-mail. Which alerts there are is in alerts.py.

JOBFEED_ALERT_WEBHOOK names the webhook, which gets JSON with one key, `text`, as Slack, Mattermost and others read it.
`alerts.email` in pipeline.yaml names who gets e-mails; the mail server is that of the digests, unless it names another.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Protocol

import requests
from requests.adapters import HTTPAdapter
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter
from urllib3.util import Retry

from assets.config.pipeline import MailServerSettings, Pipeline
from assets.digests.smtp import Delivered, MailServer, MailServerError, Result
from features.errors import JobfeedError

WEBHOOK_VARIABLE = "JOBFEED_ALERT_WEBHOOK"
_TIMEOUT_SECONDS = 10
_BACKOFF_SECONDS = 0.5
_MAIL_ATTEMPTS = 3
_LONGEST_SUBJECT = 120


class AlertError(JobfeedError, RuntimeError):
    """A message was not taken. The webhook's address, which is secret, is not in the text."""


class Channel(Protocol):
    """A way to operators."""

    @property
    def name(self) -> str:
        """What was told is remembered by this name."""
        ...

    def send(self, text: str) -> None:
        """Sends `text`, more than once if that may help. Raises AlertError."""
        ...


def channels_of(settings: Pipeline, environment: Mapping[str, str]) -> Sequence[Channel]:
    """All ways to operators that are configured."""
    channels: list[Channel] = []
    url = environment.get(WEBHOOK_VARIABLE)
    if url:
        channels.append(Webhook(url))
    email = settings.alerts.email
    if email.to:
        server = email.server if email.server.host else settings.digest.delivery
        channels.append(Email(email.sender or settings.digest.sender, email.to, server, environment))
    return channels


@dataclass(frozen=True)
class Webhook:
    """The webhook at `url`."""

    url: str = field(repr=False)
    name: str = "webhook"

    def send(self, text: str) -> None:
        """Posts the text, four times at most."""
        retry = Retry(
            total=3, backoff_factor=_BACKOFF_SECONDS, status_forcelist=[429, 502, 503, 504], allowed_methods=None
        )
        with requests.Session() as session:
            session.mount("https://", HTTPAdapter(max_retries=retry))
            session.mount("http://", HTTPAdapter(max_retries=retry))
            try:
                answer = session.post(self.url, json={"text": text}, timeout=_TIMEOUT_SECONDS)
            except requests.RequestException as error:
                raise AlertError(f"{WEBHOOK_VARIABLE}: {type(error).__name__}; the alert was: {text}") from None
        if not answer.ok:
            raise AlertError(f"{WEBHOOK_VARIABLE}: answered {answer.status_code}; the alert was: {text}")


@dataclass(frozen=True)
class Email:
    """E-mails from `sender` to each of `recipients`."""

    sender: str
    recipients: Sequence[str]
    server: MailServerSettings
    environment: Mapping[str, str] = field(repr=False)
    name: str = "email"

    def send(self, text: str) -> None:
        """Sends the text to all; a refusal that may pass is tried again twice."""
        connection = MailServer(self.server, self.environment)
        try:
            refused = [result for to in self.recipients if (result := self._sent(connection, text, to)) is not None]
        except MailServerError as error:
            raise AlertError(f"alerts.email: {error}; the alert was: {text}") from None
        finally:
            connection.close()
        if len(refused) == len(self.recipients):
            raise AlertError(f"alerts.email: {refused[0]}; the alert was: {text}")

    def _sent(self, connection: MailServer, text: str, to: str) -> str | None:
        """Sends it to one address. Returns why it was refused; None if it was taken."""
        message, sender = self._message(text, to), _address(self.sender)
        retrying = Retrying(
            stop=stop_after_attempt(_MAIL_ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=_BACKOFF_SECONDS, max=10),
            retry=retry_if_result(_may_pass),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        sent: Delivered = retrying(connection.send, message, sender=sender, to=_address(to), before_text=lambda: None)
        # A mail that may have arrived is not sent again.
        if sent.result in (Result.TAKEN, Result.UNKNOWN):
            return None
        return f"the mail server answered {sent.reply.code or 'nothing'} {sent.reply.status or ''}".strip()

    def _message(self, text: str, to: str) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"] = self.sender, to
        first = " ".join(text.split())
        message["Subject"] = first if len(first) <= _LONGEST_SUBJECT else f"{first[: _LONGEST_SUBJECT - 1]}…"
        message["Date"] = format_datetime(dt.datetime.now(dt.UTC))
        message["Message-ID"] = make_msgid(domain=_address(self.sender).rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(f"{text}\n\nWhat to do: docs/runbook.md. How it is now: jobfeed status\n")
        return message.as_bytes()


def _may_pass(sent: Delivered) -> bool:
    return sent.result is Result.LATER


def _address(mailbox: str) -> str:
    parsed = SMTP.header_factory("To", mailbox)
    found: Sequence[Address] = parsed.addresses
    return found[0].addr_spec
