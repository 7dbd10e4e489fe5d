"""The sentiment of employers' messages: by the language model where it is on and answers, else by rules."""

from collections.abc import Sequence

import polars as pl

from assets.config.llm import Use
from assets.llm.client import LlmClient
from assets.llm.questions import Question
from features.applications.sentiment import sentiments
from features.llm.answers import ReplyAnswer
from features.llm.redaction import message_for_model

_USE: Use = "replies"


def judged_replies(replies: pl.DataFrame, llm: LlmClient | None) -> pl.DataFrame:
    """`replies` (text, user_id, full_name) with `sentiment` and `judged_by`: rules, model or rules_after_model_failed.

    `full_name` is the user's, or null; it is taken out of what is sent. A text without words has no sentiment.
    """
    by_rules = replies.with_columns(sentiment=sentiments(replies["text"]), judged_by=pl.lit("rules"))
    if llm is None or not llm.is_on(_USE):
        return by_rules
    numbered = by_rules.with_row_index("number")
    asked = numbered.drop_nulls("sentiment")
    longest = llm.settings.max_input_characters
    questions = [
        Question(message_for_model(text, name=name, max_characters=longest), user_id)
        for text, name, user_id in asked.select("text", "full_name", "user_id").iter_rows()
    ]
    answers = [reply.answer for reply in llm.ask(_USE, questions)]
    found = asked.select("number").with_columns(
        by_model=pl.Series(_sentiments(answers), dtype=pl.String), was_asked=True
    )
    return (
        numbered.join(found, on="number", how="left", maintain_order="left")
        .with_columns(
            sentiment=pl.coalesce("by_model", "sentiment"),
            judged_by=pl.when(pl.col("by_model").is_not_null())
            .then(pl.lit("model"))
            .when("was_asked")
            .then(pl.lit("rules_after_model_failed"))
            .otherwise("judged_by"),
        )
        .select(by_rules.columns)
    )


def _sentiments(answers: Sequence[object]) -> list[str | None]:
    return [answer.sentiment if isinstance(answer, ReplyAnswer) else None for answer in answers]
