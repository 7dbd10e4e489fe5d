"""A result that several steps of a run need: the first makes it, the others get the same."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Once(Generic[Result]):
    """Keeps the last result in the process, with what it was made of. Threads that ask at once make it once."""

    def __init__(self) -> None:
        self._making = Lock()
        self._last: tuple[object, Result] | None = None

    def get(self, made_of: object, make: Callable[[], Result]) -> Result:
        """The last result if it was made of the same, else what `make` returns now."""
        with self._making:
            if self._last is None or self._last[0] != made_of:
                self._last = None  # before the next one is made: both at once would need twice the memory
                self._last = made_of, make()
            return self._last[1]
