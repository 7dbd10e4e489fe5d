"""Single vacancies fetched side by side, at most ten at once. What they say and where it goes is decided elsewhere."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from assets.ingest import errors
from assets.ingest.hh.client import HHClient

# In a row: the service is down, and asking for the rest would only wear out its patience and our time.
MAX_FAILURES_IN_A_ROW = 20


@dataclass(frozen=True)
class Detail:
    """What became of one request. Neither a whole body nor gone: it failed; a `body` that is not whole says how."""

    vacancy_id: str
    body: bytes | None = field(default=None, repr=False)
    is_whole: bool = False
    is_gone: bool = False

    @property
    def has_failed(self) -> bool:
        return not (self.is_whole or self.is_gone)


class _Vacancy(msgspec.Struct):
    id: str | int


@dataclass
class DetailFetcher:
    """Fetches vacancies in the order asked for. A refusal, the end of the time and many failures in a row stop it for
    good: what was under way is still handed over, and `stopped_by` says why it stopped."""

    client: HHClient
    stopped_by: str | None = None
    n_failed: int = 0
    _n_failed_in_a_row: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def is_stopped(self) -> bool:
        return self.stopped_by is not None

    def fetch(self, vacancy_ids: Iterable[str]) -> Iterator[Detail]:
        """A Detail for each of `vacancy_ids` until stopped, in their order; memory is bounded by what is under way."""
        n_workers = self.client.source.max_parallel_requests
        waiting = iter(vacancy_ids)
        pending: deque[Future[Detail | None]] = deque()
        with ThreadPoolExecutor(n_workers, thread_name_prefix="hh-detail") as pool:
            try:
                pending.extend(pool.submit(self._one, id_) for id_ in islice(waiting, 2 * n_workers))
                while pending:
                    detail = pending.popleft().result()
                    if not self.is_stopped:
                        pending.extend(pool.submit(self._one, id_) for id_ in islice(waiting, 1))
                    if detail is not None:
                        self._note(detail)
                        yield detail
            finally:
                for future in pending:
                    future.cancel()

    def _one(self, vacancy_id: str) -> Detail | None:
        if self._stop.is_set():
            return None
        try:
            body = self.client.vacancy(vacancy_id)
        except errors.SourceDisabledError as error:
            self._stop_for(str(error))
            return None
        except (errors.RefusedQueryError, errors.FetchError):
            return Detail(vacancy_id)
        if body is None:
            return Detail(vacancy_id, is_gone=True)
        return Detail(vacancy_id, body=body, is_whole=_is_vacancy(body, vacancy_id))

    def _note(self, detail: Detail) -> None:
        if not detail.has_failed:
            self._n_failed_in_a_row = 0
            return
        self.n_failed += 1
        self._n_failed_in_a_row += 1
        if self._n_failed_in_a_row >= MAX_FAILURES_IN_A_ROW:
            self._stop_for(f"{MAX_FAILURES_IN_A_ROW} failed in a row")

    def _stop_for(self, reason: str) -> None:
        self.stopped_by = self.stopped_by or reason
        self._stop.set()


def _is_vacancy(body: bytes, vacancy_id: str) -> bool:
    try:
        return str(msgspec.json.decode(body, type=_Vacancy).id) == vacancy_id
    except msgspec.DecodeError:
        return False
