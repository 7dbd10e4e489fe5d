"""Why a model gave no usable answer. No message holds a prompt, an answer or a key."""

from features.errors import JobfeedError


class LlmError(JobfeedError):
    """A question has no answer; `reason` is a code such as timeout, status_500 or not_json."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"language model: {reason}")
        self.reason = reason


class LlmDeniedError(LlmError):
    """The provider refuses the key, the model or the request itself: further requests of the run would fail too."""


class InvalidAnswerError(LlmError):
    """The model answered, and the answer is not usable; `input_tokens` and `output_tokens` were spent all the same."""

    def __init__(self, reason: str, *, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        super().__init__(reason)
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
