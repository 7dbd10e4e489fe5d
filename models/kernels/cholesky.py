"""Small dense systems of equations with a symmetric matrix, solved in place by Cholesky decomposition.

One matrix of some hundred rows stays in the cache of a core. LAPACK takes three times as long for it.
"""

from typing import Any

import numpy as np

from models.kernels.compiling import compiled

_ROWS_AT_ONCE = 4  # their dot products share what is loaded


@compiled
def solve_positive(matrix: Any, n: int, right: Any) -> bool:
    """Replaces `right` (n or more) by the solution of `matrix @ x = right`, for the first `n` rows and columns.

    Both are float32. Only the lower triangle of `matrix` is read, and overwritten. False if `matrix` is not positive
    definite: then `right` stays as it is.
    """
    for first in range(0, n, _ROWS_AT_ONCE):
        stop = min(first + _ROWS_AT_ONCE, n)
        known = 0
        if stop - first == _ROWS_AT_ONCE:
            _solve_four_rows(matrix, first)
            known = first
        for row in range(first, stop):
            for column in range(known, row):
                total = np.float32(0)
                for before in range(column):
                    total += matrix[row, before] * matrix[column, before]
                matrix[row, column] = (matrix[row, column] - total) * matrix[column, column]
            square = np.float32(0)
            for before in range(row):
                square += matrix[row, before] * matrix[row, before]
            left = matrix[row, row] - square
            if not left > 0:
                return False
            matrix[row, row] = np.float32(1) / np.sqrt(left)  # the inverse: divisions are slow
    _substitute(matrix, n, right)
    return True


@compiled
def _solve_four_rows(matrix: Any, first: int) -> None:
    """The factor's rows from `first` on, in the columns before `first`."""
    for column in range(first):
        a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for before in range(column):
            value = matrix[column, before]
            a += matrix[first, before] * value
            b += matrix[first + 1, before] * value
            c += matrix[first + 2, before] * value
            d += matrix[first + 3, before] * value
        inverse = matrix[column, column]
        matrix[first, column] = (matrix[first, column] - a) * inverse
        matrix[first + 1, column] = (matrix[first + 1, column] - b) * inverse
        matrix[first + 2, column] = (matrix[first + 2, column] - c) * inverse
        matrix[first + 3, column] = (matrix[first + 3, column] - d) * inverse


@compiled
def _substitute(factor: Any, n: int, right: Any) -> None:
    """Forward and back substitution by rows of the lower triangular `factor` with inverse diagonal elements."""
    for row in range(n):
        total = np.float32(0)
        for before in range(row):
            total += factor[row, before] * right[before]
        right[row] = (right[row] - total) * factor[row, row]
    for row in range(n - 1, -1, -1):
        value = right[row] * factor[row, row]
        right[row] = value
        for before in range(row):
            right[before] -= factor[row, before] * value
