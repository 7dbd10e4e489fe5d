"""The batch API: questions are uploaded in one run, and a later run collects the answers.

A batch carries a label of our own. A process that died before it knew the provider's id finds the batch by that, so
that no question is paid for twice.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from itertools import islice

from assets.config.llm import Llm
from assets.llm.endpoint import COMPLETIONS, Endpoint, body_of, read_completion
from assets.llm.errors import InvalidAnswerError, LlmError
from assets.llm.ledger import Batch, BatchItem, Ledger, Limits, Stored
from assets.llm.pricing import Pricing
from assets.llm.questions import PENDING, Question, Reply, Task
from features.llm.answers import AnswerError, read_answer


class Batches:
    """Batches of the provider that the settings name, and what the ledger knows of them."""

    def __init__(self, settings: Llm, endpoint: Endpoint, ledger: Ledger, now: Callable[[], dt.datetime]) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._ledger = ledger
        self._now = now
        self._pricing = Pricing(settings)

    def submit(self, task: Task, questions: Mapping[str, Question]) -> dict[str, Reply]:
        """Starts a batch of the questions that wait in none, as many as the budget holds."""
        waiting = self._ledger.waiting(questions)
        fresh = {key: question for key, question in questions.items() if key not in waiting}
        some = dict(islice(fresh.items(), self._settings.batch.max_requests))
        replies = {
            key: Reply(None, PENDING if key in waiting else "budget" if key in some else "next_batch")
            for key in questions
        }
        bodies = {
            key: body_of(self._settings, task.prompt, task.answer, question.text) for key, question in some.items()
        }
        label = uuid.uuid4().hex
        kept = self._ledger.open_batch(
            task.asked,
            label,
            [(key, some[key].user_id, *self._most(body)) for key, body in bodies.items()],
            limits=Limits(self._settings.daily_tokens, self._settings.daily_usd),
            at=self._now(),
        )
        if not kept:
            return replies
        lines = [
            {"custom_id": item.key, "method": "POST", "url": COMPLETIONS, "body": bodies[item.key]} for item in kept
        ]
        try:
            batch_id, file_id = self._endpoint.start_batch(lines, label=label)
        except LlmError as error:
            # The provider may have started it all the same: `collect` looks for it by its label.
            return {**replies, **{item.key: Reply(None, error.reason) for item in kept}}
        self._ledger.name_batch(label, batch_id=batch_id, file_id=file_id)
        return {**replies, **{item.key: Reply(None, PENDING) for item in kept}}

    def collect(self, task: Task) -> None:
        """Stores the answers of the task's batches that are over. A failure leaves a batch for the next run."""
        for batch in self._ledger.batches(task.prompt.name):
            try:
                self._collect(task, batch)
            except LlmError:
                if self._is_old(batch):
                    self._give_up(batch, "lost")

    def _collect(self, task: Task, batch: Batch) -> None:
        found = (batch.batch_id, batch.file_id) if batch.batch_id else self._endpoint.find_batch(batch.label)
        if found is None:
            self._give_up(batch, "not_started")
            return
        batch_id, file_id = found
        state = self._endpoint.batch(str(batch_id))
        if not state.is_over:
            if self._is_old(batch):
                self._give_up(batch, "too_late")
            return
        items = self._ledger.items(batch.label)
        for output in state.output_files:
            for key, status, body in self._endpoint.batch_answers(output):
                if (item := items.pop(key, None)) is not None:
                    self._keep(task, batch, item, status, body)
        for item in items.values():
            self._ledger.settle(item.call_id, "unanswered", tokens=(0, 0), usd=0.0, seconds=None)
        self._ledger.close_batch(batch.label)
        for name in (*state.output_files, *([file_id] if file_id else [])):
            self._delete(name)

    def _keep(self, task: Task, batch: Batch, item: BatchItem, status: int, body: object) -> None:
        if status != 200:
            self._ledger.settle(item.call_id, f"status_{status}", tokens=(0, 0), usd=0.0, seconds=None)
            return
        try:
            completion = read_completion(body)
            tokens = self._pricing.spent(completion.input_tokens, completion.output_tokens)
            stored = checked(task, completion.content)
        except InvalidAnswerError as error:
            tokens, stored = self._pricing.spent(error.input_tokens, error.output_tokens), Stored(None, error.reason)
        usd = self._pricing.usd(tokens)
        self._ledger.settle(item.call_id, stored.reason or "answered", tokens=tokens, usd=usd, seconds=None)
        self._ledger.store(batch.asked, item.key, stored, user_id=item.user_id, at=self._now())

    def _give_up(self, batch: Batch, outcome: str) -> None:
        """Closes a batch without answers: its questions are asked again. What it may have cost stays spent."""
        for item in self._ledger.items(batch.label).values():
            self._ledger.settle(item.call_id, outcome, tokens=None, usd=None, seconds=None)
        self._ledger.close_batch(batch.label)

    def _is_old(self, batch: Batch) -> bool:
        return self._now() - batch.started_at > dt.timedelta(hours=self._settings.batch.give_up_hours)

    def _delete(self, file_id: str) -> None:
        try:
            self._endpoint.delete_file(file_id)
        except LlmError:
            return  # the provider deletes old files itself; the answers are stored

    def _most(self, body: Mapping[str, object]) -> tuple[int, float]:
        tokens = self._pricing.most_tokens(body)
        return sum(tokens), self._pricing.usd(tokens) or 0.0


def checked(task: Task, content: str) -> Stored:
    """What is kept of an answer: the answer if it has the shape that was asked for."""
    try:
        return Stored(read_answer(task.answer, content).model_dump_json(), "")
    except AnswerError:
        return Stored(None, "bad_shape")
