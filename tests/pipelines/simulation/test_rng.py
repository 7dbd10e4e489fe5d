"""Draws from seeds against slow, obvious versions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.simulation.rng import Purpose, generator, pick_skills, shares, skill_bits, weighted
from pipelines.simulation.world import load_world


@given(st.integers(0, 10**6), st.lists(st.floats(0.01, 100), min_size=1, max_size=50))
def test_shares_make_the_total_and_differ_from_proportion_by_less_than_one(total: int, weights: list[float]) -> None:
    parts = shares(total, weights)
    assert parts.sum() == total and (parts >= 0).all()
    assert np.abs(parts - total * np.array(weights) / sum(weights)).max() < 1 + 1e-3


@given(st.lists(st.lists(st.integers(-1, 149), max_size=6, min_size=6), min_size=1, max_size=20))
def test_bits_count_the_common_skills_of_two_rows(rows: list[list[int]]) -> None:
    bits = skill_bits(np.array(rows, dtype=np.int64), n_skills=150)
    common = np.bitwise_count(bits[0] & bits).sum(axis=1)
    assert common.tolist() == [len((set(rows[0]) & set(row)) - {-1}) for row in rows]


def test_picked_skills_are_of_the_family_without_repeats() -> None:
    world = load_world()
    family = np.arange(len(world.families)).repeat(20)
    picked = pick_skills(generator(1, Purpose.JOBS), world, family, n_min=4, n_max=8)
    for row, own in zip(picked.tolist(), family.tolist(), strict=True):
        skills = [skill for skill in row if skill >= 0]
        assert len(set(skills)) == len(skills) >= 4
        assert set(skills) <= set(world.families[own].skills)


def test_an_index_of_weight_zero_is_never_drawn() -> None:
    drawn = weighted(generator(1, Purpose.JOBS), [0, 1, 0, 3, 0], n=2_000)
    assert set(drawn.tolist()) == {1, 3}
    assert 0.2 < (drawn == 1).mean() < 0.3


def test_streams_of_different_purposes_differ() -> None:
    assert generator(1, Purpose.JOBS).random() != generator(1, Purpose.USERS).random()
    assert generator(1, Purpose.JOBS, 2).random() == generator(1, Purpose.JOBS, 2).random()
