"""Items that are made ahead come in order, and fail where they would be used."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.ahead import ahead, in_order


@given(numbers=st.lists(st.integers()), n_used=st.integers(0, 10), n_ahead=st.integers(1, 3))
def test_items_made_ahead_come_in_their_order_and_few_too_many_are_made(
    numbers: list[int], n_used: int, n_ahead: int
) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in numbers:
            made.append(number)
            yield number

    used = [number for number, _ in zip(ahead(items(), n=n_ahead), range(n_used), strict=False)]
    assert used == numbers[:n_used]
    assert numbers[: len(made)] == made
    assert len(made) <= n_used + n_ahead + 1  # zip asks for one more before it ends


def test_an_item_that_can_not_be_made_fails_where_it_would_be_used() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no such block")

    following = ahead(items())
    assert next(following) == 1
    with pytest.raises(ValueError, match="no such block"):
        next(following)


@given(
    numbers=st.lists(st.integers(), max_size=12),
    n_used=st.integers(0, 12),
    n_threads=st.integers(1, 3),
    n_ahead=st.integers(1, 4),
)
def test_what_threads_make_comes_in_order_and_few_too_many_items_are_taken(
    numbers: list[int], n_used: int, n_threads: int, n_ahead: int
) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in numbers:
            taken.append(number)
            yield number

    squares = in_order(lambda number: number**2, items(), n_threads=n_threads, n_ahead=n_ahead)
    used = [square for _, square in zip(range(n_used), squares, strict=False)]
    assert used == [number**2 for number in numbers[:n_used]]
    assert len(taken) <= n_used + n_ahead


def test_an_item_that_a_thread_can_not_make_fails_where_it_would_be_used() -> None:
    made = in_order(lambda number: 1 // number, [1, 0], n_threads=2)
    assert next(made) == 1
    with pytest.raises(ZeroDivisionError):
        next(made)
