"""Starts the service: `python -m serving --published DIR`. Parses options, checks them, runs Granian."""

import argparse
import logging
import os
import sys
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces

from serving.app import Application
from serving.auth import TOKENS_VARIABLE, TokensError, is_loopback, load_token_hashes
from serving.store import Store

PUBLISHED_VARIABLE = "JOBFEED_PUBLISHED"


def create_application() -> Application:
    """What every worker process makes for itself, from the environment that `main` prepared."""
    tokens = os.environ.get(TOKENS_VARIABLE)
    hashes = load_token_hashes(Path(tokens)) if tokens else ()
    return Application(Store(Path(os.environ[PUBLISHED_VARIABLE])), token_hashes=hashes)


def main() -> int:
    """Serves until it is stopped; 1 when the options can't be served."""
    parser = argparse.ArgumentParser(prog="jobfeed serve", description="Read-only look-ups in published feeds.")
    parser.add_argument("--published", type=Path, required=True, help="the folder of generations")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    tokens = os.environ.get(TOKENS_VARIABLE)
    try:
        if tokens:
            load_token_hashes(Path(tokens))
    except (TokensError, OSError) as error:
        return _fail(str(error))
    if not tokens and not is_loopback(options.host):
        return _fail(
            f"without tokens the service binds to loopback only, not to {options.host}; "
            f"name a file of token hashes in {TOKENS_VARIABLE}"
        )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.environ[PUBLISHED_VARIABLE] = str(options.published)
    # The options are the command's own; told on stderr so that standard output stays free.
    sys.stderr.write(f"serving {options.published} on http://{options.host}:{options.port}/docs\n")
    Granian(
        "serving.__main__:create_application",
        address=options.host,
        port=options.port,
        workers=options.workers,
        interface=Interfaces.ASGI,
        factory=True,
        log_enabled=False,
        websockets=False,
    ).serve()
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
