"""Which interactions are held out to learn from: the last days, or a random share where times tell too little."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal

import polars as pl

LEAST_OUTCOMES = 1_000
LEAST_USERS = 50
# With fewer, intervals of NDCG@20 are wider than what recipes differ by: a random share then decides with more users.
LEAST_KNOWN_USERS = 200
DAYS = (7, 14, 28, 56, 3, 2, 1)  # a week as users live, then longer, and shorter for a new installation
RANDOM_SHARE = 0.2
_MOST_SHARE = 0.5


@dataclass(frozen=True)
class HoldOut:
    """How to hold out: `days` before the instant for "time", a share of the pairs for "random"."""

    split: Literal["time", "random"]
    days: int = 0


def choose_holdout(firsts: pl.DataFrame, *, as_of: dt.datetime) -> HoldOut | None:
    """The hold-out that leaves enough on both sides, None if there is none.

    `firsts` has the date of the first positive interaction of each pair: user_id, date. Enough are LEAST_OUTCOMES pairs
    after the cut but no more than half of all pairs, and LEAST_KNOWN_USERS with outcomes on both sides of the cut. A
    random share needs LEAST_USERS with several pairs.
    """
    known_from = firsts.group_by("user_id").agg(since=pl.col("date").min())
    dated = firsts.join(known_from, on="user_id")
    for days in DAYS:
        cut = (as_of - dt.timedelta(days=days - 1)).date()
        after = dated.filter(pl.col("date") >= cut)
        n_known_users = after.filter(pl.col("since") < cut)["user_id"].n_unique()
        if LEAST_OUTCOMES <= len(after) <= _MOST_SHARE * len(dated) and n_known_users >= LEAST_KNOWN_USERS:
            return HoldOut("time", days)
    n_users = int((firsts.group_by("user_id").len()["len"] > 1).sum())
    if len(firsts) * RANDOM_SHARE >= LEAST_OUTCOMES and n_users >= LEAST_USERS:
        return HoldOut("random")
    return None
