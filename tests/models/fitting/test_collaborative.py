from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.evaluation.recommenders import SparseRecommender, recommend, recommender_of
from models.fitting.als import AlsSettings
from models.fitting.collaborative import MODELS, Collaborative, Member, combine, fold_in_history
from models.fitting.item_knn import ItemKnnSettings
from models.fitting.linear_items import LinearItemSettings
from models.fitting.sparse_models import SparseModel
from models.fitting.user_knn import UserKnnSettings
from models.fitting.weights import weight_matrix
from tests.models.training_world import USERS, trades

MEMBERS = [
    Member("als", 0.1, AlsSettings(factors=2)),
    Member("item_knn", 0.2, ItemKnnSettings(n_neighbours=3, shrinkage=0.5)),
    Member("user_knn", 0.3, UserKnnSettings(n_neighbours=3, popularity_power=0.5)),
    Member("linear_items", 0.3, LinearItemSettings(n_neighbours=3, regularization=1.0)),
    Member("popularity", 0.1, MODELS["popularity"].settings()),
]
SPARSE = MEMBERS[1:]


def fitted(frame: pl.DataFrame) -> list[SparseModel]:
    models = [MODELS[member.model].fit(weight_matrix(frame), member.settings, 1, 1) for member in SPARSE]
    return [model for model in models if isinstance(model, SparseModel)]


def parts(model: Collaborative) -> list[SparseRecommender]:
    return [
        SparseRecommender(SparseModel(model.user_ids, model.job_ids, model.left[:, terms], model.right[terms]))
        for _, terms in model.sparse_members()
    ]


def test_members_survive_being_put_side_by_side_and_kept(tmp_path: Path) -> None:
    models = fitted(trades([("u0", "j2")]))
    # Models of different windows know different users and jobs.
    models[0] = fitted(trades([("u0", "j2")]).filter(pl.col("user_id") != "u7"))[0]
    combine(MEMBERS, models, as_of="2026-03-01").save(tmp_path / "c.npz")
    made = Collaborative.load(tmp_path / "c.npz")
    assert list(made.chosen()) == MEMBERS
    for one, part in zip(models, parts(made), strict=True):
        expected = recommend(recommender_of(one), pl.Series(USERS), k=6)
        assert recommend(part, pl.Series(USERS), k=6).equals(expected)


def test_a_choice_of_als_alone_holds_no_other_model(tmp_path: Path) -> None:
    combine(MEMBERS[:1], [], as_of="x").save(tmp_path / "c.npz")
    made = Collaborative.load(tmp_path / "c.npz")
    assert made.sparse_members() == []
    assert fold_in_history(made, []).user_ids.is_empty()


def test_a_user_folded_in_gets_the_scores_of_one_who_was_there() -> None:
    everyone = trades([("u0", "j2"), ("u4", "j5")])
    late = everyone.filter(pl.col("user_id") == "u0")
    without = combine(MEMBERS, fitted(everyone.filter(pl.col("user_id") != "u0")), as_of="x")
    folded = fold_in_history(without, [late] * 4)
    assert folded.user_ids.to_list() == ["u0"]
    names = [member.model for member in SPARSE]
    for name, part in zip(names, parts(replace(without, user_ids=folded.user_ids, left=folded.left)), strict=True):
        if name != "popularity":
            assert recommend(part, pl.Series(["u0"]), k=1, excluded=late)["job_id"].to_list() == ["j2"]
    whole = combine(MEMBERS, fitted(everyone), as_of="x")
    same = fold_in_history(whole, [late] * 4)
    changed = parts(replace(whole, user_ids=same.user_ids, left=same.left))
    for part, one in zip(changed, fitted(everyone), strict=True):
        found, expected = (model.score(pl.Series(["u0"])).toarray() for model in (part, SparseRecommender(one)))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_is_no_member_is_refused() -> None:
    kept = MEMBERS[1].as_json()
    assert Member.from_json(kept) == MEMBERS[1]
    for wrong, error in (
        ({**kept, "model": "oracle"}, KeyError),
        ({**kept, "settings": {"depth": 3}}, TypeError),
        ({**kept, "weight": 0}, ValueError),
    ):
        with pytest.raises(error):
            Member.from_json(wrong)
    assert replace(MEMBERS[1], weight=1.0) != MEMBERS[1]
