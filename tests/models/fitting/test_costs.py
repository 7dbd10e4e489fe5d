from typing import Any

import numpy as np
import pytest
from scipy import sparse

from models.fitting.als import AlsSettings
from models.fitting.costs import Size, fit_bytes, fit_seconds
from models.fitting.item_knn import ItemKnnSettings
from models.fitting.linear_items import LinearItemSettings
from models.fitting.user_knn import UserKnnSettings
from models.fitting.weights import WeightMatrix
from tests.models.training_world import trade_matrix

MILLION = Size(1_000_000, 200_000, 50_000_000, user_products=2e10, job_products=5e9)
LARGER: list[tuple[str, Any, Any]] = [
    ("als", AlsSettings(factors=16), AlsSettings(factors=128)),
    ("user_knn", UserKnnSettings(n_neighbours=25), UserKnnSettings(n_neighbours=400)),
    ("item_knn", ItemKnnSettings(n_neighbours=25), ItemKnnSettings(n_neighbours=400)),
    ("linear_items", LinearItemSettings(n_neighbours=50), LinearItemSettings(n_neighbours=200)),
]


def test_a_size_counts_the_pairs_that_share_a_job_or_a_user() -> None:
    values = sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=np.float32))
    weights = WeightMatrix(trade_matrix([]).user_ids[:3], trade_matrix([]).job_ids[:3], values)
    assert Size.of(weights) == Size(3, 3, 6, user_products=9 + 4 + 1, job_products=4 + 1 + 9)


@pytest.mark.parametrize(("model", "small", "large"), LARGER)
def test_larger_models_and_data_cost_more(model: str, small: Any, large: Any) -> None:
    half = Size(500_000, 200_000, 25_000_000, user_products=1e10, job_products=2.5e9)
    assert fit_bytes(model, small, half) < fit_bytes(model, small, MILLION) < fit_bytes(model, large, MILLION)
    seconds = [fit_seconds(model, one, size, n_scored_users=9) for one, size in ((small, half), (large, MILLION))]
    assert seconds[0] < seconds[1]


def test_the_largest_neighbourhoods_of_a_million_users_do_not_fit_into_four_gigabytes() -> None:
    assert fit_bytes("user_knn", UserKnnSettings(n_neighbours=400), MILLION) > 4e9
    assert fit_bytes("user_knn", UserKnnSettings(n_neighbours=100), MILLION) < 4e9
