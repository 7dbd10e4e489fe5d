"""When a reader would agree that two jobs are similar.

The cosine of vectors alone also brings neighbouring trades together: a data analyst and a systems analyst are as close
as two frontend developers. The bounds are chosen for the shipped encoder on labelled pairs of postings in both
languages (tests/models/explanations/similar_jobs.tsv).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Bools, Csr, Doubles
from models.kernels.sparse_rows import common_entries

# Least cosine of two jobs: of one role with a skill in common, with half of the skills in common, and of any two.
OF_ONE_ROLE, OF_LIKE_SKILLS, OF_ANY = 0.6, 0.8, 0.9
_LIKE_SKILLS = 0.5


def reads_as_similar(cosine: Any, *, role_share: Any, skill_share: Any) -> Bools:
    """Whether each pair of jobs is similar; the shares are those of `common_share`.

    Boards add general roles to special ones, such as software developer to Python developer. Two jobs are of one role
    if all roles of one are roles of the other.
    """
    is_one_role = (np.asarray(role_share) >= 1) & (np.asarray(skill_share) > 0)
    are_skills_alike = np.asarray(skill_share) >= _LIKE_SKILLS
    least = np.where(is_one_role, OF_ONE_ROLE, np.where(are_skills_alike, OF_LIKE_SKILLS, OF_ANY))
    return np.asarray(cosine >= least, dtype=np.bool_)


def common_share(table: Csr, rows: NDArray[Any], others: NDArray[Any]) -> Doubles:
    """What each pair of rows has in common, as a share of the shorter row; 0 if one is empty."""
    n_common = common_entries(table, rows, others)
    length = np.diff(table.indptr)
    least = np.minimum(length[rows], length[others])
    return np.asarray(np.divide(n_common, least, out=np.zeros(len(n_common)), where=least > 0), dtype=np.float64)
