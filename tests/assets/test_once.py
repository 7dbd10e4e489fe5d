"""Tests of results that several steps of a run share."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from assets.once import Once


def test_threads_that_ask_at_once_get_what_the_first_made() -> None:
    kept, both_asked = Once[object](), threading.Barrier(2)
    calls: list[None] = []

    def make() -> object:
        calls.append(None)
        return object()

    def ask(_: int) -> object:
        both_asked.wait()
        return kept.get("files", make)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask, range(2))
    assert first is second
    assert len(calls) == 1


def test_another_origin_makes_another_result_and_a_failure_is_not_kept() -> None:
    kept = Once[str]()
    assert kept.get("a", lambda: "of a") == "of a"
    with pytest.raises(OSError, match="disk"):
        kept.get("b", lambda: (_ for _ in ()).throw(OSError("disk")))
    assert kept.get("b", lambda: "of b") == "of b"
    assert kept.get("a", lambda: "of a again") == "of a again"


def test_a_result_is_forgotten_when_all_steps_got_it() -> None:
    kept, made = Once[list[int]](n_steps=3), iter(range(9))
    got = [kept.get("files", lambda: [next(made)]) for _ in range(7)]
    assert got == [[0], [0], [0], [1], [1], [1], [2]]
    assert kept.get("other files", lambda: [next(made)]) == [3]
    assert kept.get("other files", lambda: [next(made)]) == [3]
    assert kept.get("other files", lambda: [next(made)]) == [3]
    assert kept.get("other files", lambda: [next(made)]) == [4]
