"""What the programs of the service share on their command lines, and what is checked before they listen."""

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from serving.service.auth import KEYS_VARIABLE, TOKENS_VARIABLE, Authoriser, TokensError, is_loopback, load_authoriser
from serving.service.hosts import HOSTS_VARIABLE, AllowedHosts
from serving.service.source import add_options
from serving.service.startup import require_free_port


def make_parser(
    program: str, description: str, *, prefix: str, port: int
) -> tuple[argparse.ArgumentParser, Callable[[str, str], str]]:
    """A parser with the shared options, and what the environment says of an option, such as PORT, or else a default.

    argparse parses what the environment says like the option.
    """

    def set_by(name: str, default: str) -> str:
        return os.environ.get(prefix + name, default)

    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"{prefix}<OPTION> in the environment sets each option but --published, --data and --allowed-host.",
    )
    add_options(parser)
    parser.add_argument("--host", default=set_by("HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=set_by("PORT", str(port)))
    hosts = "a Host name that is answered without tokens, beside localhost and loopback addresses; may be repeated"
    known = os.environ.get(HOSTS_VARIABLE, "").split()
    parser.add_argument("--allowed-host", action="append", default=known, metavar="NAME", help=hosts)
    stale = "from when on /readyz calls the data stale"
    parser.add_argument("--stale-after-hours", type=float, default=set_by("STALE_AFTER_HOURS", "26"), help=stale)
    return parser, set_by


def authoriser_from_environment() -> Authoriser:
    """The authoriser of the tokens and keys that the environment names. Raises TokensError."""
    path = os.environ.get(TOKENS_VARIABLE)
    try:
        return load_authoriser(Path(path) if path else None, os.environ.get(KEYS_VARIABLE, ""))
    except (OSError, UnicodeDecodeError) as error:
        raise TokensError(str(error)) from error


def require_access(host: str, port: int, allowed_hosts: Sequence[str]) -> Authoriser:
    """The authoriser, if a program may listen there. Raises TokensError, HostsError or PortError."""
    authoriser = authoriser_from_environment()
    if authoriser.is_open and not is_loopback(host):
        raise TokensError(
            f"without tokens the service binds to loopback only, not to {host}; "
            f"name a file of token hashes in {TOKENS_VARIABLE}, or signing keys in {KEYS_VARIABLE}"
        )
    AllowedHosts(allowed_hosts)
    require_free_port(host, port)
    return authoriser
