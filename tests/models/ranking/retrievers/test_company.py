import numpy as np

from models.ranking.retrieval import RETRIEVERS
from models.ranking.retrievers.company import jobs_of_companies
from models.ranking.stages import retrieve_block
from tests.models.ranking.world import LIMITS, build, encode, make_market

FOLLOWED = np.uint16(1 << RETRIEVERS.index("followed"))


def test_a_company_is_its_most_promising_jobs() -> None:
    jobs = encode(make_market(3, n_companies=6)).jobs
    promise = np.linspace(0, 1, jobs.n).astype(np.float32)
    found = jobs_of_companies(jobs, promise, most=2)
    facets = jobs.vocabularies["facet"].to_list()
    for row, facet in enumerate(facets):
        listed = found[row].indices.tolist()
        if not facet.startswith("company\t"):
            assert listed == []
            continue
        company = facet.removeprefix("company\t")
        mine = np.flatnonzero(jobs.company == jobs.vocabularies["company"].to_list().index(company))
        assert listed == sorted(mine[np.argsort(-promise[mine])][:2].tolist())
    assert ((found.data >= 0.9) & (found.data <= 1)).all()


def test_jobs_of_liked_companies_are_proposed_and_of_disliked_ones_never() -> None:
    shard = build(encode(make_market(3, n_users=40, n_companies=12)))
    jobs, facets = shard.world.jobs, shard.world.jobs.vocabularies["facet"].to_list()
    found, _ = retrieve_block(shard, slice(0, shard.users.n))
    n_proposed = 0
    for user in range(shard.users.n):
        likings = shard.signals.affinity[user].toarray()[0]
        liked = {
            facet.removeprefix("company\t"): likings[place]
            for place, facet in enumerate(facets)
            if facet.startswith("company\t") and likings[place] > 0
        }
        by_company = jobs.vocabularies["company"].to_list()
        for place in np.flatnonzero(found.found_by[user] & FOLLOWED):
            n_proposed += 1
            assert by_company[jobs.company[found.jobs[user, place]]] in liked
        proposed = int(np.count_nonzero(found.found_by[user] & FOLLOWED))
        forbidden = set(shard.forbidden[user].indices)
        possible = [
            job
            for job in range(jobs.n)
            if jobs.company[job] >= 0 and by_company[jobs.company[job]] in liked and job not in forbidden
        ]
        assert proposed <= min(len(possible), LIMITS.per_retriever["followed"])
        if len(possible) and not shard.users.blocked_companies[user].nnz and not shard.users.blocked_tags[user].nnz:
            assert proposed == min(len(possible), LIMITS.per_retriever["followed"])
    assert n_proposed > 20
