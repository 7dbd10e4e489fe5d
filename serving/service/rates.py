"""Rate limits: one token bucket per caller, within one worker process."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

# The number of callers that are remembered. The least recent one is forgotten and starts again with a full bucket.
MOST_CALLERS = 10_000


@dataclass
class _Bucket:
    level: float
    filled_at: float


class RateLimiter:
    """Allows each key `per_second` requests a second on average, and twice as many at once."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._most = max(1.0, 2 * per_second)
        self._clock = clock
        self._buckets: OrderedDict[object, _Bucket] = OrderedDict()

    def seconds_to_wait(self, key: object) -> float:
        """0 if the key may ask now, which is counted; otherwise the seconds until it may."""
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._most, now)
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        bucket.level = min(self._most, bucket.level + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        if bucket.level < 1:
            return (1 - bucket.level) / self._per_second
        bucket.level -= 1
        return 0.0


class Limits(NamedTuple):
    """The limit per token of an application, and per token of one user; None for no limit."""

    of_application: RateLimiter | None = None
    of_user: RateLimiter | None = None


NO_LIMITS = Limits()
