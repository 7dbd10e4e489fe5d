import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.hashing import stable_hash
from models.ranking.exploration import Slots, draw_keys, explore
from models.ranking.settings import CompanyCap

_CAP = CompanyCap(most=2, top=6)


def _explored(
    *,
    n_users: int = 50,
    n_candidates: int = 40,
    n_items: int = 20,
    share: float = 0.2,
    seed: int = 1,
    from_rank: int = 1,
) -> Slots:
    jobs = np.broadcast_to(np.arange(n_candidates, dtype=np.int32), (n_users, n_candidates))
    order = np.broadcast_to(np.arange(n_items, dtype=np.int32), (n_users, n_items))
    users = pl.Series([f"u{k}" for k in range(n_users)])
    return explore(
        order,
        relevance=np.broadcast_to(np.linspace(1, 0, n_candidates, dtype=np.float32), jobs.shape),
        company=np.full_like(jobs, -1),
        job_hash=stable_hash(pl.Series([f"j{k}" for k in range(n_candidates)]), "job")[jobs],
        keys=draw_keys(stable_hash(users, "user"), seed=seed, day=20_000),
        share=np.full(n_users, share, dtype=np.float32),
        from_rank=np.full(n_users, from_rank, dtype=np.int32),
        cap=_CAP,
    )


def test_the_share_of_slots_explores_and_each_slot_knows_its_probability() -> None:
    slots = _explored()
    assert (slots.is_explored.sum(axis=1) == 4).all()
    # The best five candidates for each of the four slots.
    assert np.allclose(slots.propensity[slots.is_explored], 1 / 20)
    assert (slots.propensity[~slots.is_explored] == 1).all()


def test_every_stretch_of_the_list_explores_once() -> None:
    slots = _explored()
    assert (slots.is_explored.reshape(-1, 4, 5).sum(axis=2) == 1).all()
    assert not slots.is_explored[:, 0].any()  # the first rank is for what is known to fit


def test_the_recipe_keeps_its_order_around_explored_jobs() -> None:
    slots = _explored()
    for row in range(len(slots.candidate)):
        assert slots.candidate[row][~slots.is_explored[row]].tolist() == list(range(16))
        assert len(set(slots.candidate[row].tolist())) == 20


def test_the_logged_probability_is_how_often_a_job_is_shown() -> None:
    slots = _explored(n_users=6000)
    counts = np.bincount(slots.candidate[slots.is_explored], minlength=40)
    assert counts[:16].sum() == counts[36:].sum() == 0
    expected = 6000 * 4 / 20
    assert (abs(counts[16:36] - expected) < 5 * np.sqrt(expected)).all()


def test_another_seed_draws_other_jobs_and_the_same_seed_the_same() -> None:
    assert (_explored().candidate == _explored().candidate).all()
    assert (_explored().candidate != _explored(seed=2).candidate).any()


@given(st.integers(1, 22), st.floats(0, 1))
def test_ranks_before_the_first_that_may_explore_keep_the_recipes_order(from_rank: int, share: float) -> None:
    slots = _explored(n_users=20, share=share, from_rank=from_rank)
    head = min(from_rank - 1, 20)
    assert (slots.candidate[:, :head] == np.arange(head)).all() and not slots.is_explored[:, :head].any()
    wanted = min(int(np.floor(np.float32(share) * np.float32(20) + np.float32(0.5))), 20 - head)
    assert (slots.is_explored.sum(axis=1) == wanted).all()


def test_the_share_is_of_the_whole_list_wherever_it_may_explore() -> None:
    slots = _explored(n_users=6000, from_rank=13)
    assert (slots.is_explored.sum(axis=1) == 4).all() and (slots.is_explored[:, 12:].sum(axis=1) == 4).all()
    counts = np.bincount(slots.candidate[slots.is_explored], minlength=40)
    expected = 6000 * 4 / 20
    assert (abs(counts[16:36] - expected) < 5 * np.sqrt(expected)).all()


def test_no_share_explores_nothing() -> None:
    slots = _explored(share=0.0)
    assert not slots.is_explored.any()
    assert (slots.candidate == np.arange(20)).all()


@given(st.integers(0, 100_000), st.floats(0, 1), st.integers(1, 12), st.integers(0, 25), st.integers(1, 12))
def test_a_draw_never_breaks_the_cap_nor_repeats_a_job(
    seed: int, share: float, n_companies: int, n_more: int, from_rank: int
) -> None:
    rng = np.random.default_rng(seed)
    n_listed = int(rng.integers(0, 15))
    width = n_listed + n_more
    company = rng.integers(-1, n_companies, (1, width)).astype(np.int32)
    order = np.full((1, 15), -1, dtype=np.int32)
    kept: list[int] = []  # an order that keeps the cap, as diversification makes it
    for place in rng.permutation(width)[:n_listed].tolist():
        code = company[0, place]
        if len(kept) >= _CAP.top or code < 0 or (company[0, kept] == code).sum() < _CAP.most:
            kept.append(place)
        elif len(kept) < _CAP.top:
            continue
    order[0, : len(kept)] = kept
    slots = explore(
        order,
        relevance=rng.random((1, width)).astype(np.float32),
        company=company,
        job_hash=stable_hash(pl.Series([str(job) for job in range(width)], dtype=pl.String), "job")[None, :],
        keys=draw_keys(stable_hash(pl.Series(["u"]), "user"), seed=seed, day=1),
        share=np.array([share], dtype=np.float32),
        from_rank=np.array([from_rank], dtype=np.int32),
        cap=_CAP,
    )
    listed = slots.candidate[0][slots.candidate[0] >= 0]
    assert len(listed) == len(set(listed.tolist())) == len(kept)
    top = company[0, listed[: _CAP.top]]
    assert np.bincount(top[top >= 0], minlength=1).max() <= _CAP.most
    assert ((slots.propensity > 0) & (slots.propensity <= 1)).all()
