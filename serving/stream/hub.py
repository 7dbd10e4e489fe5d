"""Who listens, and what each is told when another generation is served."""

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from serving.contract.generation import GenerationError
from serving.contract.logs import get_logger, place_of
from serving.service.store import Generation, Store
from serving.stream.changes import Event, all_users_events, event, system_event, user_events

POLL_SECONDS = 0.25
MOST_WAITING = 32  # batches that a client may lag behind
_KEPT_OPEN = 4  # older generations, for clients that come back
_SECONDS_AFTER_FAILURE = 10.0
_LOG = get_logger("stream")
Batch = tuple[Event, ...]


@dataclass(eq=False)
class Subscription:
    """One connection: whose events it gets (None: everybody's), and those that wait to be sent, in batches.

    The last event of a batch names the generation from which a client that comes back can go on.
    """

    user_id: str | None
    channels: frozenset[str]
    task: "asyncio.Task[object] | None" = field(default_factory=asyncio.current_task)
    _waiting: deque[Batch] = field(default_factory=deque)
    _wakes: asyncio.Event = field(default_factory=asyncio.Event)

    is_ended: bool = False

    def end(self) -> None:
        """Lets the connection end after what waits."""
        self.is_ended = True
        self._wakes.set()

    async def next(self, within_seconds: float) -> Batch | None:
        """The next batch; None if none came in time, or the connection shall end."""
        if not self._waiting and not self.is_ended:
            self._wakes.clear()
            try:
                async with asyncio.timeout(within_seconds):
                    await self._wakes.wait()
            except TimeoutError:
                return None
        return self._waiting.popleft() if self._waiting else None

    def put(self, batch: Batch) -> bool:
        """Adds a batch; False if too many wait already."""
        if len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting.append(batch)
        self._wakes.set()
        return True


class Hub:
    """The subscriptions of one process. All of it runs in one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._current: Generation | None = None
        self._subscriptions: set[Subscription] = set()
        self._older: dict[str, Generation] = {}
        self.counts: Counter[str] = Counter()

    @property
    def n_connections(self) -> int:
        """How many listen now."""
        return len(self._subscriptions)

    async def subscribe(self, user_id: str | None, channels: Collection[str], *, last_seen: str | None) -> Subscription:
        """Begins to listen. First comes what was missed since the generation `last_seen`, then what is served now."""
        subscription = Subscription(user_id, frozenset(channels))
        while True:
            current = self._current
            missed = await self._missed(subscription, current, last_seen) if current is not None else ()
            if self._current is current:
                break
        self._subscriptions.add(subscription)
        if current is not None:
            subscription.put((*missed, system_event(current, "connected")))
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Ends to listen."""
        self._subscriptions.discard(subscription)

    def end_all(self) -> None:
        """Lets all connections end."""
        for subscription in self._subscriptions:
            subscription.end()

    async def follow(self) -> None:
        """Tells everybody of every switch, for ever."""
        while True:
            pause = POLL_SECONDS
            try:
                await self.follow_once()
            except Exception as error:  # without this task, nobody would be told of any later switch
                _LOG.error("following the store failed", error=type(error).__name__, where=place_of(error))
                pause = _SECONDS_AFTER_FAILURE
            await asyncio.sleep(pause)

    async def follow_once(self) -> None:
        """Tells everybody of the switch to the generation that the store serves now, if there was one."""
        new, old = self._store.generation, self._current
        if new is None or new is old:
            return
        audiences = {(one.user_id, one.channels) for one in self._subscriptions} if old is not None else set()
        events = await asyncio.to_thread(_told, old, new, audiences) if old is not None else {}
        self._remember(old)
        self._current = new
        for subscription in list(self._subscriptions):
            audience = (subscription.user_id, subscription.channels)
            # Somebody who came while the others' events were found gets theirs now.
            found = events.get(audience)
            if found is None:
                found = _told(old, new, {audience})[audience] if old is not None else ()
            self._send(subscription, (*found, system_event(new)) if "system" in subscription.channels else found)

    def _send(self, subscription: Subscription, batch: Batch) -> None:
        if not batch:
            return
        if subscription.put(batch):
            self.counts["events"] += len(batch)
            return
        # It reads too slowly. It can come back, and will be told what it missed.
        self.counts["dropped"] += 1
        self.unsubscribe(subscription)
        if subscription.task is not None:
            subscription.task.cancel()

    async def _missed(self, subscription: Subscription, new: Generation, last_seen: str | None) -> Sequence[Event]:
        if last_seen is None or last_seen == new.name:
            return ()
        # In a thread: a store that verifies a generation keeps who asks for another one waiting.
        old = self._older.get(last_seen) or await asyncio.to_thread(self._store.kept, last_seen)
        if old is None:
            return (event("system", new.name, event="resync", last_seen=last_seen),)
        self._remember(old)
        audience = (subscription.user_id, subscription.channels)
        return (await asyncio.to_thread(_told, old, new, {audience}))[audience]

    def _remember(self, generation: Generation | None) -> None:
        if generation is not None:
            self._older[generation.name] = generation
            while len(self._older) > _KEPT_OPEN:
                del self._older[next(iter(self._older))]


_Audience = tuple[str | None, frozenset[str]]


def _told(old: Generation, new: Generation, audiences: Collection[_Audience]) -> Mapping[_Audience, Batch]:
    """What each audience is told of a switch: the events of its user and channels.

    If the two can't be compared, because one is damaged, each is told to look everything up again.
    """
    try:
        return {
            (user_id, channels): tuple(
                all_users_events(old, new, channels) if user_id is None else user_events(old, new, user_id, channels)
            )
            for user_id, channels in audiences
        }
    except Exception as error:  # the next comparison might fail as well: nobody would be told anything any more
        reason = str(error) if isinstance(error, GenerationError) else f"{type(error).__name__} in {place_of(error)}"
        _LOG.error("two generations can't be compared", generation=new.name, reason=reason)
        return dict.fromkeys(audiences, (event("system", new.name, event="resync", last_seen=old.name),))
