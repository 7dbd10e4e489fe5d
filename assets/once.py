"""A result that several steps of a run need: the first makes it, the others get the same."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Once(Generic[Result]):
    """Keeps the last result in the process, with what it was made of. Threads that ask at once make it once.

    It is forgotten when `n_steps` have got it: the steps after them need the memory.
    """

    def __init__(self, n_steps: int = 2) -> None:
        self._making = Lock()
        self._n_steps = self._n_left = n_steps
        self._last: tuple[object, Result] | None = None

    def get(self, made_of: object, make: Callable[[], Result]) -> Result:
        """The last result if it was made of the same, else what `make` returns now."""
        with self._making:
            if self._last is None or self._last[0] != made_of:
                self._last = None  # before the next one is made: both at once would need twice the memory
                self._last, self._n_left = (made_of, make()), self._n_steps
            result = self._last[1]
            self._n_left -= 1
            if self._n_left == 0:
                self._last = None
            return result
