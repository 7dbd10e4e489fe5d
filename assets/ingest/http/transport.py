"""Sockets that connect to public addresses only and that a watchdog can cut. No HTTP semantics here.

Checking the address at connect time, on the very address that is connected to, also defeats DNS names that answer
differently the second time.
"""

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from features.errors import JobfeedError


class AddressRefusedError(JobfeedError):
    """A host resolves to an address that must not be connected to.

    It is no OSError, because urllib3 would take that for a broken connection.
    """


@dataclass(frozen=True)
class AddressGuard:
    """Says which addresses may be connected to: public ones, and those of hosts allowed by name."""

    allowed_private_hosts: frozenset[str] = frozenset()

    def addresses(self, host: str, port: int, *, seconds: float = 30.0) -> list[str]:
        """The addresses of `host`, in the resolver's order. Raises AddressRefusedError if any of them is not public,
        gaierror if there is none, or none within `seconds`."""
        found = _resolved(host, port, seconds)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if host.lower().rstrip(".") not in self.allowed_private_hosts:
            for address in addresses:
                if not is_public(address):
                    raise AddressRefusedError(f"{host} resolves to an address that is not public")
        return addresses


def is_public(address: str) -> bool:
    """Whether `address` is globally routable unicast, also seen through the IPv6 forms that carry an IPv4 address."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if carried is not None:
            return is_public(str(carried))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _resolved(host: str, port: int, seconds: float) -> list[Any]:
    """getaddrinfo, which has no deadline, with one: a resolver that does not answer is left behind in its thread."""
    answers: queue.SimpleQueue[list[Any] | OSError | UnicodeError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=resolve, name="resolver", daemon=True).start()
    try:
        found = answers.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        raise socket.gaierror(socket.EAI_AGAIN, "the resolver did not answer in time") from None
    if isinstance(found, UnicodeError):
        raise socket.gaierror(socket.EAI_NONAME, "the name can't be asked for") from None
    if isinstance(found, OSError):
        raise found
    return found


@dataclass
class Exchange:
    """One request's guard and sockets. `cut` ends it whatever it is doing: a timeout per read does not, for a server
    that sends a byte a second."""

    guard: AddressGuard
    seconds: float
    _started: float = field(default_factory=time.monotonic)
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    is_cut: bool = False

    def watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.append(sock)
            if self.is_cut:
                _shut(sock)

    @property
    def seconds_left(self) -> float:
        return self.seconds - (time.monotonic() - self._started)

    def cut(self) -> None:
        with self._lock:
            self.is_cut = True
            for sock in self._sockets:
                _shut(sock)


@contextmanager
def exchange(guard: AddressGuard, *, seconds: float) -> Iterator[Exchange]:
    """The current thread's exchange, cut after `seconds`."""
    current = Exchange(guard, seconds)
    timer = threading.Timer(seconds, current.cut)
    timer.daemon = True
    _local.exchange = current
    timer.start()
    try:
        yield current
    finally:
        timer.cancel()
        _local.exchange = None


class GuardedAdapter(HTTPAdapter):
    """A requests adapter whose connections obey the current exchange."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}


_local = threading.local()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # closed already, or handed over to TLS
        sock.shutdown(socket.SHUT_RDWR)


def _current() -> Exchange:
    current: Exchange | None = getattr(_local, "exchange", None)
    if current is None:
        raise RuntimeError("a guarded connection is used outside of transport.exchange(...)")
    return current


def _connect(connection: HTTPConnection, connect_one: Any) -> socket.socket:
    """Connects to the first checked address that answers; urllib3 connects to `_dns_host`, TLS still checks `host`."""
    current = _current()
    name = connection._dns_host
    try:
        addresses = current.guard.addresses(name, connection.port, seconds=current.seconds_left)
    except socket.gaierror as error:
        raise NewConnectionError(connection, "the name does not resolve") from error
    failure: Exception = NewConnectionError(connection, "the name has no address")
    for address in addresses:
        connection._dns_host = address
        try:
            sock: socket.socket = connect_one()
            current.watch(sock)
            return sock
        except OSError as error:
            failure = error
        except NewConnectionError as error:
            failure = error
        finally:
            connection._dns_host = name
    raise failure


class _GuardedHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)

    def getresponse(self) -> Any:
        if self.sock is not None:
            _current().watch(self.sock)
        return super().getresponse()


class _GuardedHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)

    def getresponse(self) -> Any:
        if self.sock is not None:
            _current().watch(self.sock)
        return super().getresponse()


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection
