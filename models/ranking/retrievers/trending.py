"""Jobs that trend in the user's city, else country, else everywhere."""

import numpy as np
import polars as pl

from models.arrays import Ints, codes, names_at
from models.ranking.candidates import first_allowed
from models.ranking.context import Find, ForUsers, JobContext, UserBlock
from models.ranking.population import Population
from models.ranking.retrievers.precomputed import OVERFETCH, grouped_lists
from serving.contract.tables import GLOBAL_AREA


def trending(context: JobContext) -> ForUsers:
    """By rank in the week's list of the area."""
    jobs, week = context.jobs, context.trending.filter(pl.col("period") == "7d")
    areas = week["area"].unique().sort()
    row = jobs.rows_of(week["job_id"])
    value = np.where(row >= 0, -week["rank"].cast(pl.Float32).to_numpy(), -np.inf).astype(np.float32)
    length = context.settings.limits.per_retriever["trending"] * OVERFETCH
    lists = grouped_lists(codes(week["area"], areas), row, value, n_groups=len(areas), length=length)

    def for_users(people: Population) -> Find:
        users = people.users
        country = names_at(jobs.vocabularies["country"], users.country)
        places = pl.DataFrame({"country": country, "city": users.city_names})
        city = places.select(pl.format("{}/{}", "country", "city")).to_series()
        which = np.zeros(users.n, dtype=np.int32)
        for names in (pl.Series([GLOBAL_AREA] * users.n, dtype=pl.String), country, city):
            position = codes(names, areas)
            which = np.where(position >= 0, position + 1, which).astype(np.int32)

        def find(block: UserBlock, k: int) -> Ints:
            return first_allowed(lists, which[block.rows], block.forbidden, k=k)

        return find

    return for_users
