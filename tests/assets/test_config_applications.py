"""The table of transitions of `applications.yaml`."""

from pathlib import Path

import pytest

from assets.config.loading import load_config
from assets.config.yaml_files import ConfigError
from features.applications.states import FINAL_STATES, NEW, STATES

SHIPPED = load_config().applications
TRANSITIONS = {state: set(following) for state, following in SHIPPED.transitions.items()}


def test_every_state_can_be_reached_and_every_open_one_can_end() -> None:
    assert set(TRANSITIONS) == {NEW, *STATES}
    assert len(STATES) == 14
    for state in set(STATES) - set(FINAL_STATES):
        assert TRANSITIONS[state] & set(FINAL_STATES), state
        assert state not in TRANSITIONS[state]


def test_the_statuses_of_other_systems_are_mapped() -> None:
    for word, state in (("saved", "saved"), ("applied", "applied"), ("interview", "interview"), ("hired", "accepted"),
                        ("rejected", "rejected")):  # fmt: skip
        assert SHIPPED.words[word] == state


def test_the_matrix_is_the_table() -> None:
    matrix = SHIPPED.table.matrix
    for row, state in enumerate((*STATES, NEW)):
        assert {STATES[column] for column in matrix[row].nonzero()[0]} == TRANSITIONS[state]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  declined:        []\n", "", ["transitions", "lacks declined", "empty list"]),
        ("[rejected, withdrawn]\n  declined", "[rejekted]\n  declined", ["transitions.accepted.0", "'rejekted'"]),
        ("hired: accepted", "hired: happy", ["aliases.hired", "'happy'"]),
        ("hired: accepted", "saved: accepted", ["aliases", "saved are states themselves"]),
        ("applied: 14", "applied: 0", ["silent_after_days.applied", "greater than or equal to 1"]),
        ("offer_declined: declined", "offer_lost: declined", ["implied.offer_lost", "'offer_received'"]),
    ],
)
def test_a_wrong_table_is_refused_by_name(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    text = (Path(__file__).parents[2] / "data/config/applications.yaml").read_text()
    assert old in text
    (tmp_path / "applications.yaml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path)
    for part in ("applications.yaml", *expected):
        assert part in str(error.value)
