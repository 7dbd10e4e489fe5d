"""The pace of requests per host, over all threads: one leaky bucket of pyrate-limiter per host."""

import threading
import time
from collections.abc import Callable

from pyrate_limiter import GCRA, InMemoryStateStore, Rate, RateItem, StateBucket

_UNPACED = 1e6  # requests per second; the bucket counts milliseconds, so nothing waits at this rate


class HostPacer:
    """Spaces requests to one host evenly.

    The bucket computes the times, and this class waits: the library's own Limiter sleeps on the real clock and would
    sleep up to a deadline before it gives up.
    """

    def __init__(
        self,
        requests_per_second: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        is_paced = requests_per_second < _UNPACED
        self._rate = Rate(1, max(1, round(1000 / requests_per_second)), burst=1) if is_paced else None
        self._monotonic = monotonic
        self._sleep = sleep
        self._buckets: dict[str, StateBucket] = {}
        self._slower: dict[str, Rate] = {}
        self._lock = threading.Lock()

    def slow_down(self, host: str, seconds: float) -> None:
        """At least `seconds` between requests to `host` from now on, if that is slower than the pace of all hosts."""
        interval_ms = round(1000 * seconds)
        with self._lock:
            if interval_ms > (self._rate.interval if self._rate is not None else 0):
                self._slower[host] = Rate(1, interval_ms, burst=1)
                # The request that told so counts.
                bucket = self._buckets[host] = StateBucket([self._slower[host]], GCRA(), InMemoryStateStore())
                bucket.put_decision(RateItem(host, round(self._monotonic() * 1000)))

    def wait(self, host: str, *, until: float) -> bool:
        """Sleeps until the host's next free slot; False, at once, if that comes after `until` (monotonic seconds)."""
        while True:
            rate = self._slower.get(host, self._rate)
            if rate is None:
                return True
            now = self._monotonic()
            pause_seconds = self._reserve(host, now, rate)
            if pause_seconds is None:
                return True
            if now + pause_seconds > until:
                return False
            self._sleep(pause_seconds)

    def _reserve(self, host: str, now: float, rate: Rate) -> float | None:
        """None if a slot was free and is now reserved, else the seconds to the next one."""
        with self._lock:
            bucket = self._buckets.get(host)
            if bucket is None:
                bucket = self._buckets[host] = StateBucket([rate], GCRA(), InMemoryStateStore())
            decision = bucket.put_decision(RateItem(host, round(now * 1000)))
        if decision.allowed:  # type: ignore[union-attr]  # awaitable only with an asynchronous store
            return None
        return (decision.retry_after_ms or 1) / 1000  # type: ignore[union-attr]
