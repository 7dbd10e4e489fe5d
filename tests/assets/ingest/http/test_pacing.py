"""The pace per host, on a clock that moves only by sleeping."""

import threading

from assets.ingest.http.pacing import HostPacer
from tests.assets.ingest.http.fault_server import FakeTime


def test_requests_to_one_host_are_spaced_and_other_hosts_do_not_wait() -> None:
    time = FakeTime()
    pacer = HostPacer(4, monotonic=time.monotonic, sleep=time.sleep)
    assert all(pacer.wait(host, until=1e9) for host in ("a", "b", "a", "b", "a"))
    assert time.slept == [0.25, 0.25]


def test_a_host_that_asks_for_a_slower_pace_gets_it_and_a_faster_one_is_ignored() -> None:
    time = FakeTime()
    pacer = HostPacer(4, monotonic=time.monotonic, sleep=time.sleep)
    assert pacer.wait("a", until=1e9)
    pacer.slow_down("a", 3)
    pacer.slow_down("b", 0.1)
    assert all(pacer.wait(host, until=1e9) for host in ("a", "a", "b", "b"))
    assert time.slept == [3.0, 3.0, 0.25]


def test_a_turn_after_the_deadline_is_refused_at_once() -> None:
    time = FakeTime()
    pacer = HostPacer(0.5, monotonic=time.monotonic, sleep=time.sleep)
    assert pacer.wait("a", until=time.now + 1)
    assert not pacer.wait("a", until=time.now + 1)
    assert time.slept == []
    assert pacer.wait("a", until=time.now + 2) and time.slept == [2.0]


def test_threads_share_one_pace() -> None:
    time = FakeTime()
    lock = threading.Lock()
    taken: list[float] = []

    def sleep(seconds: float) -> None:
        with lock:
            time.sleep(seconds)

    pacer = HostPacer(10, monotonic=time.monotonic, sleep=sleep)

    def ask() -> None:
        for _ in range(5):
            assert pacer.wait("a", until=1e9)
            with lock:
                taken.append(time.now)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 20 and time.now >= 1000 + 19 * 0.1 - 1e-6
