"""How many tokens a request may take at most, and what tokens cost."""

import json
from collections.abc import Mapping
from typing import Any

from assets.config.llm import Llm

_TOKENS_PER_MESSAGE = 20


class Pricing:
    """Tokens and dollars by the settings."""

    def __init__(self, settings: Llm) -> None:
        self._settings = settings
        self._share = settings.batch.price_share if settings.batch.enabled else 1.0

    def most_tokens(self, body: Mapping[str, Any]) -> tuple[int, int]:
        """An upper bound of the input and output tokens of a request: no tokenizer makes more tokens than bytes."""
        n_bytes = sum(len(message["content"].encode()) + _TOKENS_PER_MESSAGE for message in body["messages"])
        schema = len(json.dumps(body["response_format"]).encode())  # providers put it before the messages
        return n_bytes + schema, self._settings.max_output_tokens

    def usd(self, tokens: tuple[int, int] | None) -> float | None:
        """What input and output tokens cost; None if they are not known."""
        if tokens is None:
            return None
        prices = (self._settings.usd_per_million_input_tokens, self._settings.usd_per_million_output_tokens)
        return self._share * sum(n * (price or 0.0) for n, price in zip(tokens, prices, strict=True)) / 1_000_000

    def spent(self, input_tokens: int | None, output_tokens: int | None) -> tuple[int, int] | None:
        """What the provider counted; None if it did not say, so that the reservation stays."""
        return None if input_tokens is None or output_tokens is None else (input_tokens, output_tokens)
