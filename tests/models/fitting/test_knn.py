import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from models.fitting import knn
from models.fitting.knn import largest_of_rows, most_similar_rows


@given(
    rows=st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5]), min_size=4, max_size=4), min_size=1, max_size=9),
    k=st.integers(1, 10),
    n_threads=st.sampled_from([1, 2]),
)
def test_the_best_of_a_product_are_those_of_sorting_it(rows: list[list[float]], k: int, n_threads: int) -> None:
    left = sparse.csr_matrix(np.array(rows, dtype=np.float32))
    found = most_similar_rows(left, left.T.tocsr(), k, n_threads=n_threads)
    product = np.round(np.minimum((left @ left.T).toarray().astype(np.float64), 1), 6)
    np.fill_diagonal(product, 0)
    for row, scores in enumerate(product):
        best = sorted((column for column in range(len(rows)) if scores[column] > 0), key=lambda c: (-scores[c], c))[:k]
        assert found[row].indices.tolist() == sorted(best)
        np.testing.assert_allclose(found[row].data, scores[sorted(best)], atol=2e-6)


def test_blocks_and_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    dense = generator.random((60, 30)) * (generator.random((60, 30)) < 0.2) * 0.4
    rows = sparse.csr_matrix(dense.astype(np.float32))
    whole = most_similar_rows(rows, rows.T.tocsr(), 5, n_threads=1)
    monkeypatch.setattr(knn, "_BLOCK_ROWS", 7)
    parts = most_similar_rows(rows, rows.T.tocsr(), 5, n_threads=2)
    assert (whole.data.tobytes(), whole.indices.tobytes()) == (parts.data.tobytes(), parts.indices.tobytes())
    assert whole.indptr.tolist() == parts.indptr.tolist()


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (3, 2)])
def test_empty_matrices_have_no_similar_rows(shape: tuple[int, int]) -> None:
    rows = sparse.csr_matrix(shape, dtype=np.float32)
    found = most_similar_rows(rows, rows.T.tocsr(), 4, n_threads=2)
    assert found.shape == (shape[0], shape[0])
    assert found.nnz == 0


@given(
    values=st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=1, max_size=5),
    k=st.integers(0, 7),
)
def test_the_largest_of_rows_are_taken_by_column(values: list[list[int]], k: int) -> None:
    dense = np.array(values, dtype=np.float32)
    best = largest_of_rows(sparse.csr_matrix(dense), k, largest=4.0).toarray()
    for row, chosen in zip(dense, best, strict=True):
        order = sorted(range(6), key=lambda column: (-row[column], column))[:k]
        expected = np.zeros(6, dtype=np.float32)
        expected[order] = row[order]
        np.testing.assert_allclose(chosen, expected, atol=1e-5)
