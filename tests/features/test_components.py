import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import components

NAN = math.nan
latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
years = st.floats(0, 60)
money = st.floats(0, 1e6)
maybe_flag = st.sampled_from([1.0, 0.0, NAN])
remote_codes = st.sampled_from([-1, 0, 1, 2])


def or_unknown(strategy):
    return st.one_of(strategy, st.just(NAN))


def is_unit(value):
    return math.isnan(value) or 0 <= value <= 1


def scalar_haversine(lat1, lon1, lat2, lon2):
    """The same distance by the angle between two unit vectors."""

    def unit(lat, lon):
        lat, lon = math.radians(lat), math.radians(lon)
        return (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))

    a, b = unit(lat1, lon1), unit(lat2, lon2)
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return 6371 * math.atan2(math.hypot(*cross), dot)


def scalar_location(d, maximum, job_remote, user_remote, same_city):
    if job_remote == 1 and user_remote in (1, 2):
        return 1.0
    if job_remote == 0 and user_remote == 2:
        return 0.0
    if math.isnan(d):
        return 1.0 if same_city == 1 else NAN
    maximum = 25.0 if math.isnan(maximum) else maximum
    return math.exp(-d / (maximum / 3))


def scalar_experience(user, low, high):
    if math.isnan(user) or (math.isnan(low) and math.isnan(high)):
        return NAN
    if not math.isnan(low) and user < low:
        return max(0.0, 1 - (low - user) / 5)
    if not math.isnan(high) and user > high:
        return max(0.0, 1 - (user - high) / 5)
    return 1.0


def scalar_salary(wanted, low, high):
    tops = [value for value in (low, high) if not math.isnan(value)]
    if math.isnan(wanted) or not tops:
        return NAN
    if max(tops) >= wanted:
        return 1.0
    return max(0.0, (max(tops) - wanted / 2) / (wanted / 2))


def assert_same(actual, expected, tolerance=1e-4):
    assert np.asarray(actual).dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=tolerance, rtol=tolerance)


def test_moscow_to_saint_petersburg_is_633_km():
    assert_same(components.haversine_km(55.7558, 37.6173, 59.9343, 30.3351), 633.0, tolerance=2e-3)


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_agrees_with_the_angle_between_vectors(lat1, lon1, lat2, lon2):
    # float32 arcsine is flat near the antipode: 10 km of 20,000 is the price there, metres elsewhere.
    expected = scalar_haversine(lat1, lon1, lat2, lon2)
    actual = float(components.haversine_km(lat1, lon1, lat2, lon2))
    assert actual == pytest.approx(expected, rel=1e-3 if expected > 15_000 else 1e-4, abs=0.02)


@given(latitudes, longitudes, latitudes, longitudes)
def test_distance_is_symmetric_and_bounded_by_half_the_circumference(lat1, lon1, lat2, lon2):
    there = components.haversine_km(lat1, lon1, lat2, lon2)
    back = components.haversine_km(lat2, lon2, lat1, lon1)
    assert float(there) == pytest.approx(float(back), abs=1e-3)
    assert 0 <= there <= math.pi * 6371 + 1


def test_distance_from_an_unknown_place_is_unknown():
    assert np.isnan(components.haversine_km(NAN, 1.0, 2.0, 3.0))


def test_location_falls_to_e_minus_three_at_the_maximum_distance():
    value = components.location(
        [0.0, 25.0], max_distance_km=25.0, job_is_remote=False, user_remote=0, is_same_city=False
    )
    assert_same(value, [1.0, math.exp(-3)])


@given(or_unknown(st.floats(0, 20_000)), or_unknown(st.floats(1, 500)), maybe_flag, remote_codes, maybe_flag)
def test_location_agrees_with_the_scalar_version(d, maximum, job_remote, user_remote, same_city):
    actual = components.location(
        d, max_distance_km=maximum, job_is_remote=job_remote, user_remote=user_remote, is_same_city=same_city
    )
    assert_same(actual, scalar_location(d, maximum, job_remote, user_remote, same_city))
    assert is_unit(float(actual))


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(1, 500))
def test_a_nearer_job_is_never_worse(one, other, maximum):
    near, far = sorted((one, other))
    values = components.location(
        [near, far], max_distance_km=maximum, job_is_remote=0.0, user_remote=-1, is_same_city=NAN
    )
    assert values[0] >= values[1]


def test_a_maximum_distance_of_zero_does_not_divide_by_zero():
    values = components.location([0.0, 3.0], max_distance_km=0.0, job_is_remote=0.0, user_remote=0, is_same_city=0.0)
    assert_same(values, [1.0, 0.0])


def test_location_match_follows_the_steps():
    value = components.location_match(
        is_same_area=[1.0, 0.0, 0.0, 0.0, NAN, NAN],
        job_is_remote=[0.0, 1.0, 1.0, 0.0, NAN, 1.0],
        user_remote=[0, 1, 0, -1, 1, 2],
        is_same_country=[1.0, 0.0, 1.0, 0.0, NAN, NAN],
    )
    assert_same(value, [1.0, 1.0, 0.5, 0.0, NAN, 1.0])


def test_a_job_under_a_day_old_is_boosted_and_capped():
    ages = [0.0, 0.5, 0.999, 1.0, 10.0, -0.003, NAN]
    assert_same(
        components.recency(ages),
        [1.0, 1.0, 1.0, math.exp(-0.1), math.exp(-1), 1.0, NAN],
    )


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_a_younger_job_is_never_less_recent(one, other):
    young, old = sorted((one, other))
    values = components.recency([young, old])
    assert 1 >= values[0] >= values[1] >= 0


def test_experience_falls_to_zero_at_five_years_outside():
    values = components.experience(
        [0.5, 1, 3, 5.5, 8, 9, 2], min_years=[1, 1, 1, 1, 1, 1, NAN], max_years=[3] * 6 + [NAN]
    )
    assert_same(values, [0.9, 1.0, 1.0, 0.5, 0.0, 0.0, NAN])


@given(or_unknown(years), or_unknown(years), or_unknown(years))
def test_experience_agrees_with_the_scalar_version(user, one, other):
    low, high = (one, other) if not one > other else (other, one)
    actual = components.experience(user, min_years=low, max_years=high)
    assert_same(actual, scalar_experience(user, low, high))


@given(or_unknown(money), or_unknown(money), or_unknown(money))
def test_salary_agrees_with_the_scalar_version(wanted, low, high):
    actual = components.salary(wanted, job_min=low, job_max=high)
    assert is_unit(float(actual))
    if not wanted < 1e-3 or wanted == 0:
        assert_same(actual, scalar_salary(wanted, low, high), tolerance=1e-3)


@given(st.floats(1, 1e5), st.floats(0, 1e5), st.floats(0, 1e5))
def test_a_higher_paying_job_is_never_worse(wanted, one, other):
    less, more = sorted((one, other))
    values = components.salary(wanted, job_min=NAN, job_max=[less, more])
    assert values[0] <= values[1]


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_jaccard_agrees_with_sets(left, right):
    actual = components.jaccard(len(left & right), n_left=len(left), n_right=len(right))
    assert_same(actual, len(left & right) / len(left | right) if left and right else NAN)


def test_avoided_skills_subtract_and_never_go_below_zero():
    values = components.skill_match(
        [2.0, 1.0, 0.0, 0.0], total_weight=[4.0, 4.0, 4.0, 0.0], avoided_weight=[0, 0.5, 1, 0]
    )
    assert_same(values, [0.5, 0.125, 0.0, NAN])


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 20), st.floats(0, 5))
def test_one_more_skill_is_never_worse(matched, added, total, avoided):
    values = components.skill_match([matched, matched + added], total_weight=total, avoided_weight=avoided)
    assert all(is_unit(float(value)) for value in values)
    if total > 1e-3:
        assert values[0] <= values[1]


def test_growth_is_best_one_level_up_with_adjacent_skills():
    values = components.growth(
        [1, 0, 2, -1, NAN, 1, NAN], n_new_adjacent=[2, 1, 0, 0, 1, NAN, NAN], n_new=[2, 2, 0, 4, 4, NAN, NAN]
    )
    assert_same(values, [1.0, 0.5, 0.25, 0.0, 0.25, 1.0, NAN])


@given(or_unknown(st.integers(-5, 5).map(float)), st.integers(0, 20), st.integers(0, 20))
def test_growth_stays_in_range(step, one, other):
    adjacent, new = sorted((one, other))
    assert is_unit(float(components.growth(step, n_new_adjacent=adjacent, n_new=new)))


def test_components_broadcast_users_against_jobs():
    values = components.experience(np.zeros((3, 1)), min_years=np.ones((1, 4)), max_years=np.full((1, 4), NAN))
    assert values.shape == (3, 4)
