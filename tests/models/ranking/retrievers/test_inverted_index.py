import numpy as np
import pytest
from scipy import sparse

from models.ranking.retrievers.inverted_index import build_term_index, jobs_by_terms, wanted_terms
from tests.models.ranking.world import Encoded, encode, make_market


@pytest.fixture(scope="module")
def made() -> Encoded:
    return encode(make_market(8, n_jobs=150, n_users=20))


def _sums(made: Encoded) -> np.ndarray:
    """Users x jobs, term by term as dense arrays."""
    jobs, users = made.jobs, made.users
    rarity = jobs.skills.toarray() / np.sqrt(np.maximum(jobs.skill_rarity_total, 1e-6))[:, None]
    tags = 0.5 * jobs.tags.toarray() / np.sqrt(np.maximum(jobs.n_tags, 1))[:, None]
    wanted = (users.skills - users.avoided_skills).toarray()
    return np.asarray(
        wanted @ rarity.T
        + users.tags.toarray() @ tags.T
        + 0.7 * users.roles.toarray() @ jobs.roles.toarray().T
        + 0.3 * made.batch.affinity.toarray() @ jobs.preference_features.toarray().T
    )


@pytest.mark.parametrize("postings", [10**6, 400])
def test_jobs_come_in_the_order_of_their_terms(made: Encoded, postings: int) -> None:
    index = build_term_index(made.jobs, made.context.prior_score)
    wanted = wanted_terms(index, made.users, made.batch.affinity)
    found = jobs_by_terms(index, wanted, made.batch.ended, 15, postings_per_user=postings)
    sums = _sums(made)
    sums[made.batch.ended.toarray() > 0] = -1
    n_missed = 0
    for row, values in enumerate(sums):
        listed = [job for job in found[row].tolist() if job >= 0]
        assert (values[listed] > 0).all()
        assert (np.diff(values[listed]) <= 1e-5).all()
        best = np.sort(values[values > 0])[::-1][: len(listed)]
        n_missed += int((values[listed] < best - 1e-5).sum())
        assert postings == 400 or len(listed) == min(15, int((values > 1e-6).sum()))
    # Without a budget of postings nothing is missed; with one, little is.
    assert n_missed == 0 if postings == 10**6 else n_missed < 0.35 * found.size


def test_a_budget_reads_rare_terms_before_common_ones(made: Encoded) -> None:
    index = build_term_index(made.jobs, made.context.prior_score)
    assert (np.diff(np.diff(index.postings.indptr)) >= 0).all()
    for term in range(index.postings.shape[0]):
        jobs = index.job_at[index.postings[term].indices]
        assert (np.diff(made.context.prior_score[jobs]) <= 0).all()
        assert set(jobs) == set(index.of_jobs[:, [term]].nonzero()[0])


def test_a_user_without_terms_finds_nothing(made: Encoded) -> None:
    index = build_term_index(made.jobs, made.context.prior_score)
    nothing = sparse.csr_matrix((3, index.of_jobs.shape[1]), dtype=np.float32)
    assert (jobs_by_terms(index, nothing, made.batch.ended[:3], 5) == -1).all()
