"""What is asked of a language model, and what comes back."""

import hashlib
import json
from dataclasses import dataclass

from pydantic import BaseModel

from assets.llm.ledger import Asked
from features.llm.answers import json_schema
from features.llm.prompts import Prompt

PENDING = "pending"


@dataclass(frozen=True)
class Question:
    """A text to ask about; `user_id` if it is about a user, so that an erasure finds the answer. It is not sent."""

    text: str
    user_id: str | None = None


@dataclass(frozen=True)
class Reply:
    """The answer, or why there is none: PENDING if it waits in a batch, budget, timeout, bad_shape and so on.

    `is_final`: asking again would give the same.
    """

    answer: BaseModel | None
    reason: str
    is_final: bool = False


@dataclass(frozen=True)
class Task:
    """A prompt, the shape of its answers and the model that gives them."""

    prompt: Prompt
    answer: type[BaseModel]
    model: str

    @property
    def asked(self) -> Asked:
        return Asked(self.prompt.name, self.prompt.version, self.model)

    def key(self, question: Question) -> str:
        """A hash of all that an answer depends on, and of the user, whose erasure must leave the answers of others."""
        parts = (self.prompt.digest, self.model, json_schema(self.answer), question.text, question.user_id)
        return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=24).hexdigest()
