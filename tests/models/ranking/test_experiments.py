import numpy as np
import polars as pl

from models.ranking.experiments import Arm, assign_arms

_USERS = pl.Series([f"user-{k}" for k in range(20_000)])
_ARMS = (Arm("control", 0.7, "marketplace"), Arm("treated", 0.2, "match"), Arm("third", 0.1, "hybrid"))


def test_arms_get_their_shares() -> None:
    counts = np.bincount(assign_arms(_USERS, salt="x", arms=_ARMS), minlength=3) / len(_USERS)
    assert np.allclose(counts, [0.7, 0.2, 0.1], atol=0.015)


def test_a_user_stays_in_the_arm_whoever_else_is_ranked() -> None:
    whole = assign_arms(_USERS, salt="x", arms=_ARMS)
    assert (assign_arms(_USERS.slice(100, 50), salt="x", arms=_ARMS) == whole[100:150]).all()


def test_another_salt_draws_independently() -> None:
    first, second = (assign_arms(_USERS, salt=salt, arms=_ARMS) == 0 for salt in ("x", "y"))
    assert abs((first & second).mean() - 0.49) < 0.02
