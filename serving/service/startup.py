"""What is looked at before the service starts: whether the port is free, and what there is to serve."""

import datetime as dt
import errno
import os
import socket
from pathlib import Path

from serving.contract.errors import JobfeedError
from serving.contract.generation import GenerationError, load_manifest, read_pointer

# Clocks of machines differ; an instant that is later by more is a mistake.
CLOCK_SKEW_SECONDS = 300.0


class PortError(JobfeedError, RuntimeError):
    """The service can't listen where it was told to; the message says why."""


def require_free_port(host: str, port: int) -> None:
    """Raises PortError if the service can't listen there.

    The workers share their port by SO_REUSEPORT, so that without this a second service would silently get a part of the
    first one's requests.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise PortError(f"--host {host}: can't be resolved: {error.strerror or error}") from error
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            # Connections that were closed a moment ago don't count, only a socket that listens.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                    continue  # localhost names an IPv6 address too, which this machine may lack
                reason = os.strerror(error.errno) if error.errno else str(error)
                hint = "; stop the other program or choose another --port" if error.errno == errno.EADDRINUSE else ""
                raise PortError(f"can't listen on {host}, port {port}: {reason}{hint}") from error


def published_problem(published: Path, *, now: float) -> str | None:
    """Why nothing can be served from the folder yet, or what is odd about what is announced; None if all is well."""
    if not published.is_dir():
        return f"{published} is not there; `jobfeed run daily` makes it. Until then: 503"
    try:
        name = read_pointer(published)
        if name is None:
            return f"{published}: no generation is published yet; `jobfeed run daily` makes one. Until then: 503"
        as_of = load_manifest(published / name).as_of
    except GenerationError as error:
        return f"{published}: {error}"
    return future_problem(as_of, now=now)


def future_problem(as_of: str, *, now: float) -> str | None:
    """What is wrong with data of a later instant than `now` (epoch seconds); None if nothing is."""
    ahead = dt.datetime.fromisoformat(as_of).timestamp() - now
    if ahead <= CLOCK_SKEW_SECONDS:
        return None
    return f"the data is of the future, as of {as_of}, {ahead / 3600:.1f} h ahead: a clock or an --as-of was wrong"
