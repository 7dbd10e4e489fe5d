"""A digest as an e-mail: headers, text and HTML. Titles come from job texts, so no header is written by hand."""

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from functools import lru_cache

import idna

from features.errors import JobfeedError

MOST_SUBJECT_CHARACTERS = 200
_LONGEST_LOCAL, _LONGEST_ADDRESS = 64, 254  # RFC 5321, 4.5.3.1
_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}")  # RFC 5321 without quotes and literals
_ON_ONE_LINE = frozenset({"list-unsubscribe", "message-id"})


class BadAddressError(JobfeedError, ValueError):
    """An e-mail address that no mail can be sent to. The message does not quote it: it is personal."""


class _Policy(EmailPolicy):
    """Mail programs and DKIM signers have stumbled over links and ids that are folded over lines."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in _ON_ONE_LINE:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


# Only ASCII goes out, so that every mail server on the way takes it.
_POLICY = _Policy(linesep="\r\n", cte_type="7bit", raise_on_defect=True)


@dataclass(frozen=True)
class Letter:
    """What a digest says, and the names and links that its e-mail carries. `to`: an address as `mailbox` returns it."""

    to: str
    message_id: str
    title: str
    text: str
    html: str
    language: str
    digest_date: dt.date
    unsubscribe_url: str


def build_message(letter: Letter, *, sender: str, now: dt.datetime) -> bytes:
    """The e-mail as it goes out: multipart/alternative with CRLF line ends, all ASCII."""
    mailbox_of = sender_mailbox(sender)
    message = EmailMessage(policy=_POLICY)
    message["From"] = mailbox_of
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = subject(letter.title)
    message["Date"] = format_datetime(now.astimezone(dt.UTC).replace(microsecond=0))
    message["Message-ID"] = letter.message_id
    # RFC 8058: mail programs show a button, and the provider posts to the link for the user.
    message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["List-Id"] = f"Job digests <digests.{mailbox_of.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Feedback-ID"] = f"{letter.digest_date:%Y%m%d}:digest:jobfeed"
    message.set_content(_encodable(letter.text), charset="utf-8")
    message.add_alternative(_encodable(letter.html), subtype="html", charset="utf-8")
    message["Content-Language"] = letter.language
    # The same digest gives the same bytes, and who writes a job's text can't guess the boundary.
    message.set_boundary("=_" + hashlib.sha256(letter.message_id.encode()).hexdigest()[:32])
    return message.as_bytes()


def subject(title: str) -> str:
    """`title` as a subject: one line of printable characters, not too long."""
    # "=?" begins an encoded word, which could hide a line end.
    line = " ".join("".join(c if c.isprintable() else " " for c in title).replace("=?", "= ?").split())
    return line if len(line) <= MOST_SUBJECT_CHARACTERS else line[: MOST_SUBJECT_CHARACTERS - 1].rstrip() + "…"


@lru_cache(maxsize=8)
def sender_mailbox(sender: str) -> Address:
    """The one mailbox of a sender such as "Jobs <digest@example.org>", which the configuration has checked."""
    found: Address = SMTP.header_factory("From", sender).addresses[0]
    return found


def mailbox(address: str) -> str:
    """`address` as it is written on the envelope, its domain in ASCII. Raises BadAddressError."""
    local, _, domain = address.strip().rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        raise BadAddressError("the domain of the address can't be read") from None
    written = f"{local}@{ascii_domain}"
    if len(local) > _LONGEST_LOCAL or len(written) > _LONGEST_ADDRESS or not _MAILBOX.fullmatch(written):
        raise BadAddressError("the address is none that all mail servers take")
    return written


def _encodable(text: str) -> str:
    """Without the halves of characters that JSON may hold and UTF-8 can't."""
    return text.encode("utf-8", "replace").decode("utf-8")
