"""The sequences and templates of `follow_ups.yaml`."""

from pathlib import Path

import pytest

from assets.config.loading import load_config
from assets.config.yaml_files import ConfigError

SHIPPED = load_config().follow_ups


def test_the_shipped_sequences_are_those_that_people_expect() -> None:
    days = {one.name: (one.counting, [step.days for step in one.steps]) for one in SHIPPED.plan.sequences}
    assert days == {
        "after_application": ("days", [3, 7, 14]),
        "thank_you": ("business_days", [1]),
        "no_response": ("days", [7, 14]),
        "offer_answer": ("days_before", [3, 1]),
    }


def test_every_shipped_template_leaves_the_name_to_the_app_in_both_languages() -> None:
    used = {step.template for one in SHIPPED.plan.sequences for step in one.steps}
    assert used == set(SHIPPED.templates)
    for name, template in SHIPPED.plan.templates.items():
        for language, draft in template.drafts.items():
            assert draft.text.endswith("{name}"), (name, language)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Thank you: {role}", "Thank you: {rule}", ["templates.thanks.en.subject", "{rule}", "company, role, interv"]),
        ("Dear {interviewer},", "Dear {interviewer.__class__},", ["templates.thanks.en.text", "not a variable"]),
        ("Dear {interviewer},", "Dear {interviewer!r},", ["{interviewer!r} is not a variable"]),
        ("Dear {interviewer},", "Dear {interviewer", ["templates.thanks.en.text", "no other braces"]),
        ("Dear {interviewer},", "Dear {{you}},", ["holds a brace"]),
        ("template: thanks", "template: thenks", ["templates", "lacks thenks", "application_first"]),
        ("begins_with: [applied]", "begins_with: [aplied]", ["begins_with", "aplied: not known", "interview_end"]),
        ("begins_with: [applied]", "begins_with: [rejected]", ["rejected: not known"]),
        ("{after: 7, template: silence_first}", "{after: 14, template: silence_first}", ["no_response", "[14, 14]"]),
        ("{after: 7, template: silence_first}", "{template: silence_first}", ["step 1 has no days; expected after"]),
        ("before: 3,", "after: 3,", ["sequences.offer_answer", "expected before"]),
        ("counting: business_days", "counting: exponential", ["thank_you", "first_days and factor"]),
        (
            "cancelled_by: [reply_out, state, offer]",
            "cancelled_by: [anything]",
            ["anything: not known; allowed: reply"],
        ),
        ("due_hour: 10", "due_hour: 24", ["due_hour"]),
    ],
)
def test_what_is_wrong_is_refused_by_name(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    text = (Path(__file__).parents[2] / "data/config/follow_ups.yaml").read_text()
    assert old in text
    (tmp_path / "follow_ups.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path)
    for part in ("follow_ups.yaml", *expected):
        assert part in str(error.value)
