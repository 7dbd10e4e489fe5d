"""Links and names in digests that say whom they are for to no one but the pipeline: sealed with a key, not readable."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from assets.config.pipeline import DigestSettings
from features.errors import JobfeedError

KEYS_VARIABLE = "JOBFEED_LINK_KEYS"
SHORTEST_KEY_BYTES = 32
_UNSUBSCRIBE = b"jobfeed unsubscribe"
_MESSAGE = b"jobfeed message"
_SEPARATOR = "\n"  # no user id contains it


class LinkKeysError(JobfeedError, ValueError):
    """The keys of links can't be used; the message says why."""


class BadTokenError(JobfeedError, ValueError):
    """A token was not made with any of the keys, or for another purpose."""


@dataclass(frozen=True)
class DigestLinks:
    """Makes and opens the links of digests. The first key seals; tokens of all keys are opened.

    The same user, key and purpose give the same token, so that a digest that is built twice is the same.
    """

    unsubscribe_template: str = ""
    view_template: str = ""
    keys: tuple[bytes, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, settings: DigestSettings, environment: Mapping[str, str]) -> "DigestLinks":
        """The links that the configuration and the keys in the environment allow. Raises LinkKeysError."""
        return cls(settings.unsubscribe_url, settings.view_url, parse_link_keys(environment.get(KEYS_VARIABLE, "")))

    def unsubscribe_url(self, user_id: str) -> str | None:
        """The user's link to unsubscribe; None without a key, or without an address in the configuration."""
        if not self.unsubscribe_template or not self.keys:
            return None
        return self.unsubscribe_template.replace("{token}", self._seal(user_id, _UNSUBSCRIBE))

    def digest_url(self, digest_date: date) -> str | None:
        """The page of the application that shows its user the digest of a day; None if it is not configured."""
        return self.view_template.replace("{date}", digest_date.isoformat()) or None

    def user_of_token(self, token: str) -> str:
        """The user whose link to unsubscribe holds `token`. Raises BadTokenError."""
        return self._open(token, _UNSUBSCRIBE)

    def message_name(self, user_id: str, digest_date: date) -> str:
        """What stands before the @ of a digest's Message-ID. Raises LinkKeysError without a key."""
        return self._seal(f"{digest_date.isoformat()}{_SEPARATOR}{user_id}", _MESSAGE)

    def digest_of_message(self, name: str) -> tuple[str, date]:
        """The user and the date of the digest that was sent under `name`. Raises BadTokenError."""
        day, _, user_id = self._open(name, _MESSAGE).partition(_SEPARATOR)
        return user_id, date.fromisoformat(day)

    def _seal(self, text: str, purpose: bytes) -> str:
        if not self.keys:
            raise LinkKeysError(f"{KEYS_VARIABLE} is not set; `jobfeed token key` makes a key for it")
        sealed = _cipher(self.keys[0]).encrypt(text.encode(), [purpose])
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def _open(self, token: str, purpose: bytes) -> str:
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise BadTokenError("the token is not made of the characters of base64url") from None
        for key in self.keys:
            try:
                return _cipher(key).decrypt(sealed, [purpose]).decode()
            except (InvalidTag, ValueError):
                continue
        raise BadTokenError("the token was made with none of the keys, or for another purpose")


def parse_link_keys(text: str) -> tuple[bytes, ...]:
    """Keys separated by spaces, the first of which seals. Raises LinkKeysError for one that is too short."""
    keys = tuple(key.encode() for key in text.split())
    if any(len(key) < SHORTEST_KEY_BYTES for key in keys):
        raise LinkKeysError(f"{KEYS_VARIABLE}: a key must have at least {SHORTEST_KEY_BYTES} bytes")
    return keys


def _cipher(key: bytes) -> AESSIV:
    """AES-SIV (RFC 5297): sealed texts can't be read or changed, and equal texts seal alike."""
    return AESSIV(hashlib.sha512(b"jobfeed links " + key).digest())
