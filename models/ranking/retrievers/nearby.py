"""Jobs near the user: by map cell, by city without coordinates; and remote jobs for users who accept them."""

import numpy as np
import polars as pl

from features.components import DEFAULT_MAX_DISTANCE_KM, REMOTE_OK, haversine_km
from models.arrays import Doubles, Ints, codes, take_or_missing
from models.kernels.dense_rows import top_k
from models.ranking.candidates import first_allowed
from models.ranking.context import Find, ForUsers, JobContext, UserBlock
from models.ranking.population import Population
from models.ranking.retrievers.precomputed import OVERFETCH, cells_of, grouped_lists

_NEAREST_PLACES = 24
_FARTHEST_KM = 150.0
_CELLS_PER_BLOCK = 512


def nearby(context: JobContext) -> ForUsers:
    """Nearby jobs by closeness and prior score, then up to half as many remote jobs."""
    jobs, score, length = context.jobs, context.prior_score, context.settings.limits.per_retriever["nearby"] * OVERFETCH
    every = np.arange(jobs.n, dtype=np.int32)
    cells = context.user_cells.to_frame().with_row_index("list", offset=1)
    by_cell = _lists_of_cells(context, length=length)
    city, job_there = jobs.places.by(jobs.places.city)
    n_cities = len(jobs.vocabularies["city"])
    by_city = grouped_lists(city, job_there, score[job_there], n_groups=n_cities, length=length)
    is_remote = np.where(jobs.is_remote == 1, 0, -1).astype(np.int32)
    remote = grouped_lists(is_remote, every, score, n_groups=1, length=length)

    def for_users(people: Population) -> Find:
        users = people.users
        places = cells_of(users.latitude, users.longitude).to_frame()
        found = places.join(cells, on="cell", how="left", maintain_order="left")["list"]
        cell = found.cast(pl.Int32).fill_null(0).to_numpy()
        city = np.where(cell > 0, 0, users.city + 1).astype(np.int32)
        wants_remote = (users.remote >= REMOTE_OK).astype(np.int32)

        def find(block: UserBlock, k: int) -> Ints:
            rows, forbidden = block.rows, block.forbidden
            of_cell = first_allowed(by_cell, cell[rows], forbidden, k=k)
            of_city = first_allowed(by_city, city[rows], forbidden, k=k)
            near = np.where((cell[rows] > 0)[:, None], of_cell, of_city)
            return np.concatenate([near, first_allowed(remote, wants_remote[rows], forbidden, k=-(-k // 2))], axis=1)

        return find

    return for_users


def _lists_of_cells(context: JobContext, *, length: int) -> Ints:
    """Per cell of the users, from row 1 on: the jobs of the nearest places, by closeness and prior score."""
    jobs, score, cells = context.jobs, context.prior_score, context.user_cells
    place_names = cells_of(jobs.places.latitude * 10, jobs.places.longitude * 10)
    places = place_names.drop_nulls().unique().sort()
    lists = np.full((len(cells) + 1, length), -1, dtype=np.int32)
    if len(places) == 0 or len(cells) == 0 or length == 0:
        return lists
    place, job_there = jobs.places.by(codes(place_names, places))
    of_place = grouped_lists(place, job_there, score[job_there], n_groups=len(places), length=length)[1:]
    latitude, longitude = (_degrees(places, part, 100) for part in (0, 1))
    for start in range(0, len(cells), _CELLS_PER_BLOCK):
        block = cells[start : start + _CELLS_PER_BLOCK]
        distance = haversine_km(
            _degrees(block, 0, 10)[:, None], _degrees(block, 1, 10)[:, None], latitude[None, :], longitude[None, :]
        )
        closeness = np.where(distance <= _FARTHEST_KM, np.exp(-distance / (DEFAULT_MAX_DISTANCE_KM / 3)), -np.inf)
        nearest = top_k(closeness.astype(np.float32), _NEAREST_PLACES)
        near = np.take_along_axis(closeness, np.maximum(nearest, 0), axis=1)
        jobs_near = np.where((nearest >= 0)[:, :, None], of_place[np.maximum(nearest, 0)], -1)
        merit = np.where(jobs_near >= 0, near[:, :, None] + 0.5 * score[np.maximum(jobs_near, 0)], -np.inf)
        flat_jobs = jobs_near.reshape(len(block), -1)
        best = top_k(merit.reshape(len(block), -1).astype(np.float32), length)
        chosen = take_or_missing(flat_jobs, best)
        lists[start + 1 : start + 1 + len(block), : chosen.shape[1]] = chosen
    return lists


def _degrees(cells: pl.Series, part: int, per_degree: int) -> Doubles:
    return np.asarray(cells.str.split("/").list.get(part).cast(pl.Float64).to_numpy() / per_degree)
