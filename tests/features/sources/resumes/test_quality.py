"""How well fields are read from 120 labelled resumes in twelve layouts and two languages."""

from collections.abc import Mapping

import pytest

from tests.features.sources.resumes.layouts import HELD_OUT, LAYOUTS
from tests.features.sources.resumes.quality import Counts, measure, total

# (precision, recall) at least
LEAST = {
    "name": (0.97, 0.97), "e-mail": (0.97, 0.97), "phone": (0.97, 0.97), "city": (0.9, 0.9), "titles": (0.9, 0.9),
    "companies": (0.9, 0.9), "years": (0.9, 0.9), "skills": (0.95, 0.85),
}  # fmt: skip


@pytest.fixture(scope="module")
def counts() -> Mapping[str, Mapping[str, Counts]]:
    return measure(LAYOUTS)


@pytest.mark.parametrize("field", LEAST)
@pytest.mark.parametrize("held_out", [False, True])
def test_fields_are_read_well(counts: Mapping[str, Mapping[str, Counts]], field: str, held_out: bool) -> None:
    layouts = [name for name in LAYOUTS if (name in HELD_OUT) == held_out]
    found = total(counts[layout] for layout in layouts)[field]
    precision, recall = LEAST[field]
    assert found.precision >= precision and found.recall >= recall
