"""Brings `training/text_embeddings` up to date: with the model that serves, and for a while with the one to come."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import polars as pl

from assets.config.pipeline import Embedding
from assets.lake import Lake
from assets.training.embedding_models import EmbeddingModel, find_again, find_model, load_embedder
from assets.training.embedding_store import PERSONAL, SHARED, Added, add_embeddings, missing_texts, tidy_embeddings
from assets.training.embedding_switch import Serving, read_serving, write_serving
from models.fitting.embeddings import Embedder, EmbedderError, TextModel, keyed_texts

Say = Callable[[str], None]


class Texts(NamedTuple):
    """Distinct texts without null: of jobs, what users name, and what users write of themselves."""

    passages: pl.Series
    queries: pl.Series
    summaries: pl.Series

    def of(self, model: TextModel) -> Mapping[str, pl.DataFrame]:
        """KEYED_TEXTS of each partition."""
        nothing = pl.Series([], dtype=pl.String)
        return {
            SHARED: keyed_texts(model, passages=self.passages, queries=self.queries),
            PERSONAL: keyed_texts(model, passages=nothing, queries=self.summaries),
        }


@dataclass(frozen=True)
class Updated:
    """The model whose vectors are used from now on, and numbers of texts."""

    serving: Serving
    n_wanted: int
    n_new: int
    n_left: int
    n_dropped: int


@dataclass
class _Update:
    """One update. An encoder is loaded once, when the first text lacks a vector, and texts are hashed once."""

    lake: Lake
    texts: Texts
    settings: Embedding
    say: Say
    clock: Callable[[], float]
    loaded: dict[EmbeddingModel, Embedder] = field(default_factory=dict)
    keyed: dict[TextModel, Mapping[str, pl.DataFrame]] = field(default_factory=dict)

    def embed(self, model: EmbeddingModel, *, until: float | None = None) -> Added:
        """Embeds the texts that lack a vector of the model, up to the instant `until` of the clock."""
        n_new, n_left = 0, 0
        for partition, keyed in self._texts_of(model).items():
            added = add_embeddings(
                self.lake,
                partition,
                keyed,
                load=lambda: self._load(model),
                on_part=lambda done, total: self.say(f"{model.text_model.identity}: {done} of {total} texts"),
                seconds_left=None if until is None else lambda: until - self.clock(),
            )
            n_new, n_left = n_new + added.n_new, n_left + added.n_left
        return Added(n_new, n_left)

    def n_missing(self, model: EmbeddingModel) -> int:
        return sum(
            len(missing_texts(self.lake, partition, keyed)) for partition, keyed in self._texts_of(model).items()
        )

    def n_wanted(self, model: EmbeddingModel) -> int:
        return sum(len(keyed) for keyed in self._texts_of(model).values())

    def tidy(self, *models: EmbeddingModel) -> int:
        kept = [self._texts_of(model) for model in models]
        return sum(
            tidy_embeddings(self.lake, partition, pl.concat([of_model[partition] for of_model in kept]))
            for partition in (SHARED, PERSONAL)
        )

    def _texts_of(self, model: EmbeddingModel) -> Mapping[str, pl.DataFrame]:
        if model.text_model not in self.keyed:
            self.keyed[model.text_model] = self.texts.of(model.text_model)
        return self.keyed[model.text_model]

    def _load(self, model: EmbeddingModel) -> Embedder:
        if model not in self.loaded:
            self.loaded[model] = load_embedder(model, self.settings, n_threads=os.cpu_count() or 1)
        return self.loaded[model]


def update_embeddings(
    lake: Lake,
    texts: Texts,
    settings: Embedding,
    *,
    may_switch: bool,
    say: Say,
    clock: Callable[[], float] = time.perf_counter,
) -> Updated:
    """Gives each text a vector of the model that serves; the configured one serves at once if none did before.

    If another one is configured, texts get its vectors too, for `switch_seconds`. It serves from the run on that
    `may_switch` and leaves no text without. What is wrong with it is noted, and the old one serves on. Raises
    EmbedderError if the configured model can't be used and none serves.
    """
    update = _Update(lake, texts, settings, say, clock)
    before = read_serving(lake)
    if before is None:
        serving = Serving(find_model(settings))
        added = update.embed(serving.model)
        write_serving(lake, serving)
        return _updated(update, serving, added, update.tidy(serving.model))
    if before.is_pinned:
        return _updated(update, before, update.embed(before.model), 0)
    wanted, problem = before.model, ""
    try:
        wanted = find_model(settings)
    except EmbedderError as error:
        problem = str(error)
    if wanted.text_model == before.model.text_model and not problem:
        # Named in another way, it is the same model: a folder that was moved, say.
        serving = Serving(wanted)
        added = update.embed(wanted)
        write_serving(lake, serving)
        return _updated(update, serving, added, update.tidy(wanted))
    return _towards(update, before, None if problem else wanted, problem, may_switch=may_switch)


def described(updated: Updated) -> dict[str, str | int | float]:
    """Metadata of the asset."""
    serving = updated.serving
    found: dict[str, str | int | float] = {
        "model": serving.model.text_model.identity,
        "n_texts": updated.n_wanted,
        "n_new": updated.n_new,
        "n_dropped": updated.n_dropped,
        "n_without_vector": updated.n_left,
    }
    if serving.following:
        found |= {"next_model": serving.following, "next_model_share": round(serving.share, 4)}
    return found | ({"next_model_problem": serving.problem} if serving.problem else {})


def _towards(
    update: _Update, before: Serving, wanted: EmbeddingModel | None, problem: str, *, may_switch: bool
) -> Updated:
    """One run on the way to the model `wanted`, None if it can't be found because of `problem`."""
    new, n_left = 0, 0
    if wanted is not None:
        try:
            new, n_left = update.embed(wanted, until=update.clock() + update.settings.switch_seconds)
        except EmbedderError as error:
            n_left, problem = update.n_missing(wanted), str(error)
        if not problem and not n_left and may_switch:
            update.say(
                f"{wanted.text_model.identity} serves from now on, {before.model.text_model.identity} did before"
            )
            serving = Serving(wanted)
            write_serving(update.lake, serving)
            # A run that breaks off here leaves models in the old space, and the runs until the next need its vectors.
            return _updated(update, serving, Added(new, 0), update.tidy(wanted, before.model))
    added = _of_old_model(update, before.model)
    n_wanted = update.n_wanted(wanted) if wanted is not None else 0
    serving = replace(
        before,
        following=wanted.text_model.identity if wanted is not None else update.settings.model,
        n_done=n_wanted - n_left,
        n_wanted=n_wanted,
        problem=problem,
    )
    write_serving(update.lake, serving)
    if problem:
        update.say(f"{before.model.text_model.identity} serves on: {problem}")
    kept = (before.model, wanted) if wanted is not None else (before.model,)
    return _updated(update, serving, Added(added.n_new + new, added.n_left), update.tidy(*kept))


def _of_old_model(update: _Update, model: EmbeddingModel) -> Added:
    """Embeds new texts with the model that serves on. If it is no longer there, they wait for the one to come."""
    try:
        if update.n_missing(model):
            find_again(model, update.settings)
        return update.embed(model)
    except EmbedderError as error:
        n_left = update.n_missing(model)
        update.say(f"{n_left} new texts have no vector until the configured model serves: {error}")
        return Added(0, n_left)


def _updated(update: _Update, serving: Serving, added: Added, n_dropped: int) -> Updated:
    return Updated(serving, update.n_wanted(serving.model), added.n_new, added.n_left, n_dropped)
