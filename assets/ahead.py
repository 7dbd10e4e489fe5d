"""Items that another thread makes while the one before them is in use."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item], *, n: int = 1) -> Iterator[Item]:
    """The items in order; a thread makes up to `n` of them in advance. Exceptions are raised in their place."""
    iterator = iter(items)
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[Item | None]] = deque(pool.submit(next, iterator, None) for _ in range(n))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, iterator, None))
            yield item
