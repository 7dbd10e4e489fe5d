"""Items that other threads make while the ones before them are in use."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(items: Iterable[Item], *, n: int = 1) -> Iterator[Item]:
    """The items in order; a thread makes up to `n` of them in advance. Exceptions are raised in their place."""
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[Item | None]] = deque(pool.submit(next, iterator, None) for _ in range(n))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, iterator, None))
            yield item


def in_order(
    make: Callable[[Item], Made], items: Iterable[Item], *, n_threads: int, n_ahead: int | None = None
) -> Iterator[Made]:
    """What `make` returns for each item, in order; threads call it.

    At most `n_ahead` items are being made or wait to be used, by default one for each thread.
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(max_workers=n_threads) as pool:
        for item in items:
            if len(waiting) == (n_ahead or n_threads):
                yield waiting.popleft().result()
            waiting.append(pool.submit(make, item))
        while waiting:
            yield waiting.popleft().result()
