"""What is served, how old it is, and why: for `/readyz` and `/metrics`."""

import datetime as dt
from collections.abc import Callable, Iterator
from importlib.metadata import version

from prometheus_client.metrics_core import Metric

from serving.contract.tables import SCHEMA_VERSION
from serving.service.mirror import trouble_with_mirror
from serving.service.responses import Readiness
from serving.service.startup import future_problem
from serving.service.store import Store
from serving.service.telemetry import gauge

# The pointer is read twice a second; after this long the thread that follows it must have died.
LONGEST_UNCHECKED_SECONDS = 30.0
_VERSION = version("jobfeed")
# A store that fails is asked again after five minutes at the latest.
LONGEST_UNMIRRORED_SECONDS = 600.0


class ServedState:
    """The state of a store, as of the clock's time."""

    def __init__(self, store: Store, *, stale_after_seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._stale_after_seconds = stale_after_seconds
        self._clock = clock

    def readiness(self) -> Readiness:
        """Whether requests are answered, and why answers may be old. A stale service stays ready: old beats none."""
        generation, refused = self._store.generation, self._store.refusal
        unchecked = self._store.seconds_since_check
        as_of = str(generation.manifest.as_of) if generation is not None else None
        now = self._clock()
        age = now - dt.datetime.fromisoformat(as_of).timestamp() if as_of is not None else None
        reasons = [f"the announced generation was refused: {refused}"] if refused is not None else []
        if self._store.pointer_trouble is not None:
            reasons.append(self._store.pointer_trouble)
        behind = trouble_with_mirror(self._store.published, now=now, longest_seconds=LONGEST_UNMIRRORED_SECONDS)
        if behind is not None:
            reasons.append(behind)
        if generation is None and not reasons:
            reasons.append(self._store.absence)
        if unchecked > LONGEST_UNCHECKED_SECONDS:
            reasons.append(f"the pointer was not read for {unchecked:.0f} s")
        if age is not None and age > self._stale_after_seconds:
            reasons.append(f"the data is {age / 3600:.1f} h old; allowed are {self._stale_after_seconds / 3600:.1f} h")
        if as_of is not None and (ahead := future_problem(as_of, now=now)) is not None:
            reasons.append(ahead)
        return Readiness(
            status="not ready" if generation is None else "stale" if reasons else "ready",
            generation=generation.name if generation is not None else None,
            as_of=as_of,
            verified=generation is not None and generation.is_verified,
            age_seconds=round(age, 1) if age is not None else None,
            refused=refused,
            seconds_since_check=round(unchecked, 1),
            reasons=reasons,
        )

    def metrics(self) -> Iterator[Metric]:
        """The served generation as metrics."""
        found = self.readiness()
        built = {"version": _VERSION, "schema_version": SCHEMA_VERSION}
        yield gauge("jobfeed_build_info", "The version that answers", 1, **built)
        yield gauge("jobfeed_ready", "1 when answers are given", float(found.generation is not None))
        yield gauge("jobfeed_stale", "1 when answers may be old; /readyz says why", float(found.status == "stale"))
        yield gauge("jobfeed_pointer_unchecked_seconds", "Since the pointer was read", found.seconds_since_check)
        if found.generation is not None and found.age_seconds is not None:
            yield gauge("jobfeed_generation_info", "The served generation", 1, generation=found.generation)
            yield gauge("jobfeed_generation_age_seconds", "Since the instant it was computed for", found.age_seconds)
