"""A real mail server (aiosmtpd) on loopback that takes mails, and can fail at every step of a session."""

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

DROP = "drop"  # the connection breaks
# Steps: connect, mail, rcpt, data (before the text), cut (after 354), text (the whole text came, nothing is taken),
# taken (the text is taken, then the fault).
Fault = Callable[[str, int], str | None]


def no_fault(step: str, n: int) -> str | None:
    return None


@dataclass
class Inbox:
    """The mails that the server took. `fault` gets a step and its number from 0, and returns a reply, DROP or None."""

    fault: Fault = no_fault
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)
    logins: list[str] = field(default_factory=list)

    def at(self, step: str) -> str | None:
        self.steps[step] += 1
        return self.fault(step, self.steps[step] - 1)

    @property
    def ids(self) -> Counter[str]:
        return Counter(message["Message-ID"] for message in self.messages)

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(body, policy=policy.default) for _, body in self.mails]  # type: ignore[misc]

    async def handle_MAIL(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        envelope.mail_from = address
        return self._reply(server, self.at("mail"))

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        reply = self._reply(server, self.at("rcpt"))
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        refusal = self.at("text")
        if refusal is not None:
            return self._reply(server, refusal)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails += [(address, content) for address in envelope.rcpt_tos]
        return self._reply(server, self.at("taken"))

    def _reply(self, server: Any, fault: str | None) -> str:
        if fault == DROP:
            server.transport.abort()
        return fault or "250 OK"


class _Session(SMTP):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.event_handler.at("connect") == DROP:
            transport.abort()

    async def smtp_DATA(self, arg: str) -> None:
        inbox = self.event_handler
        fault = inbox.at("data")
        if fault == DROP:
            self.transport.abort()
        elif fault is not None:
            await self.push(fault)
        elif inbox.at("cut") == DROP:
            await self.push("354 go on")
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)


@contextmanager
def mail_server(
    inbox: Inbox, *, tls: ssl.SSLContext | None = None, from_the_first_byte: bool = False, password: str | None = None
) -> Iterator[int]:
    """Runs the server and yields its port. With a password it requires a login and STARTTLS or TLS."""
    loop = asyncio.new_event_loop()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        inbox.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == password, handled=False)

    options: dict[str, Any] = {"timeout": 10, "loop": loop}
    if tls is not None and not from_the_first_byte:
        options |= {"tls_context": tls, "require_starttls": True}
    if password is not None:
        options |= {"authenticator": authenticate, "auth_required": True}
        options |= {"auth_require_tls": not from_the_first_byte}

    async def start() -> asyncio.Server:
        context = tls if from_the_first_byte else None
        return await loop.create_server(lambda: _Session(inbox, **options), "127.0.0.1", 0, ssl=context)

    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(_end_sessions(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


async def _end_sessions() -> None:
    """Ends what still waits for a client, so that nothing is left when the loop closes."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
