"""Compiled max-heaps of int64 sort keys: the k smallest keys of a stream. The keys are made in models.sort_keys."""

from typing import Any

from models.kernels.compiling import compiled
from models.sort_keys import position_of_key


@compiled
def heap_offer(heap: Any, size: Any, key: Any) -> Any:
    """Offers `key` to the heap of the `len(heap)` smallest keys; returns its new size."""
    if size < len(heap):
        child = size
        while child > 0:
            parent = (child - 1) >> 1
            if heap[parent] >= key:
                break
            heap[child] = heap[parent]
            child = parent
        heap[child] = key
        return size + 1
    if key >= heap[0]:
        return size
    _sift_down(heap, size, key)
    return size


@compiled
def heap_drain(heap: Any, size: Any, into: Any) -> None:
    """Empties the heap: the positions of its keys, smallest key first, into `into`."""
    while size > 0:
        size -= 1
        into[size] = position_of_key(heap[0])
        if size:
            _sift_down(heap, size, heap[size])


@compiled
def _sift_down(heap: Any, size: Any, key: Any) -> None:
    """Puts `key` at the root of a heap of `size` and moves it down to its place."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= key:
            break
        heap[parent] = heap[child]
        parent = child
    heap[parent] = key
