"""Authentication: bearer tokens of applications, stored as SHA-256 only, and signed tokens of one user.

Without either the service binds to loopback only and requires no token.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import jwt

from serving.contract.errors import JobfeedError
from serving.service.problems import ProblemError

TOKENS_VARIABLE = "JOBFEED_API_TOKENS"
KEYS_VARIABLE = "JOBFEED_TOKEN_KEYS"
AUDIENCE = "jobfeed"
# Of tokens that stand in the address of a calendar. Another audience, so that they open nothing else.
CALENDAR_AUDIENCE = "jobfeed-calendar"
SHORTEST_KEY_BYTES = 32  # RFC 7518, 3.2: as long as the hash
_ALGORITHM = "HS256"
_HASH = re.compile(r"[0-9a-f]{64}")
APPLICATION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_USER_PREFIX = "user="


class TokensError(JobfeedError, ValueError):
    """The tokens or keys can't be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request. `user_id`: the only user whose data it may see, None for all."""

    application: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class KnownToken:
    """The SHA-256 of a token, and its caller."""

    sha256: bytes
    caller: Caller


@dataclass(frozen=True)
class Authoriser:
    """Checks tokens of applications and signed tokens of users. Without tokens and keys, everyone may ask."""

    tokens: Sequence[KnownToken] = ()
    keys: Sequence[bytes] = ()

    @property
    def is_open(self) -> bool:
        """Whether no token is required."""
        return not self.tokens and not self.keys

    def caller_of(self, header: str | None) -> Caller | None:
        """The caller that the Authorization header names; None if no token is required. Raises ProblemError 401."""
        if self.is_open:
            return None
        scheme, _, token = (header or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise _unauthorised('Bearer realm="jobfeed"', "a bearer token is needed")
        given = hashlib.sha256(token.encode("latin-1")).digest()
        found = None
        # The token is compared with every hash, so that the time reveals nothing.
        for known in self.tokens:
            if hmac.compare_digest(given, known.sha256):
                found = known.caller
        return found or self._signed(token, AUDIENCE)

    def calendar_caller(self, token: str) -> Caller | None:
        """The caller that a token in the address of a calendar names; None if no token is required. Raises as above."""
        return None if self.is_open else self._signed(token, CALENDAR_AUDIENCE)

    def _signed(self, token: str, audience: str) -> Caller:
        for key in self.keys:
            try:
                claims = jwt.decode(
                    token, key, algorithms=[_ALGORITHM], audience=audience, options={"require": ["exp", "sub", "iss"]}
                )
                return Caller(str(claims["iss"])[:64], claims["sub"])
            except jwt.ExpiredSignatureError:
                raise _unauthorised(_INVALID, "the token has expired") from None
            except (jwt.InvalidTokenError, ValueError):
                continue
        raise _unauthorised(_INVALID, "the token is not known")


_INVALID = 'Bearer realm="jobfeed", error="invalid_token"'


def _unauthorised(challenge: str, detail: str) -> ProblemError:
    return ProblemError(401, detail, headers={"www-authenticate": challenge})


def sign_user_token(key: bytes, user_id: str, *, application: str, expires_at: int, audience: str = AUDIENCE) -> str:
    """A token that opens one user's data until `expires_at` (epoch seconds): a JWT (RFC 7519) signed with HS256.

    With CALENDAR_AUDIENCE it opens the user's calendar only.
    """
    claims = {"iss": application, "aud": audience, "sub": user_id, "exp": expires_at}
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def parse_tokens(text: str, *, where: str) -> tuple[KnownToken, ...]:
    """`application sha256 [user=<percent-encoded id>]` a line; `#` begins a comment. Raises TokensError."""
    known = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        is_bound = len(words) == 3 and words[2].startswith(_USER_PREFIX) and words[2] != _USER_PREFIX
        if (
            not (len(words) == 2 or is_bound)
            or not APPLICATION_NAME.fullmatch(words[0])
            or not _HASH.fullmatch(words[1])
        ):
            raise TokensError(
                f"{where}:{number}: expected an application's name, the SHA-256 of its token in hex, and where the "
                f"token is for one user {_USER_PREFIX}<percent-encoded id>"
            )
        user_id = unquote(words[2].removeprefix(_USER_PREFIX)) if is_bound else None
        known.append(KnownToken(bytes.fromhex(words[1]), Caller(words[0], user_id)))
    return tuple(known)


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Signing keys separated by spaces; the first signs, all are accepted. Raises TokensError."""
    keys = tuple(key.encode() for key in text.split())
    if any(len(key) < SHORTEST_KEY_BYTES for key in keys):
        raise TokensError(f"{KEYS_VARIABLE}: a key must have at least {SHORTEST_KEY_BYTES} bytes")
    return keys


def load_authoriser(tokens_path: Path | None, keys: str) -> Authoriser:
    """The authoriser of a file of token hashes and of signing keys. Raises TokensError, OSError."""
    tokens: tuple[KnownToken, ...] = ()
    if tokens_path is not None:
        tokens = parse_tokens(tokens_path.read_text(encoding="utf-8"), where=str(tokens_path))
        if not tokens:
            raise TokensError(
                f"{tokens_path}: holds no token; remove {TOKENS_VARIABLE} to serve on loopback without tokens"
            )
    return Authoriser(tokens, parse_keys(keys))


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address or localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
