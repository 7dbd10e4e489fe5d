"""What is said of changed rows, as pairs of rows before and after."""

import msgspec
import pytest

from serving.stream.application_changes import application_changes, follow_up_changes, interview_changes


def encoded(rows: list[dict[str, object]]) -> bytes:
    return msgspec.json.encode(rows)


def talk(**changes: object) -> dict[str, object]:
    own = {"application_id": "a", "interview_id": "i", "status": "scheduled", "starts_at": "x", "is_soon": False}
    return own | changes


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ([], [talk()], ["scheduled"]),
        ([talk()], [talk(feedback="good")], []),
        ([talk()], [talk(starts_at="y")], ["moved"]),
        ([talk()], [talk(status="cancelled", starts_at="y")], ["cancelled"]),
        ([talk()], [talk(status="completed")], ["completed"]),
        ([talk()], [talk(is_soon=True)], ["soon"]),
        ([talk(is_soon=True)], [talk()], []),
        ([talk()], [], []),
    ],
)
def test_an_interview_is_told_once_for_what_matters_most(
    before: list[dict[str, object]], after: list[dict[str, object]], what: list[str]
) -> None:
    assert [one["what"] for one in interview_changes(encoded(before), encoded(after))] == what


def test_an_application_is_told_when_it_is_new_or_its_state_changes() -> None:
    rows = [{"application_id": name, "state": state} for name, state in (("a", "applied"), ("b", None), ("c", "offer"))]
    after = [{**rows[0], "state": "offer"}, rows[1], rows[2], {"application_id": "d", "state": None}]
    found = application_changes(encoded(rows), encoded(after))
    assert [(one["application_id"], one["state_before"], one["state"]) for one in found] == [
        ("a", "applied", "offer"), ("d", None, None),
    ]  # fmt: skip
    assert application_changes(encoded(rows), encoded(rows)) == []


def test_a_follow_up_is_told_when_it_falls_due_and_not_again() -> None:
    def step(ref: str, *, is_due: bool) -> dict[str, object]:
        return {"application_id": "a", "sequence": "s", "ref": ref, "step": 1, "due_at": "x", "is_due": is_due}

    before = [step("e1", is_due=True), step("e2", is_due=False)]
    after = [step("e1", is_due=True), step("e2", is_due=True), step("e3", is_due=True), step("e4", is_due=False)]
    assert len(follow_up_changes(encoded(before), encoded(after))) == 2
    assert follow_up_changes(encoded(after), encoded(before)) == []
