"""The ranking components as pure formulas over arrays: everything broadcasts, float32 in [0, 1] out, NaN = unknown.

The inputs (features of jobs and users) and the score that combines the components are computed elsewhere. Booleans may
be bool arrays or floats 1.0 / 0.0 / NaN, where NaN means unknown.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]

EARTH_RADIUS_KM = 6371.0
DEFAULT_MAX_DISTANCE_KM = 25.0
RECENCY_SCALE_DAYS = 10.0
FRESH_DAYS = 1.0
FRESH_BOOST = 1.5
EXPERIENCE_TOLERANCE_YEARS = 5.0
SAME_COUNTRY_MATCH = 0.5

REMOTE_UNKNOWN, REMOTE_NO, REMOTE_OK, REMOTE_ONLY = -1, 0, 1, 2
REMOTE_CODES = {"no": REMOTE_NO, "ok": REMOTE_OK, "only": REMOTE_ONLY}

_SMALLEST_MAX_DISTANCE_KM = 0.001
_SMALLEST_DENOMINATOR = 1e-6  # smaller values count as 0: no weight, count or salary is that small


def haversine_km(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> FloatArray:
    """Great-circle distance in km between points in degrees; NaN if a coordinate is NaN.

    Haversine formula (R. W. Sinnott, "Virtues of the Haversine", Sky & Telescope 68, 1984) on a sphere of 6371 km.
    """
    # Subtract before the cast to float32, which would round distances between neighbours by metres.
    half_lat = np.radians(_float(np.subtract(lat2, lat1))) / 2
    half_lon = np.radians(_float(np.subtract(lon2, lon1))) / 2
    h = np.sin(half_lat) ** 2 + np.cos(np.radians(_float(lat1))) * np.cos(np.radians(_float(lat2))) * (
        np.sin(half_lon) ** 2
    )
    return _float(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1))))


def location(
    distance_km: ArrayLike,
    *,
    max_distance_km: ArrayLike,
    job_is_remote: ArrayLike,
    user_remote: ArrayLike,
    is_same_city: ArrayLike,
) -> FloatArray:
    """How well the place of a job suits a user: exp(-distance / (max_distance / 3)).

    A remote job is 1 for users who accept remote work (`user_remote` REMOTE_OK or REMOTE_ONLY); a job that is not
    remote is 0 for REMOTE_ONLY. Without a distance, the same city is 1 and anything else unknown. An unknown
    `max_distance_km` means 25 km.
    """
    limit = _float(max_distance_km)
    limit = np.maximum(np.where(np.isnan(limit), DEFAULT_MAX_DISTANCE_KM, limit), _SMALLEST_MAX_DISTANCE_KM)
    value = np.exp(-_float(distance_km) / (limit / 3))
    value = np.where(np.isnan(value) & _is_true(is_same_city), 1, value)
    wish = np.asarray(user_remote)
    value = np.where((wish == REMOTE_ONLY) & _is_false(job_is_remote), 0, value)
    return _unit(np.where((wish >= REMOTE_OK) & _is_true(job_is_remote), 1, value))


def location_match(
    *, is_same_area: ArrayLike, job_is_remote: ArrayLike, user_remote: ArrayLike, is_same_country: ArrayLike
) -> FloatArray:
    """HeadHunter's stepwise rule: same area 1, remote job and remote accepted 1, same country 0.5, other country 0."""
    accepted = (np.asarray(user_remote) >= REMOTE_OK) & _is_true(job_is_remote)
    by_country = np.where(
        _is_true(is_same_country), SAME_COUNTRY_MATCH, np.where(_is_false(is_same_country), 0, np.nan)
    )
    return _unit(np.where(_is_true(is_same_area) | accepted, 1, by_country))


def recency(age_days: ArrayLike) -> FloatArray:
    """exp(-age / 10 days), times 1.5 under 24 hours, at most 1; a publication in the future counts as now."""
    age = np.maximum(_float(age_days), 0)
    value = np.exp(-age / RECENCY_SCALE_DAYS)
    return _unit(np.where(age < FRESH_DAYS, value * FRESH_BOOST, value))


def experience(user_years: ArrayLike, *, min_years: ArrayLike, max_years: ArrayLike) -> FloatArray:
    """1 inside [min_years, max_years], falling linearly to 0 at five years outside.

    An unknown bound leaves that side open; without both bounds, or without the user's years, the value is unknown.
    """
    years, lowest, highest = _float(user_years), _float(min_years), _float(max_years)
    missing = np.fmax(np.fmax(lowest - years, years - highest), 0)
    value = 1 - missing / EXPERIENCE_TOLERANCE_YEARS
    return _unit(np.where(np.isnan(years) | (np.isnan(lowest) & np.isnan(highest)), np.nan, value))


def salary(user_minimum: ArrayLike, *, job_min: ArrayLike, job_max: ArrayLike) -> FloatArray:
    """1 if the job's range reaches the user's minimum, falling linearly to 0 at half of it. All three are monthly USD.

    If the job states one bound only, it counts as the top. Unknown if the user or the job states nothing.
    """
    wanted, top = _float(user_minimum), np.fmax(_float(job_min), _float(job_max))
    share = _ratio(top - wanted / 2, np.fmax(wanted / 2, _SMALLEST_DENOMINATOR))
    return _unit(np.where(np.isnan(wanted) | np.isnan(top), np.nan, np.where(top >= wanted, 1, share)))


def jaccard(n_common: ArrayLike, *, n_left: ArrayLike, n_right: ArrayLike) -> FloatArray:
    """|A ∩ B| / |A ∪ B| (P. Jaccard, 1912) from the three sizes; unknown if either set is empty."""
    common, left, right = _float(n_common), _float(n_left), _float(n_right)
    return _unit(_ratio(common, np.where((left > 0) & (right > 0), left + right - common, np.nan)))


def skill_match(matched_weight: ArrayLike, *, total_weight: ArrayLike, avoided_weight: ArrayLike) -> FloatArray:
    """Weighted share of the job's skills that the user has, less the share that the user avoids, not below 0.

    `total_weight` sums the rarity of the job's skills, `matched_weight` rarity times level over those the user has,
    `avoided_weight` rarity over those the user avoids. Unknown if the job names no skills.
    """
    return _unit(_ratio(_float(matched_weight) - _float(avoided_weight), _float(total_weight)))


def growth(level_step: ArrayLike, *, n_new_adjacent: ArrayLike, n_new: ArrayLike) -> FloatArray:
    """Mean of two parts, or the known one: the seniority step, and the share of new skills adjacent to the user's.

    The step (the job's level minus the user's) is best at +1: max(0, 1 - |step - 1| / 2). Of the job's `n_new` skills
    that the user lacks, `n_new_adjacent` occur together with a skill of the user; without new skills this part is 0.
    """
    step = np.maximum(1 - np.abs(_float(level_step) - 1) / 2, 0)
    new = _float(n_new)
    learnable = np.where(new == 0, 0, _ratio(_float(n_new_adjacent), new))
    both = (step + learnable) / 2
    return _unit(np.where(np.isnan(step), learnable, np.where(np.isnan(learnable), step, both)))


def _float(values: ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float32)


def _is_true(values: ArrayLike) -> NDArray[np.bool_]:
    return np.asarray(np.asarray(values) == 1)


def _is_false(values: ArrayLike) -> NDArray[np.bool_]:
    return np.asarray(np.asarray(values) == 0)


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """`numerator / denominator`, NaN if the denominator is negative, 0 or negligible."""
    below = _float(denominator)
    is_known = below >= _SMALLEST_DENOMINATOR
    return _float(np.where(is_known, _float(numerator) / np.where(is_known, below, 1), np.nan))


def _unit(values: ArrayLike) -> FloatArray:
    return np.clip(_float(values), 0, 1)
