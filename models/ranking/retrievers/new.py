"""The newest jobs of the user's first role and of the user's country, half of each."""

import numpy as np

from models.arrays import Ints
from models.ranking.candidates import first_allowed
from models.ranking.context import Find, ForUsers, JobContext, UserBlock
from models.ranking.population import Population
from models.ranking.retrievers.precomputed import OVERFETCH, grouped_lists

NEW_DAYS = 7.0


def new(context: JobContext) -> ForUsers:
    """The youngest first, up to NEW_DAYS."""
    jobs, length = context.jobs, context.settings.limits.per_retriever["new"] * OVERFETCH
    freshness = np.where(jobs.age_days <= NEW_DAYS, 1 / (1 + jobs.age_days), -np.inf).astype(np.float32)
    job, role = jobs.roles.nonzero()
    n_roles, n_countries = len(jobs.vocabularies["role"]), len(jobs.vocabularies["country"])
    by_role = grouped_lists(role, job, freshness[job], n_groups=n_roles, length=length)
    country_of, job_there = jobs.places.by(jobs.places.country)
    by_country = grouped_lists(country_of, job_there, freshness[job_there], n_groups=n_countries, length=length)

    def for_users(people: Population) -> Find:
        users = people.users
        role, has_role = np.zeros(users.n, dtype=np.int32), np.diff(users.roles.indptr) > 0
        role[has_role] = users.roles.indices[users.roles.indptr[:-1][has_role]] + 1
        country = (users.country + 1).astype(np.int32)

        def find(block: UserBlock, k: int) -> Ints:
            half = -(-k // 2)
            parts = ((by_role, role), (by_country, country))
            return np.concatenate(
                [first_allowed(lists, which[block.rows], block.forbidden, k=half) for lists, which in parts], axis=1
            )

        return find

    return for_users
