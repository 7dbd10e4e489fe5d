import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import tenacity
import trustme

from assets.config.pipeline import DeliverySettings
from assets.digests import smtp
from assets.digests.outbox import Reply
from assets.digests.smtp import Delivered, MailServer, MailServerError, Result
from tests.assets.digests.mail_server import DROP, Fault, Inbox, mail_server, no_fault

MESSAGE = b"Subject: jobs\r\n\r\nfirst\r\n.\r\n..second\r\n"
PLAIN = {"host": "127.0.0.1", "security": "none", "timeout_seconds": 5.0}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)


@contextmanager
def client(fault: Fault = no_fault) -> Iterator[tuple[MailServer, Inbox]]:
    inbox = Inbox(fault)
    with mail_server(inbox) as port:
        server = MailServer(DeliverySettings.model_validate(PLAIN | {"port": port}))
        try:
            yield server, inbox
        finally:
            server.close()


def send(server: MailServer, *, to: str = "anna@example.org", begun: Callable[[], None] = lambda: None) -> Delivered:
    return server.send(MESSAGE, sender="digest@example.org", to=to, before_text=begun)


def at(step: str, reply: str, *, times: int = 1) -> Fault:
    return lambda found, n: reply if found == step and n < times else None


def test_mails_go_over_one_connection_as_they_are() -> None:
    with client() as (server, inbox):
        for name in ("anna", "boris", "vera"):
            assert send(server, to=f"{name}@example.org") == Delivered(Result.TAKEN, Reply(250), had_begun=True)
        assert inbox.mails[0] == ("anna@example.org", MESSAGE)
        assert [address for address, _ in inbox.mails] == ["anna@example.org", "boris@example.org", "vera@example.org"]
        assert inbox.steps["connect"] == 1


@pytest.mark.parametrize(
    ("step", "reply", "result", "had_begun"),
    [
        ("mail", "451 4.3.0 later", Result.LATER, False),
        ("mail", "421 4.3.2 closing", Result.LATER, False),
        ("mail", DROP, Result.LATER, False),
        ("rcpt", "450 4.2.0 greylisted", Result.LATER, False),
        ("rcpt", "550 5.1.1 <anna@example.org> unknown", Result.NO_SUCH_MAILBOX, False),
        ("rcpt", "552 5.2.2 mailbox full", Result.REFUSED, False),
        ("rcpt", "550 no", Result.REFUSED, False),
        ("rcpt", DROP, Result.LATER, False),
        ("data", "451 4.3.0 later", Result.LATER, True),
        ("data", "554 5.7.1 no", Result.REFUSED, True),
        ("data", DROP, Result.LATER, True),
        ("cut", DROP, Result.UNKNOWN, True),
        ("text", "451 4.3.0 later", Result.LATER, True),
        ("text", "554 5.6.0 spam", Result.REFUSED, True),
        ("text", "354 what", Result.UNKNOWN, True),
        ("text", DROP, Result.UNKNOWN, True),
        ("taken", DROP, Result.UNKNOWN, True),
    ],
)
def test_each_fault_has_its_result_and_the_next_mail_goes_out(
    step: str, reply: str, result: Result, had_begun: bool
) -> None:
    with client(at(step, reply)) as (server, inbox):
        begun: list[int] = []
        delivered = send(server, begun=lambda: begun.append(len(inbox.mails)))
        assert (delivered.result, delivered.had_begun) == (result, had_begun)
        assert begun == ([0] if had_begun else [])
        code, _, rest = reply.partition(" ")
        status = rest.split(" ")[0] if rest[:1].isdigit() else None
        assert delivered.reply == (Reply() if reply == DROP else Reply(int(code), status))
        n_taken = len(inbox.mails)
        assert n_taken == (1 if step == "taken" else 0)
        assert send(server).result is Result.TAKEN
        assert len(inbox.mails) == n_taken + 1


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew() -> None:
    with client(lambda step, n: DROP if (step, n) == ("mail", 1) else None) as (server, inbox):
        assert send(server).result is send(server).result is Result.TAKEN
        assert inbox.steps["connect"] == 2


def test_a_server_that_refuses_the_sender_ends_the_run() -> None:
    with client(at("mail", "550 5.7.1 digest@example.org is not welcome")) as (server, _):
        with pytest.raises(MailServerError, match=r"refuses the sender: 550 5\.7\.1; see digest\.sender") as error:
            send(server)
        assert "example.org" not in str(error.value)


def test_connecting_is_tried_again_but_not_for_ever() -> None:
    with client(at("connect", DROP, times=2)) as (server, inbox):
        assert send(server).result is Result.TAKEN
        assert inbox.steps["connect"] == 3
    with client(at("connect", DROP, times=99)) as (server, inbox):
        with pytest.raises(MailServerError, match=r"127\.0\.0\.1:\d+ can't be used"):
            send(server)
        assert inbox.steps["connect"] == smtp._CONNECT_ATTEMPTS


def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = MailServer(DeliverySettings.model_validate(PLAIN | {"port": port}))
    with pytest.raises(MailServerError, match=rf"127\.0\.0\.1:{port} can't be used: ConnectionRefusedError"):
        send(server)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")  # it has TLS all the same
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_encrypted_with_a_login(security: str) -> None:
    authority = trustme.CA()
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(trusting)
    inbox = Inbox()
    login = {smtp.USER_VARIABLE: "jobs", smtp.PASSWORD_VARIABLE: "secret"}
    with mail_server(inbox, tls=context, from_the_first_byte=security == "tls", password="secret") as port:
        settings = DeliverySettings.model_validate(PLAIN | {"port": port, "security": security})
        server = MailServer(settings, login, trusting)
        assert send(server).result is Result.TAKEN
        assert inbox.logins == ["jobs"]
        server.close()
        with pytest.raises(MailServerError, match="can't be used: SSLCertVerificationError"):
            send(MailServer(settings, login))
        with pytest.raises(MailServerError, match=r"refuses the login: 535.*JOBFEED_SMTP_USER"):
            send(MailServer(settings, login | {smtp.PASSWORD_VARIABLE: "wrong"}, trusting))


def test_a_server_without_encryption_gets_nothing() -> None:
    with client() as (plain, inbox):
        server = MailServer(plain.settings.model_copy(update={"security": "starttls"}), {smtp.USER_VARIABLE: "jobs"})
        with pytest.raises(MailServerError, match="can't be used: SMTPNotSupportedError"):
            send(server)
        assert inbox.steps["connect"] == 1
        assert inbox.steps["mail"] == 0


def test_an_unencrypted_connection_leaves_this_machine_never() -> None:
    with pytest.raises(ValueError, match=r"security none is for a server on this machine only; for mail\.example\.org"):
        DeliverySettings(host="mail.example.org", security="none")
