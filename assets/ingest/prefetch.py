"""Reading on in a thread while what was read is stored. What is read and stored is not known here."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
BLOCKS_AHEAD = 2


def ahead(items: Iterator[Item], *, n: int = BLOCKS_AHEAD) -> Iterator[Item]:
    """The items in order, up to `n` of them made before they are asked for; exceptions come where they would."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[Future[Item | None]] = deque(pool.submit(next, items, None) for _ in range(n))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, items, None))
            yield item
