"""What a user's feed and matches answer. The hot path: cards and reasons are joined without decoding them."""

from typing import Any, cast

import msgspec

from serving import contract
from serving.contract import FLAG_EXPLORED, FLAG_SEEN, match_percent
from serving.requests import Answer, Request, answer
from serving.responses import Feed, FeedItem
from serving.store import Reader
from serving.view import NOT_SHOWN, View


class _StoredItem(msgspec.Struct, array_like=True, gc=False):
    job_id: str
    score: float
    confidence: float
    flags: int
    propensity: float
    reasons: list[msgspec.Raw]


class _StoredFeed(msgspec.Struct, array_like=True, gc=False):
    generated_at: str | None
    recipe: str
    arm: str
    source: Any
    items: list[msgspec.Raw]


class _Weight(msgspec.Struct):
    recipe: str
    component: str
    weight: float


_FEED = msgspec.json.Decoder(_StoredFeed)
_ITEM = msgspec.json.Decoder(_StoredItem)
_WEIGHTS = msgspec.json.Decoder(list[_Weight])
_NOTHING = b'[null,"fallback","default","global",[]]'


def feed(view: View, request: Request) -> Answer:
    """The user's feed; the fallback feed of `country` and `role` for a user without one."""
    values = request.values
    with view.reader() as reader:
        stored = reader.get(contract.FEED_PREFIX, request.identifier)
        is_known = stored is not None
        if stored is None:
            stored = _fallback(reader, values["country"], values["role"])
        made = _page(view, reader, stored, request)
        if values["components"]:
            _add_components(reader, made, request.identifier if is_known else None)
    return answer(made, language=request.language)


def matches(view: View, request: Request) -> Answer:
    """The user's best items: the feed from a score on, by default 0.6."""
    with view.reader() as reader:
        stored = reader.get(contract.FEED_PREFIX, request.identifier) or _fallback(reader, "", "")
        made = _page(view, reader, stored, request)
    return answer(made, language=request.language)


def _page(view: View, reader: Reader, stored: bytes, request: Request) -> Feed:
    """The items that pass `min_score` and `exclude_seen` and are still open, `limit` of them after `offset`."""
    values = request.values
    limit, offset = values["limit"], values.get("offset", 0)
    hides_seen = values.get("exclude_seen", False)
    found = _FEED.decode(stored)
    shown: list[tuple[int, _StoredItem, msgspec.Raw]] = []
    # Closed jobs are rare: what is needed if there are none is decoded first, the rest only where it comes to that.
    for start in range(0, len(found.items), offset + limit):
        part = found.items[start : start + offset + limit]
        shown += _shown(view, reader, part, start + 1, values["min_score"], hides_seen=hides_seen)
        if len(shown) >= offset + limit:
            break
    items = _joined(view, reader, shown[offset : offset + limit], request.language)
    return Feed(
        request.identifier,
        view.name,
        found.generated_at,
        found.recipe,
        found.arm,
        found.source,
        cast(Any, request.language),
        limit,
        offset,
        items,
    )


def _shown(
    view: View, reader: Reader, part: list[msgspec.Raw], first_rank: int, minimum: float, *, hides_seen: bool
) -> list[tuple[int, _StoredItem, msgspec.Raw]]:
    """Rank, item and card of those that pass."""
    decoded = list(map(_ITEM.decode, part))
    cards = view.cards(reader, [item.job_id for item in decoded])
    hidden_flags = FLAG_SEEN if hides_seen else 0
    return [
        (rank, item, card)
        for rank, (item, card) in enumerate(zip(decoded, cards, strict=True), first_rank)
        if card is not NOT_SHOWN and item.score >= minimum and not item.flags & hidden_flags
    ]


def _joined(
    view: View, reader: Reader, shown: list[tuple[int, _StoredItem, msgspec.Raw]], language: str
) -> list[FeedItem]:
    """The items with their cards and the texts of their reasons."""
    stored = [bytes(reason) for _, item, _ in shown for reason in item.reasons]
    reasons: list[Any] = list(view.reasons(reader, stored, language))
    items: list[FeedItem] = []
    at = 0
    for rank, item, card in shown:
        until = at + len(item.reasons)
        flags, score = item.flags, item.score
        items.append(
            FeedItem(
                rank,
                item.job_id,
                score,
                match_percent(score),
                item.confidence,
                flags & FLAG_SEEN != 0,
                flags & FLAG_EXPLORED != 0,
                item.propensity,
                reasons[at:until],
                cast(Any, card),
            )
        )
        at = until
    return items


def _fallback(reader: Reader, country: str, role: str) -> bytes:
    segments = [f"country={country}/role={role}"] if country and role else []
    segments += [f"country={country}"] if country else []
    for segment in [*segments, contract.GLOBAL_SEGMENT]:
        found = reader.get(contract.FALLBACK_PREFIX, segment)
        if found is not None:
            return found
    return _NOTHING


def _add_components(reader: Reader, made: Feed, user_id: str | None) -> None:
    """Adds the recipe's weights, and to the first items of the feed their component values."""
    rows = _WEIGHTS.decode(reader.get(contract.DOCUMENT_PREFIX, "recipes") or b"[]")
    made.weights = {row.component: row.weight for row in rows if row.recipe == made.recipe}
    stored = reader.get(contract.COMPONENTS_PREFIX, user_id) if user_id is not None else None
    values = contract.unpacked_components(stored) if stored is not None else []
    for item in made.items:
        if item.rank <= len(values):
            item.components = dict(zip(contract.COMPONENTS, values[item.rank - 1], strict=True))
