"""Questions to the language model: from the kept answers, else by the provider, within budget, time and five at once.

A question that gets no answer is the caller's to answer by rules. What the answers mean is not known here.
"""

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import BaseModel

from assets.config.files import SHIPPED_PROMPTS
from assets.config.llm import Llm, Use
from assets.lake import Lake
from assets.llm.batches import Batches, checked
from assets.llm.endpoint import KEY_VARIABLE, Endpoint, body_of
from assets.llm.errors import InvalidAnswerError, LlmDeniedError, LlmError
from assets.llm.ledger import Ledger, LedgerError, Limits, Stored
from assets.llm.pricing import Pricing
from assets.llm.questions import Question, Reply, Task
from features.llm.answers import AnswerError, MatchAnswer, ReplyAnswer, ResumeAnswer, read_answer
from features.llm.prompts import Prompt, visible_text

_TASKS: Mapping[Use, tuple[str, type[BaseModel]]] = {
    "resumes": ("resume", ResumeAnswer),
    "matches": ("match", MatchAnswer),
    "replies": ("reply", ReplyAnswer),
}
_SLOT_POLL_SECONDS = 0.05


@dataclass
class LlmClient:
    """Asks the model that `settings` name; `now` dates what is spent. Use it in one thread at a time."""

    settings: Llm
    endpoint: Endpoint
    ledger: Ledger
    locks: Path
    now: Callable[[], dt.datetime]
    monotonic: Callable[[], float] = time.monotonic
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._pricing = Pricing(self.settings)

    def is_on(self, use: Use) -> bool:
        """Whether the settings let the model be used for this."""
        return use in self.settings.uses

    def ask(self, use: Use, questions: Sequence[Question]) -> list[Reply]:
        """The reply to each question, in order; equal ones are asked once. A failure is a reply, never an error."""
        task = self._task(use)
        longest = self.settings.max_input_characters
        visible = [replace(one, text=visible_text(one.text, max_characters=longest)) for one in questions]
        keys = [task.key(question) for question in visible]
        wanted = dict(zip(keys, visible, strict=True))
        try:
            found = self._by_batches(task, wanted) if self.settings.batch.enabled else self._at_once(task, wanted)
        except LedgerError:  # without it nobody knows what was spent today, so nothing is asked
            found = dict.fromkeys(wanted, Reply(None, "no_ledger"))
        self.counts.update("answered" if reply.answer is not None else reply.reason for reply in found.values())
        return [found[key] for key in keys]

    def metadata(self) -> dict[str, int]:
        """Counts of replies for the metadata of an asset."""
        return {f"llm_{name}": n for name, n in sorted(self.counts.items())}

    def _task(self, use: Use) -> Task:
        name, answer = _TASKS[use]
        return Task(Prompt.load(SHIPPED_PROMPTS, name), answer, self.settings.model)

    def _kept(self, task: Task, wanted: Mapping[str, Question]) -> tuple[dict[str, Reply], dict[str, Question]]:
        """The replies that the ledger knows, and the questions that it does not."""
        found = {key: _reply(task, stored) for key, stored in self.ledger.answers(list(wanted)).items()}
        self.counts["from_ledger"] += len(found)
        return found, {key: question for key, question in wanted.items() if key not in found}

    def _by_batches(self, task: Task, wanted: Mapping[str, Question]) -> dict[str, Reply]:
        batches = Batches(self.settings, self.endpoint, self.ledger, self.now)
        self.locks.mkdir(parents=True, exist_ok=True)
        # Another process must not take a batch that is being started for one whose process died.
        with FileLock(self.locks / "llm-batches.lock"):
            batches.collect(task)
            found, missing = self._kept(task, wanted)
            return {**found, **batches.submit(task, missing)}

    def _at_once(self, task: Task, wanted: Mapping[str, Question]) -> dict[str, Reply]:
        found, missing = self._kept(task, wanted)
        run = _Run(self.monotonic() + self.settings.run_seconds, self.settings.give_up_after)

        def one(pair: tuple[str, Question]) -> Reply:
            return self._one(task, *pair, run)

        with ThreadPoolExecutor(self.settings.max_parallel, thread_name_prefix="llm") as pool:
            return {**found, **dict(zip(missing, pool.map(one, missing.items()), strict=True))}

    def _one(self, task: Task, key: str, question: Question, run: "_Run") -> Reply:
        if (problem := run.problem(self.monotonic())) is not None:
            return Reply(None, problem)
        body = body_of(self.settings, task.prompt, task.answer, question.text)
        with self._slot(run.until) as is_free:
            # The run may have been given up while this one waited.
            problem = run.problem(self.monotonic()) if is_free else "no_time"
            if problem is not None:
                return Reply(None, problem)
            most = self._pricing.most_tokens(body)
            limits = Limits(self.settings.daily_tokens, self.settings.daily_usd)
            usd = self._pricing.usd(most) or 0.0
            call_id = self.ledger.reserve(task.asked, tokens=sum(most), usd=usd, limits=limits, at=self.now())
            if call_id is None:
                return Reply(None, "budget")
            started = self.monotonic()
            try:
                stored, spent = self._sent(task, body)
            except LlmError as error:
                run.failed(error)
                self.ledger.settle(call_id, error.reason, tokens=None, usd=None, seconds=self.monotonic() - started)
                return Reply(None, error.reason)
            outcome, seconds = stored.reason or "answered", self.monotonic() - started
            self.ledger.settle(call_id, outcome, tokens=spent, usd=self._pricing.usd(spent), seconds=seconds)
        run.succeeded()
        self.ledger.store(task.asked, key, stored, user_id=question.user_id, at=self.now())
        return _reply(task, stored)

    def _sent(self, task: Task, body: Mapping[str, Any]) -> tuple[Stored, tuple[int, int] | None]:
        """What is to be kept of the answer, and the tokens that it took. Raises LlmError if there is no answer."""
        try:
            completion = self.endpoint.complete(body)
        except InvalidAnswerError as error:
            return Stored(None, error.reason), self._pricing.spent(error.input_tokens, error.output_tokens)
        return checked(task, completion.content), self._pricing.spent(completion.input_tokens, completion.output_tokens)

    @contextmanager
    def _slot(self, until: float) -> Iterator[bool]:
        """One of `max_parallel` slots that all processes share; false if none is free `until` then."""
        self.locks.mkdir(parents=True, exist_ok=True)
        slots = [FileLock(self.locks / f"llm-{n}.lock") for n in range(self.settings.max_parallel)]
        while True:
            for slot in slots:
                try:
                    slot.acquire(timeout=0)
                except Timeout:
                    continue
                try:
                    yield True
                finally:
                    slot.release()
                return
            if self.monotonic() >= until:
                yield False
                return
            time.sleep(_SLOT_POLL_SECONDS)


class _Run:
    """Whether further requests make sense: not after a refusal, several failures in a row, or too long a time."""

    def __init__(self, until: float, give_up_after: int) -> None:
        self.until = until
        self._left = self._give_up_after = give_up_after
        self._is_denied = False
        self._lock = threading.Lock()

    def problem(self, now: float) -> str | None:
        with self._lock:
            if self._is_denied or self._left <= 0:
                return "given_up"
        return "no_time" if now >= self.until else None

    def failed(self, error: LlmError) -> None:
        with self._lock:
            self._left -= 1
            self._is_denied = self._is_denied or isinstance(error, LlmDeniedError)

    def succeeded(self) -> None:
        with self._lock:
            self._left = self._give_up_after


def llm_client(
    settings: Llm, lake: Lake, *, environment: Mapping[str, str], now: Callable[[], dt.datetime]
) -> LlmClient | None:
    """The client, None if the model is off."""
    if not settings.enabled:
        return None
    endpoint = Endpoint(settings, key=environment.get(KEY_VARIABLE) or None)
    return LlmClient(settings, endpoint, Ledger(lake.root), lake.root / ".locks", now)


def _reply(task: Task, stored: Stored) -> Reply:
    if stored.content is None:
        return Reply(None, stored.reason, is_final=True)
    try:
        return Reply(read_answer(task.answer, stored.content), "", is_final=True)
    except AnswerError:  # the ledger is a file: what it says is checked like the answer itself
        return Reply(None, "bad_shape", is_final=True)
