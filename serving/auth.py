"""Bearer tokens of applications, known only by their SHA-256; without any the service binds to loopback only."""

import hashlib
import hmac
import ipaddress
import re
from pathlib import Path

from serving.problems import ProblemError

TOKENS_VARIABLE = "JOBFEED_API_TOKENS"
_HASH = re.compile(r"[0-9a-f]{64}")


class TokensError(ValueError):
    """The file of token hashes can't be used; the message says which line and why."""


def load_token_hashes(path: Path) -> tuple[bytes, ...]:
    """One `name sha256` a line (`#` begins a comment). Raises TokensError."""
    hashes = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        content = line.split("#")[0].split()
        if not content:
            continue
        if len(content) != 2 or not _HASH.fullmatch(content[1]):
            raise TokensError(f"{path}:{number}: expected an application's name and the SHA-256 of its token in hex")
        hashes.append(bytes.fromhex(content[1]))
    if not hashes:
        raise TokensError(f"{path}: holds no token; remove {TOKENS_VARIABLE} to serve on loopback without tokens")
    return tuple(hashes)


def authorise(header: bytes | None, hashes: tuple[bytes, ...]) -> None:
    """Raises ProblemError 401 unless the Authorization header carries a known token, or none are configured."""
    if not hashes:
        return
    scheme, _, token = (header or b"").partition(b" ")
    given = hashlib.sha256(token.strip()).digest()
    # Compared with every hash, so that the time taken tells nothing.
    matched = [hmac.compare_digest(given, known) for known in hashes]
    if scheme.lower() != b"bearer" or not any(matched):
        raise ProblemError(401, "a bearer token of a known application is needed")


def is_loopback(host: str) -> bool:
    """Whether `host` is a loopback address or localhost."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
