import numpy as np
import polars as pl

from models.fitting.sparse_models import history_of, popularity_scale
from models.fitting.weights import weight_matrix


def test_a_choice_of_a_popular_job_counts_less() -> None:
    frame = pl.DataFrame({"user_id": ["u", "v", "w", "u"], "job_id": ["a", "a", "a", "b"], "weight": [1.0] * 4})
    values = weight_matrix(frame).values
    np.testing.assert_allclose(popularity_scale(values, power=1.0), [2 / 3, 2.0], rtol=1e-6)
    np.testing.assert_array_equal(popularity_scale(values, power=0.0), [1, 1])


def test_only_positive_weights_are_history_by_their_logarithm_or_as_ones() -> None:
    frame = pl.DataFrame({"user_id": ["u", "v", "u"], "job_id": ["a", "a", "b"], "weight": [3.0, -5.0, 1.0]})
    values = weight_matrix(frame).values
    np.testing.assert_allclose(history_of(values, is_binary=False).toarray(), np.log([[4.0, 2.0]]), rtol=1e-6)
    np.testing.assert_array_equal(history_of(values, is_binary=True).toarray(), [[1, 1]])
