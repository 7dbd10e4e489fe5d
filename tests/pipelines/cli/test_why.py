"""`jobfeed why`: what is printed for people and what `--json` prints are the same."""

import datetime as dt
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from assets.ranking import score_breakdown
from assets.ranking.score_breakdown import Answer, StoredFeed
from models.explanations.exclusion import Exclusion
from models.explanations.names import Names
from models.explanations.score_breakdown import Contribution, ScoreBreakdown
from pipelines.cli.main import app
from pipelines.cli.print_why import print_why, why_as_json

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
SCORED = ScoreBreakdown(
    job_id="hh:1", representative="hh:1", recipe="marketplace", arm="default", neutral=0.5, base=0.0, score=0.625,
    confidence=0.75, found_by=("content",), place=2, n_candidates=9,
    contributions=(
        Contribution("content", 0.75, 0.75, 56.25, False),
        Contribution("location", 0.25, None, 6.25, False),
    ),
    reasons=(("remote", None, None),), components={"content": 0.75, "location": None},
)  # fmt: skip
FEED = StoredFeed(generated_at=AS_OF, recipe="marketplace", arm="default", source="personal", n_items=5, last_score=0.1)
ITEM = {
    "rank": 3, "job_id": "hh:1", "score": 0.625, "seen": False, "explored": False, "propensity": 1.0,
    "components": {"content": 0.75, "location": None}, "reasons": [{"code": "remote", "ref": None, "value": None}],
}  # fmt: skip
LISTED = Answer(
    why=SCORED, as_of=AS_OF, job={"title": "Python developer", "company": "Acme", "city": None}, rules=(), feed=FEED,
    item=ITEM, titles={}, names=Names(), match=None,
)  # fmt: skip
RULED_OUT = replace(LISTED, rules=(Exclusion("applied", "2026-02-28"),), item=None)
CLOSED = replace(LISTED, why=ScoreBreakdown("hh:1", None, "marketplace", "default", 0.5, 0.0), item=None, feed=None)


def printed(answer: Answer) -> str:
    written = io.StringIO()
    print_why(Console(file=written, width=200), "anna", answer, language="en")
    return written.getvalue()


@pytest.mark.parametrize("answer", [LISTED, RULED_OUT, CLOSED])
def test_the_fields_say_what_is_printed(answer: Answer) -> None:
    told, text = why_as_json(answer, language="en"), printed(answer)
    assert [part["component"] in text for part in told["contributions"]] == [True] * len(told["contributions"])
    assert sum(part["points"] for part in told["contributions"]) == pytest.approx(100 * (told["score"] or 0))
    assert (told["score"] is None) is ("No score" in text)
    assert bool(told["rules"]) is ("Kept out by a rule" in text)
    assert (told["item"] is not None) is ("Rank 3" in text)
    assert all(reason in text for reason in told["reasons"])
    assert bool(told["reasons"]) is ("Reasons" in text)


def test_the_command_prints_one_line_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setattr(score_breakdown, "why", lambda *_, **__: LISTED)
    result = CliRunner().invoke(app, ["why", "anna", "hh:1", "--json"])
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert (told["user_id"], told["job_id"], told["as_of"]) == ("anna", "hh:1", AS_OF.isoformat())
