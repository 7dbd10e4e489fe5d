"""The command `python -m serving token new|sign|key`. It prints tokens and keys once and stores none."""

import argparse
import hashlib
import os
import secrets
import sys
import time
from collections.abc import Sequence
from urllib.parse import quote

from serving.service.auth import (
    APPLICATION_NAME,
    AUDIENCE,
    CALENDAR_AUDIENCE,
    KEYS_VARIABLE,
    TOKENS_VARIABLE,
    TokensError,
    parse_keys,
    sign_user_token,
)
from serving.service.routes import MAX_USER_ID_CHARACTERS

_TOKEN_BYTES = 32
_SECONDS_PER_HOUR = 3600
_MOST_HOURS = 24 * 365


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns 0, or 1 if it failed. Wrong use exits with 2."""
    parser = argparse.ArgumentParser(prog="jobfeed token", description="Make tokens for the look-up service.")
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help=f"a token of an application, and its line for the file in {TOKENS_VARIABLE}")
    new.add_argument("application")
    new.add_argument("--user", help="the only user whose data it opens; default all")
    sign = commands.add_parser("sign", help=f"a token of one user that expires, signed with the key in {KEYS_VARIABLE}")
    sign.add_argument("user_id")
    sign.add_argument("--application", required=True, help="application that hands it out; the access log names it")
    sign.add_argument("--hours", type=float, default=1.0, help="hours until it expires (default 1)")
    scope = "for the address of the calendar, which it opens and nothing else"
    sign.add_argument("--calendar", action="store_true", help=scope)
    commands.add_parser("key", help=f"a key for {KEYS_VARIABLE}")
    options = parser.parse_args(arguments)
    try:
        if options.command == "new":
            _new(options.application, options.user)
        elif options.command == "sign":
            audience = CALENDAR_AUDIENCE if options.calendar else AUDIENCE
            _sign(options.user_id, application=options.application, hours=options.hours, audience=audience)
        else:
            sys.stdout.write(secrets.token_urlsafe(_TOKEN_BYTES) + "\n")
    except TokensError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _new(application: str, user_id: str | None) -> None:
    _check_name(application)
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    line = f"{application} {hashlib.sha256(token.encode()).hexdigest()}"
    if user_id is not None:
        line += f" user={quote(_checked(user_id), safe='')}"
    sys.stdout.write(f"{token}\n")
    sys.stderr.write(f"add this line to the file in {TOKENS_VARIABLE}:\n{line}\n")


def _sign(user_id: str, *, application: str, hours: float, audience: str) -> None:
    keys = parse_keys(os.environ.get(KEYS_VARIABLE, ""))
    if not keys:
        raise TokensError(f"{KEYS_VARIABLE} holds no key; `jobfeed token key` makes one")
    if not 0 < hours <= _MOST_HOURS:
        raise TokensError(f"--hours: received {hours:g}; allowed is more than 0 up to {_MOST_HOURS}")
    _check_name(application)
    expires_at = int(time.time() + hours * _SECONDS_PER_HOUR)
    user = _checked(user_id)
    token = sign_user_token(keys[0], user, application=application, expires_at=expires_at, audience=audience)
    sys.stdout.write(f"{token}\n")


def _check_name(application: str) -> None:
    if not APPLICATION_NAME.fullmatch(application):
        raise TokensError(
            f"{application!r} is not a valid name: at most 64 letters, digits, dots, dashes and underscores"
        )


def _checked(user_id: str) -> str:
    if not 0 < len(user_id) <= MAX_USER_ID_CHARACTERS:
        raise TokensError(f"a user id has 1 to {MAX_USER_ID_CHARACTERS} characters; received {len(user_id)}")
    return user_id
