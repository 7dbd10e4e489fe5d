"""The reasoning of matches: by the language model for the best ones where it is on and answers truly, else by rules."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import polars as pl

from assets.config.llm import Use
from assets.llm.client import LlmClient
from assets.llm.questions import Question
from features.llm.answers import MatchAnswer
from features.llm.grounding import plain_sentence
from features.llm.prompts import visible_text
from features.schemas.ranking import MATCHES

_USE: Use = "matches"
BY_MODEL, MODEL_FAILED = "model", "rules_after_model_failed"
MAX_SENTENCE_CHARACTERS = 400
_MAX_TITLE_CHARACTERS = 150
_SCORES = ("skills_score", "experience_score", "location_score", "salary_score", "culture_score")


class Skills(Protocol):
    """The part of the vocabulary of skills that finds names in texts."""

    def find(self, texts: pl.Series) -> pl.Series:
        """Lists of the canonical names that occur in each text."""


@dataclass
class Reasoner:
    """Asks for the reasoning of at most `left` matches of a run, the best of each batch first."""

    llm: LlmClient
    skills: Callable[[], Skills]
    left: int

    def reasoned(self, matches: pl.DataFrame, jobs: pl.DataFrame) -> pl.DataFrame:
        """MATCHES with the model's sentences in the place of the rules'; `jobs` (JOBS) has their titles."""
        numbered = matches.with_row_index("row")
        best = numbered.sort("compatibility", "user_id", "rank", descending=[True, False, False]).head(self.left)
        if best.is_empty():
            return matches
        self.left -= best.height
        titled = best.join(jobs.select("job_id", "title"), on="job_id", how="left", maintain_order="left")
        facts = [_facts(row) for row in titled.iter_rows(named=True)]
        users = best["user_id"].to_list()
        replies = self.llm.ask(_USE, [Question(text, user) for text, user in zip(facts, users, strict=True)])
        sentences = self._true_sentences(facts, [reply.answer for reply in replies])
        found = best.select("row").with_columns(
            en=pl.Series([pair[0] for pair in sentences], dtype=pl.String),
            ru=pl.Series([pair[1] for pair in sentences], dtype=pl.String),
            was_asked=True,
        )
        source = pl.when(pl.col("en").is_not_null()).then(pl.lit(BY_MODEL)).when("was_asked").then(pl.lit(MODEL_FAILED))
        return MATCHES.conform(
            numbered.join(found, on="row", how="left", maintain_order="left")
            .with_columns(
                reasoning_en=pl.coalesce("en", "reasoning_en"),
                reasoning_ru=pl.coalesce("ru", "reasoning_ru"),
                reasoning_source=pl.coalesce(source, "reasoning_source"),
            )
            .select(list(MATCHES.columns))
        )

    @cached_property
    def _vocabulary(self) -> Skills:
        return self.skills()

    def _true_sentences(self, facts: Sequence[str], answers: Sequence[object]) -> list[tuple[str | None, str | None]]:
        """Both sentences of each answer; (None, None) if one is not plain, not in its language, or names what the facts
        do not: a number or a skill.
        """
        pairs = [_plain(answer, text) for answer, text in zip(answers, facts, strict=True)]
        both = [" ".join(part or "" for part in pair) for pair in pairs]
        known, named = self._vocabulary.find(pl.Series(facts)), self._vocabulary.find(pl.Series(both, dtype=pl.String))
        return [
            pair if set(said) <= set(given) else (None, None)
            for pair, given, said in zip(pairs, known, named, strict=True)
        ]


def _facts(row: dict[str, object]) -> str:
    """What is sent of a match, as JSON: no id, no name, nothing of the user but what speaks for and against."""

    def texts(factors: str, language: str) -> list[str]:
        given = row[factors]
        return [str(one[f"text_{language}"]) for one in given] if isinstance(given, list) else []

    facts = {
        "title": visible_text(str(row["title"] or ""), max_characters=_MAX_TITLE_CHARACTERS),
        "compatibility": row["compatibility"],
        "scores": {name: round(100 * value) for name in _SCORES if isinstance(value := row[name], float)},
        "for": {language: texts("match_factors", language) for language in ("en", "ru")},
        "against": {language: texts("mismatch_factors", language) for language in ("en", "ru")},
    }
    return json.dumps(facts, ensure_ascii=False)


def _plain(answer: object, facts: str) -> tuple[str | None, str | None]:
    if not isinstance(answer, MatchAnswer):
        return None, None
    english, russian = (
        plain_sentence(text, facts=facts, max_characters=MAX_SENTENCE_CHARACTERS)
        for text in (answer.english, answer.russian)
    )
    is_right = english is not None and russian is not None and _n_cyrillic(english) == 0 < _n_cyrillic(russian)
    return (english, russian) if is_right else (None, None)


def _n_cyrillic(text: str) -> int:
    return sum("а" <= letter <= "я" for letter in text.lower())
