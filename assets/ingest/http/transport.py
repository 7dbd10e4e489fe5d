"""Sockets that connect to public addresses only and that a watchdog can cut. No HTTP semantics here.

The address is checked at connect time and is the one connected to. So a DNS name that resolves differently the second
time does not pass.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
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

    It is not an OSError, because urllib3 would treat that as a broken connection.
    """


@dataclass(frozen=True)
class AddressGuard:
    """Allows connections to public addresses and to hosts allowed by name."""

    allowed_private_hosts: frozenset[str] = frozenset()

    def addresses(self, host: str, port: int, *, seconds: float = 30.0) -> list[str]:
        """The addresses of `host`, in the resolver's order.

        Raises AddressRefusedError if any of them is not public, gaierror if none is found within `seconds`.
        """
        found = _resolved(host, port, seconds)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if host.lower().rstrip(".") not in self.allowed_private_hosts:
            for address in addresses:
                if not is_public(address):
                    raise AddressRefusedError(f"{host} resolves to an address that is not public")
        return addresses


def is_public(address: str) -> bool:
    """Whether `address`, or the IPv4 address that an IPv6 address carries, is globally routable unicast.

    The only such IPv6 addresses that are given out lie in 2000::/3. Python takes some others for global.
    """
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if carried is not None:
            return is_public(str(carried))
        if ip in _NAT64 or int(ip) >> 32 & _ISATAP_MASK == _ISATAP:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip not in _GLOBAL_UNICAST:
            return False
    is_special = any(ip in network for network in _SPECIAL if network.version == ip.version)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not is_special


_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Python takes these for global: protocol assignments, relays of 6to4, a cloud's own services, and examples of texts.
_SPECIAL = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20")))
_ISATAP, _ISATAP_MASK = 0x5EFE, 0xFDFFFFFF  # in the middle of an address that carries one of IPv4
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _resolved(host: str, port: int, seconds: float) -> list[Any]:
    """getaddrinfo with a deadline: a resolver that does not answer is left behind in its thread."""
    answer: Future[list[Any]] = Future()

    def resolve() -> None:
        try:
            answer.set_result(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=resolve, name="resolver", daemon=True).start()
    try:
        return answer.result(timeout=max(seconds, 0.001))
    except TimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, "the resolver did not answer in time") from None
    except UnicodeError:
        raise socket.gaierror(socket.EAI_NONAME, "the name can't be resolved") from None


@dataclass
class Exchange:
    """One request's guard and sockets. `cut` ends it at any time.

    A timeout per read would not end it: a server may send one byte a second.
    """

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
    """The exchange of the current thread, cut after `seconds`."""
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
    """A requests adapter whose connections belong to the current exchange."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}


_local = threading.local()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # closed already, or taken over by TLS
        sock.shutdown(socket.SHUT_RDWR)


def _current() -> Exchange:
    current: Exchange | None = getattr(_local, "exchange", None)
    if current is None:
        raise RuntimeError("a guarded connection is used outside of transport.exchange(...)")
    return current


def _connect(connection: Any, connect_one: Callable[[], socket.socket]) -> socket.socket:
    """Connects to the first checked address that answers. urllib3 connects to `_dns_host`; TLS still checks `host`."""
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
            sock = connect_one()
            current.watch(sock)
            return sock
        except (OSError, NewConnectionError) as error:
            failure = error
        finally:
            connection._dns_host = name
    raise failure


class _Guarded:
    """Mixed into a connection class of urllib3: connects and answers under the current exchange."""

    def _new_conn(self) -> socket.socket:
        return _connect(self, super()._new_conn)  # type: ignore[misc]

    def getresponse(self) -> Any:
        if self.sock is not None:  # type: ignore[attr-defined]
            _current().watch(self.sock)  # type: ignore[attr-defined]
        return super().getresponse()  # type: ignore[misc]


class _GuardedHTTPConnection(_Guarded, HTTPConnection):
    pass


class _GuardedHTTPSConnection(_Guarded, HTTPSConnection):
    pass


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTPConnection


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPSConnection
