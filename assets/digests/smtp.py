"""One connection to the mail server: sends a message and says for certain, or not, whether the server took it."""

import re
import smtplib
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from assets.config.pipeline import MailServerSettings
from assets.digests.outbox import Reply
from features.errors import JobfeedError

USER_VARIABLE = "JOBFEED_SMTP_USER"
PASSWORD_VARIABLE = "JOBFEED_SMTP_PASSWORD"  # noqa: S105 - the name of a variable
_CONNECT_ATTEMPTS = 4
_LONGEST_WAIT_SECONDS = 30.0
_CLOSING = 421  # the server ends the connection
_LINE_OF_PERIOD = re.compile(rb"(?m)^\.")  # RFC 5321, 4.5.2: a period alone would end the message


class MailServerError(JobfeedError, RuntimeError):
    """The mail server can't be reached, or refuses to work for us at all; no message is to blame."""


class Result(Enum):
    """What became of a message."""

    TAKEN = "taken"
    REFUSED = "refused"
    NO_SUCH_MAILBOX = "no_such_mailbox"
    LATER = "later"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Delivered:
    """What became of a message. `had_begun`: whether its text was going out, as `before_text` was called."""

    result: Result
    reply: Reply
    had_begun: bool


class _ServerLostError(JobfeedError):
    """The connection broke, or the server answered with what is no SMTP."""


@dataclass
class MailServer:
    """Sends messages one after another over one connection, which is opened when it is needed and used again."""

    settings: MailServerSettings
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)
    _connection: smtplib.SMTP | None = field(default=None, init=False, repr=False)

    def send(self, message: bytes, *, sender: str, to: str, before_text: Callable[[], None]) -> Delivered:
        """Sends `message` to one address. `before_text` is called before its first byte goes out.

        Raises MailServerError if the server can't be reached or refuses every message.
        """
        had_begun = False
        try:
            reply = self._envelope(sender, to)
            if reply is not None:
                return Delivered(_refusal(reply, mailbox=True), reply, had_begun)
            before_text()
            had_begun = True
            code, text = self._command(lambda smtp: smtp.docmd("DATA"))
            if code != 354:
                return Delivered(_refusal(_reply(code, text)), self._after(code, text), had_begun)
        except _ServerLostError:  # the text did not go out
            return Delivered(Result.LATER, Reply(), had_begun)
        try:
            reply = self._text(message)
        except _ServerLostError:
            return Delivered(Result.UNKNOWN, Reply(), had_begun)
        first_digit = (reply.code or 0) // 100
        result = Result.TAKEN if first_digit == 2 else Result.UNKNOWN if first_digit == 3 else _refusal(reply)
        return Delivered(result, reply, had_begun)

    def close(self) -> None:
        """Ends the connection, politely if it still stands."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.quit()
            except (smtplib.SMTPException, OSError):
                connection.close()

    def _envelope(self, sender: str, to: str) -> Reply | None:
        """Names sender and recipient; returns the reply if the recipient is refused, None if both are accepted."""
        was_open = self._connection is not None
        try:
            code, text = self._command(lambda smtp: smtp.mail(sender))
        except _ServerLostError:
            if not was_open:
                raise
            code, text = self._command(lambda smtp: smtp.mail(sender))  # the server had closed it meanwhile
        if 500 <= code < 600:
            self.close()
            raise MailServerError(f"the mail server refuses the sender: {_named(code, text)}; see digest.sender")
        if code != 250:
            return self._after(code, text)
        code, text = self._command(lambda smtp: smtp.rcpt(to))
        return None if code in (250, 251) else self._after(code, text)

    def _text(self, message: bytes) -> Reply:
        body = _LINE_OF_PERIOD.sub(b"..", message) + b".\r\n"
        code, text = self._command(lambda smtp: _sent_and_answered(smtp, body))
        return self._after(code, text)

    def _after(self, code: int, text: bytes) -> Reply:
        """The reply, after the connection was made ready for the next message."""
        if code == _CLOSING:
            self.close()
        elif not 200 <= code < 300:
            with suppress(_ServerLostError):
                self._command(lambda smtp: smtp.rset())
        return _reply(code, text)

    def _command(self, ask: Callable[[smtplib.SMTP], tuple[int, bytes]]) -> tuple[int, bytes]:
        connection = self._connection = self._connection or self._connected()
        try:
            code, text = ask(connection)
            if code < 200:
                raise smtplib.SMTPServerDisconnected("no reply")
        except (smtplib.SMTPException, OSError) as error:
            connection.close()
            self._connection = None
            raise _ServerLostError from error
        return code, text

    def _connected(self) -> smtplib.SMTP:
        where = f"{self.settings.host}:{self.settings.port}"
        retrying = Retrying(
            stop=stop_after_attempt(_CONNECT_ATTEMPTS),
            wait=wait_exponential_jitter(initial=1, max=_LONGEST_WAIT_SECONDS),
            retry=retry_if_exception(_is_passing),
            reraise=True,
        )
        try:
            return retrying(self._connect)
        except smtplib.SMTPAuthenticationError as error:
            hint = f"; {USER_VARIABLE} and {PASSWORD_VARIABLE} name user and password"
            raise MailServerError(f"{where} refuses the login: {_named(error.smtp_code, b'')}{hint}") from None
        except smtplib.SMTPResponseException as error:
            raise MailServerError(f"{where} refuses the connection: {_named(error.smtp_code, b'')}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailServerError(f"{where} can't be used: {type(error).__name__}: {error}") from error

    def _connect(self) -> smtplib.SMTP:
        settings = self.settings
        if settings.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=settings.timeout_seconds, context=self.context
            )
        else:
            connection = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds)
        try:
            connection.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                connection.starttls(context=self.context)
                connection.ehlo()
            user, password = self.environment.get(USER_VARIABLE), self.environment.get(PASSWORD_VARIABLE)
            if user and password:
                connection.login(user, password)
        except BaseException:
            connection.close()
            raise
        return connection


def _sent_and_answered(smtp: smtplib.SMTP, body: bytes) -> tuple[int, bytes]:
    smtp.send(body)
    code, text = smtp.getreply()
    return code, text


def _is_passing(error: BaseException) -> bool:
    """Whether another attempt to connect may help: the network, or a server that says "later"."""
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= error.smtp_code < 500
    is_final = isinstance(error, ssl.SSLCertVerificationError | smtplib.SMTPNotSupportedError)
    return isinstance(error, OSError) and not is_final


def _refusal(reply: Reply, *, mailbox: bool = False) -> Result:
    code = reply.code or 0
    if not 500 <= code < 600:
        return Result.LATER
    is_unknown = reply.status is not None and reply.status.startswith(("5.1.1", "5.1.10", "5.1.2", "5.1.6", "5.2.1"))
    return Result.NO_SUCH_MAILBOX if mailbox and is_unknown else Result.REFUSED


def _reply(code: int, text: bytes) -> Reply:
    """The codes of a reply (RFC 3463), without its words: they may hold the address."""
    first = text.split(b"\n")[0].split(b" ")[0].decode("ascii", "replace")
    parts = first.split(".")
    is_status = len(parts) == 3 and all(part.isdigit() and len(part) <= 3 for part in parts)
    return Reply(code, first if is_status else None)


def _named(code: int, text: bytes) -> str:
    reply = _reply(code, text)
    return f"{reply.code} {reply.status or ''}".strip()
