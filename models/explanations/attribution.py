"""The reasons of an item: the one to three signals that raised its score most."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.components import REMOTE_OK
from features.schemas.ranking import REASON_CODES
from models.arrays import NO_ENTRY, Bools, Doubles, Floats, Ints, Longs, take_or_missing
from models.explanations.references import (
    NAMES_PER_REASON,
    NO_REFERENCE,
    VOCABULARY,
    Reasons,
    packed_names,
    place_codes,
)
from models.explanations.similarity import OF_ONE_ROLE, common_share, reads_as_similar
from models.kernels.dense_rows import strongest_of_columns
from models.kernels.sparse_rows import History, lookup, most_similar, rarest_common
from models.ranking.collaborative import taste_shares
from models.ranking.context import KIND_APPLIED, KIND_SAVED, KIND_VIEWED, CandidatePairs
from models.ranking.feed_rows import RankedItems
from models.ranking.retrieval import RETRIEVERS
from models.ranking.scoring import caps

REASONS_PER_ITEM = 3
NEW_DAYS, POPULAR_FROM, TRENDING_FROM = 3.0, 0.5, 0.2  # age, engagement and trend at which these reasons hold
# A reason much weaker than the item's strongest is noise to a reader.
_LEAST_SHARE_OF_STRONGEST = 0.2
_FOUND_BY_BONUS = 0.03
# Components whose values decide whether a reason holds, also where the recipe does not weigh them.
READ_BY_REASONS = (
    "also_applied", "neighbours", "collaborative", "skills", "engagement", "trending", "salary", "tags", "experience",
)  # fmt: skip
# Components whose part of the score may be a reason.
_COUNTED = (
    "location", "location_match", "collaborative", "neighbours", "also_applied", "skills", "engagement", "trending",
    "recency", "salary", "tags", "experience", "affinity", "content",
)  # fmt: skip
# How informative a reason is, compared with one that raised the score as much.
_REASON_PRIOR = {
    "similar_to_saved": 1.3, "similar_to_applied": 1.3, "similar_to_viewed": 1.2, "skills": 1.3, "tags": 1.2,
    "neighbours": 0.8, "same_city": 0.8, "new": 0.8, "popular_in_area": 0.7, "trending": 0.7, "remote": 0.5,
}  # fmt: skip


def explain(pairs: CandidatePairs, items: RankedItems) -> Reasons:
    """The reasons of all items of the block."""
    strength, similar = _strengths(pairs, items)
    table = np.empty((len(REASON_CODES), items.job.size), dtype=np.float32)
    for row, code in zip(table, REASON_CODES, strict=True):
        np.multiply(strength[code].ravel(), np.float32(_REASON_PRIOR.get(code, 1)), out=row)
    item, slot, chosen = _strongest(table, (items.job >= 0).ravel())
    reference = np.full(len(item), NO_REFERENCE, dtype=np.int64)
    value = np.full(len(item), np.nan, dtype=np.float32)
    for number, code in enumerate(REASON_CODES):
        rows = np.flatnonzero(chosen == number)
        if len(rows):
            reference[rows], value[rows] = _reference(code, item[rows], pairs, items, similar)
    return Reasons(item, slot, chosen, reference, value)


def _strongest(table: Floats, is_item: Bools) -> tuple[Longs, Longs, Ints]:
    """Item, slot and code of the strongest reasons of each item of `table` (codes, items), sorted by item and slot.

    Weak reasons are left out. Equal strengths keep the order of the codes.
    """
    code = np.full((table.shape[1], REASONS_PER_ITEM), NO_ENTRY, dtype=np.int32)
    strongest_of_columns(table, is_item, np.float32(_LEAST_SHARE_OF_STRONGEST), code)
    item, slot = np.nonzero(code >= 0)
    return item, slot, code[item, slot]


@dataclass(frozen=True)
class _Similar:
    """The most similar job of the user's history per item, (B, n)."""

    cosine: Floats
    kind: Ints
    job: Ints  # position in the job index


def _strengths(pairs: CandidatePairs, items: RankedItems) -> tuple[dict[str, Floats], _Similar]:
    """How much each code raised the score of each item, (B, n); -inf where it does not apply."""
    users, jobs = pairs.users, pairs.jobs
    part = {name: _contribution(name, pairs, items) for name in _COUNTED}
    known = {name: np.nan_to_num(items.values[name], nan=-1.0) for name in READ_BY_REASONS}
    similar = _most_similar(pairs, items)
    km = pairs.distance_km
    limit = users.max_distance_km[pairs.user]
    is_near = km <= np.where(np.isnan(limit), 25.0, limit)
    is_remote = (jobs.is_remote[pairs.job] == 1) & (users.remote[pairs.user] >= REMOTE_OK)
    is_popular_here = (pairs.is_same_country == 1) & (known["engagement"] >= POPULAR_FROM)
    has_role = pairs.sum_over(jobs.roles, users.roles) > 0
    follows = _company_affinity(pairs)
    place = part["location"] + part["location_match"]
    most = caps(pairs.batch.recipes)[pairs.block.recipe_of_row][:, None]
    taste, by_taste, by_popularity = _by_taste(pairs, known["collaborative"], np.minimum(part["collaborative"], most))
    from_others = (by_taste + part["neighbours"]).astype(np.float32)
    by_trend = part["trending"] + np.where(is_popular_here, np.float32(0), by_popularity)
    strength = {
        "also_applied": _where(
            known["also_applied"] > 0.05,
            part["also_applied"] + _found(items, "also_applied") * (1 + known["also_applied"]),
        ),
        "neighbours": _where((known["neighbours"] > 0.2) | (taste > 0.6), from_others + _found(items, "neighbours")),
        "skills": _where(known["skills"] > 0, part["skills"] + _found(items, "skills") * (1 + 2 * known["skills"])),
        "role": _where(has_role, 1.2 * _found(items, "skills")),
        "nearby": _where(is_near & ~is_remote, place),
        "same_city": _where(pairs.is_same_city & ~is_near & ~is_remote, place),
        "remote": _where(is_remote, place),
        "popular_in_area": _where(is_popular_here, part["engagement"] + by_popularity),
        "trending": _where(
            known["trending"] >= TRENDING_FROM, by_trend + _found(items, "trending") * known["trending"]
        ),
        "new": _where(jobs.age_days[pairs.job] <= NEW_DAYS, part["recency"] + _found(items, "new")),
        "salary": _where(known["salary"] >= 1, part["salary"]),
        "tags": _where(known["tags"] > 0, part["tags"] + _found(items, "skills") * known["tags"]),
        "experience": _where(known["experience"] >= 1, part["experience"]),
        "company": _where(follows > 0, part["affinity"] + _found(items, "followed") * (1 + follows)),
        "exploration": _where(items.is_explored, np.full(km.shape, 9.0)),
    }
    is_similar = _reads_as_similar(similar, pairs)
    lift = part["content"] + _found(items, "content") * (1 + similar.cosine)
    for name, kind in (
        ("similar_to_applied", KIND_APPLIED),
        ("similar_to_saved", KIND_SAVED),
        ("similar_to_viewed", KIND_VIEWED),
    ):
        strength[name] = _where(is_similar & (similar.kind == kind), lift)
    # If no reason qualifies, the reason is trending where there is engagement, else exploration.
    is_bare = np.max(np.stack(list(strength.values())), axis=0) <= 0
    strength["trending"] = np.where(is_bare & (known["engagement"] > 0), 1e-3, strength["trending"]).astype(np.float32)
    strength["exploration"] = np.where(is_bare & ~(known["engagement"] > 0), 1e-3, strength["exploration"]).astype(
        np.float32
    )
    return strength, similar


def _by_taste(pairs: CandidatePairs, share: Floats, lift: Any) -> tuple[Any, Any, Any]:
    """The collaborative share by the user's taste, what taste added to the score, and what popularity added.

    `share` and `lift` are those of the whole model, which may be popularity alone or a blend with it.
    """
    context = pairs.context
    if not any(part.is_popularity for part in context.sparse_parts):
        return share, lift, np.float32(0)
    taste, part = taste_shares(context, pairs.batch, pairs.rows, pairs.block.collaborative, pairs.job)
    return taste, lift * part, lift * (1 - part)


def _contribution(name: str, pairs: CandidatePairs, items: RankedItems) -> Any:
    """What the component adds to the weighted sum, (B, n) or 0 for all."""
    weights = np.array([recipe.normalised().get(name, 0.0) for recipe in pairs.batch.recipes])
    if not weights.any():
        return np.float32(0)
    weight = weights[pairs.block.recipe_of_row][:, None]
    return np.asarray(weight * np.nan_to_num(items.values[name]), dtype=np.float32)


def _where(condition: Bools, strength: Any) -> Floats:
    """Strengths where the condition holds and they are positive, else -inf."""
    return np.where(condition & (strength > 0), strength, -np.inf).astype(np.float32)


def _found(items: RankedItems, retriever: str) -> Floats:
    bit = np.uint16(1 << list(RETRIEVERS).index(retriever))
    return np.asarray(_FOUND_BY_BONUS * ((items.found_by & bit) > 0), dtype=np.float32)


def _most_similar(pairs: CandidatePairs, items: RankedItems) -> _Similar:
    context, vectors = pairs.context, pairs.context.fitted.job_vectors.vectors
    past = pairs.batch.history_job[pairs.rows]
    row = np.where(past >= 0, context.vector_rows[past], -1)
    past_jobs = np.where(past >= 0, context.index.rows[past], -1)
    cosine = np.full(pairs.job.shape, -1, dtype=np.float32)
    best = np.full(pairs.job.shape, -1, dtype=np.int32)
    if vectors.shape[1] == context.content.rows.shape[1] and (row >= 0).any():
        most_similar(context.content.rows, pairs.job, items.job >= 0, History(vectors, row, past_jobs), cosine, best)
    kind = take_or_missing(pairs.batch.history_kind[pairs.rows], best)
    return _Similar(cosine=np.round(cosine, 4), kind=kind, job=take_or_missing(past, best))


def _reads_as_similar(similar: _Similar, pairs: CandidatePairs) -> Bools:
    """Whether a reader would agree that each item is similar to that job. Of a closed job only the vector is known."""
    other = np.where(similar.job >= 0, pairs.context.index.rows[similar.job], NO_ENTRY)
    near = (similar.cosine >= OF_ONE_ROLE) & (other >= 0)
    shares = []
    for table in (pairs.jobs.roles, pairs.jobs.skills):
        share = np.zeros(pairs.job.shape)
        share[near] = common_share(table, pairs.job[near], other[near])
        shares.append(share)
    return reads_as_similar(similar.cosine, role_share=shares[0], skill_share=shares[1])


def _company_affinity(pairs: CandidatePairs) -> Doubles:
    """The user's learned affinity to the job's company, 0 without one."""
    feature = pairs.jobs.company_feature[pairs.job]
    affinity = lookup(pairs.batch.affinity, np.maximum(feature, 0), pairs.rows) if (feature >= 0).any() else 0
    return np.where(feature >= 0, affinity, 0).astype(np.float64)


def _reference(code: str, item: Longs, pairs: CandidatePairs, items: RankedItems, similar: _Similar) -> tuple[Any, Any]:
    """What the reasons of one code refer to, as in Reasons, and their numbers."""
    jobs = pairs.jobs
    job = pairs.job.ravel()[item]
    row = item // pairs.job.shape[1]
    user = pairs.user[row, 0]
    reference: Any = NO_REFERENCE
    value: Any = np.nan
    if code.startswith("similar_to_"):
        reference, value = similar.job.ravel()[item], similar.cosine.ravel()[item]
    elif code == "also_applied":
        source = pairs.lookup(pairs.batch.also_applied_source).ravel()[item].astype(np.int64) - 1
        reference, value = np.maximum(source, 0), items.values["also_applied"].ravel()[item]
    elif code in VOCABULARY:
        reference = _common_names(code, job, row, pairs)
    elif code == "nearby":
        value = np.round(pairs.distance_km.ravel()[item], 1)
    elif code == "same_city":
        reference = pairs.users.city[user]
    elif code == "popular_in_area":
        city = np.where(pairs.is_same_city.ravel()[item], pairs.users.city[user], NO_ENTRY)
        reference = place_codes(city, pairs.users.country[user], jobs)
    elif code == "company":
        reference = job
    elif code == "new":
        value = days_at_most(jobs.age_days[job])
    elif code == "salary":
        value = np.fmax(jobs.salary_min, jobs.salary_max)[job]
    return reference, value


def _common_names(code: str, job: Ints, row: Longs, pairs: CandidatePairs) -> Longs:
    """Up to three names that the user and the job share, the rarest first."""
    jobs, users = pairs.jobs, pairs.users
    of_jobs, of_users = {
        "skills": (jobs.skills, users.skills),
        "tags": (jobs.tags, users.tags),
        "role": (jobs.roles, users.roles),
    }[code]
    common = rarest_common(of_jobs, job, of_users, pairs.rows.start + row, most=NAMES_PER_REASON)
    return packed_names(common, n_names=len(jobs.vocabularies[VOCABULARY[code]]))


def days_at_most(age_days: Floats) -> Floats:
    """The smallest whole number of days greater than each age: 1 for a job of today."""
    return np.floor(np.maximum(age_days, 0)) + 1
