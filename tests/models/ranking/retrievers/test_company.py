import numpy as np

from models.ranking.retrieval import RETRIEVERS, retrieve
from models.ranking.retrievers.company import jobs_of_companies
from tests.models.ranking.world import LIMITS, encode, make_market

FOLLOWED = np.uint16(1 << list(RETRIEVERS).index("followed"))


def test_a_company_lists_its_jobs_of_the_highest_prior_score() -> None:
    jobs = encode(make_market(3, n_companies=6)).jobs
    prior_score = np.linspace(0, 1, jobs.n).astype(np.float32)
    found = jobs_of_companies(jobs, prior_score, most=2)
    features = jobs.vocabularies["preference_feature"].to_list()
    for row, feature in enumerate(features):
        listed = found[row].indices.tolist()
        if not feature.startswith("company\t"):
            assert listed == []
            continue
        company = feature.removeprefix("company\t")
        mine = np.flatnonzero(jobs.company == jobs.vocabularies["company"].to_list().index(company))
        assert listed == sorted(mine[np.argsort(-prior_score[mine])][:2].tolist())
    assert ((found.data >= 0.9) & (found.data <= 1)).all()


def test_jobs_of_liked_companies_are_proposed_and_of_disliked_ones_never() -> None:
    made = encode(make_market(3, n_users=40, n_companies=12))
    batch, jobs, features = made.batch, made.jobs, made.jobs.vocabularies["preference_feature"].to_list()
    found = retrieve(made.whole_block())
    n_proposed = 0
    for user in range(batch.users.n):
        affinity = batch.affinity[user].toarray()[0]
        liked = {
            feature.removeprefix("company\t"): affinity[place]
            for place, feature in enumerate(features)
            if feature.startswith("company\t") and affinity[place] > 0
        }
        by_company = jobs.vocabularies["company"].to_list()
        for place in np.flatnonzero(found.found_by[user] & FOLLOWED):
            n_proposed += 1
            assert by_company[jobs.company[found.jobs[user, place]]] in liked
        proposed = int(np.count_nonzero(found.found_by[user] & FOLLOWED))
        forbidden = set(batch.ended[user].indices)
        possible = [
            job
            for job in range(jobs.n)
            if jobs.company[job] >= 0 and by_company[jobs.company[job]] in liked and job not in forbidden
        ]
        assert proposed <= min(len(possible), LIMITS.per_retriever["followed"])
        if len(possible) and not batch.users.blocked_companies[user].nnz and not batch.users.blocked_tags[user].nnz:
            assert proposed == min(len(possible), LIMITS.per_retriever["followed"])
    assert n_proposed > 20
