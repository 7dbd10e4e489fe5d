"""When a reader would agree that two jobs are similar.

The cosine of vectors alone also brings neighbouring trades together: a data analyst and a systems analyst are as close
as two frontend developers. The bounds are chosen for the shipped encoder on labelled pairs of postings in both
languages (tests/models/explanations/similar_jobs.tsv).
"""

from typing import Any

import numpy as np

from models.arrays import Bools

# Two jobs of one role with a skill in common are similar from the lower cosine on, any two jobs from the higher one.
SIMILAR_FROM, ALIKE_FROM = 0.6, 0.8


def reads_as_similar(cosine: Any, *, shares_role_and_skill: Any) -> Bools:
    """Whether each pair of jobs is similar, by the cosine of their vectors and what both postings name."""
    least = np.where(shares_role_and_skill, SIMILAR_FROM, ALIKE_FROM)
    return np.asarray(cosine >= least, dtype=np.bool_)
