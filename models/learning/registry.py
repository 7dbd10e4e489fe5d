"""The history of the learned recipe: every fit with its data, figures and decision, and which fit is in use.

Pure state and its text form. assets/learning keeps it as a file.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from features.errors import JobfeedError
from models.learning.position_bias import UNKNOWN, Attention
from models.ranking.settings import Recipe

LEARNED = "learned"
FORMAT = 1
Action = Literal["promoted", "rolled back"]


class RegistryError(JobfeedError, ValueError):
    """The history cannot be read, or has no such fit."""


@dataclass(frozen=True)
class Figure:
    """A mean over users with the bounds of its 95 % interval."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Data:
    """What a fit was made from: interactions after `cut` on candidates as of `cut`, and how they were held out."""

    cut: str
    split: str
    n_users: int
    n_examples: int
    n_positives: int


@dataclass(frozen=True)
class Configured:
    """The configured recipe on the users of a fit: its NDCG@20, and the paired differences of the fit and of the
    incumbent from it, positive where they are better."""

    recipe: str
    ndcg: Figure
    gain: Figure
    incumbent_gain: Figure


@dataclass(frozen=True)
class Level:
    """`scale` and `base` of a recipe: a score is base + scale * the weighted sum."""

    scale: float = 1.0
    base: float = 0.0


@dataclass(frozen=True)
class Fit:
    """One fitted recipe. `ndcg` and `incumbent_ndcg` are NDCG@20 of the same held-out users, `gain` their paired
    difference; `incumbent` names what it was compared with. `settings` are those chosen for the fit. `configured` is
    None for fits that were not compared with the configured recipe. `level` makes its scores mean what those of the
    configured recipe do. `separation` is how well each component alone foretold the held-out interactions,
    `suspicion` why the fit may know the future. By `attention` outcomes at low ranks counted more."""

    fit: str
    as_of: str
    data: Data
    weights: Mapping[str, float]
    neutral: float
    diversity: float
    settings: Mapping[str, float]
    ndcg: Figure
    incumbent: str
    incumbent_ndcg: Figure
    gain: Figure
    is_promoted: bool
    decision: str
    configured: Configured | None = None
    level: Level = Level()
    separation: Mapping[str, Figure] = field(default_factory=dict)
    suspicion: str | None = None
    attention: Attention = UNKNOWN

    def recipe(self) -> Recipe:
        """The recipe that ranks by this fit."""
        recipe = learned_recipe(self.weights, neutral=self.neutral, diversity=self.diversity)
        return replace(recipe, **asdict(self.level))


@dataclass(frozen=True)
class Change:
    """One change of the fit in use; `fit` is None for the configured recipe."""

    at: str
    action: Action
    fit: str | None


@dataclass(frozen=True)
class Registry:
    """All fits and changes, oldest first. `active` names the promoted fit, None for the configured recipe.

    `served` names the fit that the stored feeds were ranked by: a run that ranks all users takes over the active one,
    so that all feeds of a generation are by one fit. `is_taking_over`: from the beginning of that run to the last of
    its shards, feeds may be by either. `attempted_at`: the instant of the last fit that was begun.
    """

    fits: tuple[Fit, ...] = ()
    changes: tuple[Change, ...] = ()
    active: str | None = None
    served: str | None = None
    attempted_at: str | None = None
    is_taking_over: bool = False

    def find(self, name: str) -> Fit:
        """The fit of that name. Raises RegistryError."""
        for fit in self.fits:
            if fit.fit == name:
                return fit
        known = ", ".join(fit.fit for fit in self.fits) or "none yet"
        raise RegistryError(f"there is no fit {name!r}; fits are {known}")

    @property
    def active_recipe(self) -> Recipe | None:
        return self.find(self.active).recipe() if self.active is not None else None

    @property
    def served_recipe(self) -> Recipe | None:
        return self.find(self.served).recipe() if self.served is not None else None

    def attention_before(self, as_of: dt.datetime) -> Attention:
        """The newest known attention of the fits up to `as_of`."""
        known = [fit for fit in self.fits if fit.attention.is_known and dt.datetime.fromisoformat(fit.as_of) <= as_of]
        newest = max(known, key=lambda fit: dt.datetime.fromisoformat(fit.as_of), default=None)
        return newest.attention if newest is not None else UNKNOWN

    def add(self, fit: Fit) -> "Registry":
        """With a new fit; a fit that is promoted is in use at once. If there is a fit of that name, it stays."""
        if any(other.fit == fit.fit for other in self.fits):
            return self
        added = replace(self, fits=(*self.fits, fit))
        return added.promote(fit.fit, at=fit.as_of) if fit.is_promoted else added

    def promote(self, name: str, *, at: str) -> "Registry":
        """With the fit of that name in use. Raises RegistryError for an unknown one."""
        self.find(name)
        if name == self.active:
            return self
        return replace(self, active=name, changes=(*self.changes, Change(at, "promoted", name)))

    def rollback(self, *, at: str) -> "Registry":
        """With what was in use before the last promotion that still holds. Raises RegistryError if there is none."""
        if self.active is None:
            raise RegistryError("no learned recipe is in use; there is nothing to go back from")
        stack: list[str | None] = [None]
        for change in self.changes:
            if change.action == "promoted":
                stack.append(change.fit)
            else:
                stack.pop()
        before = stack[-2]
        return replace(self, active=before, changes=(*self.changes, Change(at, "rolled back", before)))


def learned_recipe(weights: Mapping[str, float], *, neutral: float, diversity: float) -> Recipe:
    """A recipe that orders by its weights alone: no cap on behaviour, and exploration behind the first 20 ranks.

    Most outcomes come from the first ranks, so that exploring there costs most; the share of explored slots is kept.
    """
    return Recipe(
        LEARNED, weights, neutral=neutral, diversity=diversity, exploration_from_rank=21, collaborative_cap=None
    )


def to_text(registry: Registry) -> str:
    """The registry as JSON."""
    return json.dumps({"format": FORMAT, **asdict(registry)}, indent=1, ensure_ascii=False) + "\n"


def from_text(text: str) -> Registry:
    """The registry that `to_text` wrote. Raises RegistryError."""
    try:
        kept = json.loads(text)
        if kept["format"] != FORMAT:
            raise RegistryError(f"format {kept['format']!r}; this version reads {FORMAT}")
        registry = Registry(
            fits=tuple(_fit(found) for found in kept["fits"]),
            changes=tuple(Change(**change) for change in kept["changes"]),
            active=kept["active"],
            served=kept["served"],
            attempted_at=kept.get("attempted_at"),
            is_taking_over=kept.get("is_taking_over", False),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryError(f"can't be read: {error}") from error
    for name in (registry.active, registry.served):
        if name is not None:
            registry.find(name)
    return registry


def _fit(found: dict[str, Any]) -> Fit:
    configured = found.get("configured")
    if configured is not None:
        names = ("ndcg", "gain", "incumbent_gain")
        configured = Configured(recipe=configured["recipe"], **{name: Figure(**configured[name]) for name in names})
    level = Level(**found.get("level", {}))
    figures = {name: Figure(**found[name]) for name in ("ndcg", "incumbent_ndcg", "gain")}
    separation = {name: Figure(**area) for name, area in found.get("separation", {}).items()}
    attention = Attention(**found.get("attention", {}))
    parts = {"configured": configured, "level": level, "separation": separation, "attention": attention}
    return Fit(**{**found, **figures, **parts, "data": Data(**found["data"])})
