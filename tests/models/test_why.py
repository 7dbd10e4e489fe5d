import pytest

from models.why import explain_pair
from tests.models.ranking_world import build, encode, items, make_market, rank


def test_the_score_of_a_listed_job_is_explained_in_points() -> None:
    market = make_market(1)
    shard = build(encode(market))
    for item in items(rank(market)).head(15).iter_rows(named=True):
        user = shard.users.ids.to_list().index(item["user_id"])
        why = explain_pair(shard, user=user, job_id=item["job_id"])
        assert why.score == pytest.approx(item["score"], abs=1e-6)
        assert sum(part.points for part in why.contributions) == pytest.approx(100 * item["score"], abs=1e-4)
        assert why.is_candidate and not why.is_ruled_out
        if not item["explored"]:
            given = [(reason["code"], reason["ref"], reason["value"]) for reason in item["reasons"]]
            assert list(why.reasons) == given


def test_a_job_that_was_applied_to_is_ruled_out_yet_scored() -> None:
    market = make_market(1)
    made = encode(market)
    user, job = (int(values[0]) for values in made.forbidden.nonzero())
    why = explain_pair(build(made), user=user, job_id=made.jobs.ids[job])
    assert why.is_ruled_out and not why.is_candidate and why.score is not None


def test_a_job_that_nothing_stands_for_has_no_score() -> None:
    why = explain_pair(build(encode(make_market(1))), user=0, job_id="file:unknown")
    assert why.score is None and why.stands_for is None
