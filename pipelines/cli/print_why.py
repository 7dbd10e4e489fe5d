"""Prints what `jobfeed why` shows: the rank of a job for a user, the rules that exclude it, its score."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.explanations.templates import render_reason
from pipelines.cli.terminal import print_table, visible

if TYPE_CHECKING:
    from assets.ranking.score_breakdown import Answer
    from models.explanations.score_breakdown import ScoreBreakdown

_SAME = 1e-6
_RULES = {
    "not_open": "the job is not open",
    "applied": "the user applied to it",
    "dismissed": "the user turned it down",
    "blocked_company": "the user blocks the company",
    "blocked_tag": "the user blocks a tag of it",
}


def print_why(console: Console, user_id: str, answer: "Answer", *, language: str) -> None:
    """Prints the answer for the user, reasons in `language` (en or ru)."""
    found = answer.why
    facts = [visible(fact) for fact in (answer.job["title"], answer.job["company"], answer.job["city"]) if fact]
    console.print(f"[bold]{escape(visible(found.job_id))}[/]  {escape(' · '.join(facts))}")
    console.print(f"for user [bold]{escape(user_id)}[/]\n")
    for line in [*_standing(answer), *_rules(answer)]:
        console.print(line)
    if found.score is None:
        console.print("No score: neither it nor the job that represents it is open.")
        return
    print_table(console, _score_table(found))
    console.print(
        f"Recipe {escape(found.recipe)}, arm {escape(found.arm)}; an unknown component counts {found.neutral:.2f}.\n"
        f"Confidence {found.confidence or 0:.2f}: the weight of what is known."
    )
    for line in _differences(answer):
        console.print(line)
    _print_match(console, answer, language)
    reasons = _reasons(answer, language)
    if reasons:
        console.print("\nReasons given:" if answer.item else "\nReasons that would be given:")
    for reason in reasons:
        console.print(f"  {escape(visible(reason))}")


def why_as_json(answer: "Answer", *, language: str) -> dict[str, Any]:
    """What `print_why` prints, as fields; texts of reasons and of factors in `language`.

    `item` is the stored item of the feed, None if the job is not in it; `reasons` are its reasons, else those that
    would be given. Without a score its parts are None or empty.
    """
    found, item, match = answer.why, answer.item, answer.match
    score = ("representative", "recipe", "arm", "neutral", "base", "score", "confidence", "found_by", "place")
    stored = ("rank", "score", "seen", "explored", "propensity", "components")
    kinds = ("match_factors", "mismatch_factors") if match is not None else ()
    return {
        "job_id": found.job_id,
        **answer.job,
        "as_of": answer.as_of,
        **{name: getattr(found, name) for name in score},
        "n_candidates": found.n_candidates,
        "contributions": [asdict(part) for part in found.contributions],
        "rules": [asdict(broken) for broken in answer.rules],
        "feed": asdict(answer.feed) if answer.feed is not None else None,
        "item": {name: item[name] for name in stored} if item is not None else None,
        "reasons": _reasons(answer, language),
        "compatibility": match["compatibility"] if match is not None else None,
        **{kind: [factor[f"text_{language}"] for factor in (match or {})[kind]] for kind in kinds},
    }


def _reasons(answer: "Answer", language: str) -> Sequence[str]:
    """The reasons that were given, or would be; none for a job that a rule keeps out."""
    if answer.rules:
        return []
    stored = answer.item["reasons"] if answer.item else ()
    reasons = tuple((r["code"], r["ref"], r["value"]) for r in stored) if answer.item else answer.why.reasons

    def named(code: str, ref: str | None) -> str | None:
        return answer.titles.get(ref or "") or answer.names.reference(code, ref, language)

    return [render_reason(code, named(code, ref), value, language) for code, ref, value in reasons]


def _print_match(console: Console, answer: "Answer", language: str) -> None:
    """What speaks for and against the job."""
    if answer.match is None:
        return
    console.print(f"\nCompatibility {answer.match['compatibility']} of 100:")
    for sign, kind in (("+", "match_factors"), ("−", "mismatch_factors")):
        for factor in answer.match[kind]:
            console.print(f"  {sign} {escape(visible(factor[f'text_{language}']))}")


def _standing(answer: "Answer") -> list[str]:
    """The rank of the job in the stored feed, or why it is not there."""
    found, feed, item = answer.why, answer.feed, answer.item
    lines = []
    if feed is None:
        lines.append("The user has no feed yet.")
    elif item is not None:
        lines.append(
            f"[bold]Rank {item['rank']}[/] of {feed.n_items} in the feed of {feed.generated_at:%Y-%m-%d %H:%M} UTC "
            f"({feed.source}; recipe {escape(feed.recipe)}, arm {escape(feed.arm)})."
        )
        if item["explored"]:
            lines.append(f"Drawn for exploration, with probability {item['propensity']:.3f}.")
        if item["seen"]:
            lines.append("The user has seen it.")
    else:
        lines.append(f"Not in the feed of {feed.generated_at:%Y-%m-%d %H:%M} UTC ({feed.n_items} items).")
    if found.representative not in (None, found.job_id):
        lines.append(f"It is shown as {escape(str(found.representative))}, which is the same job.")
    if found.score is not None and not answer.rules:
        lines.append(_candidacy(answer))
    return lines


def _candidacy(answer: "Answer") -> str:
    found, feed = answer.why, answer.feed
    if not found.found_by:
        return "No retriever proposed it, so that it was not ranked; its score would be:"
    text = f"Proposed by {', '.join(found.found_by)}; place {found.place} of {found.n_candidates} candidates by score."
    if answer.item is None and feed is not None and found.place is not None:
        if found.place > feed.n_items:
            last = f", whose last scored {100 * feed.last_score:.1f}" if feed.last_score is not None else ""
            text += f" The feed has {feed.n_items} items{last}."
        else:
            text += " Its place went to others for the sake of diversity, the company cap or exploration."
    return text


def _rules(answer: "Answer") -> list[str]:
    lines = []
    for broken in answer.rules:
        text = _RULES.get(broken.rule, broken.rule.replace("_", " "))
        evidence = f" ({escape(visible(broken.evidence))})" if broken.evidence else ""
        lines.append(f"[red]Kept out by a rule:[/] {text}{evidence}.")
    if answer.rules and answer.why.score is not None:
        lines.append("Without that its score would be:")
    return lines


def _score_table(found: "ScoreBreakdown") -> Table:
    table = Table("component", "value", "weight", "points", "")
    for column in table.columns[1:4]:
        column.justify = "right"
    for part in found.contributions:
        value = "–" if part.value is None else f"{part.value:.4f}"
        note = "unknown, counts neutral" if part.value is None else "capped" if part.is_capped else ""
        table.add_row(part.component, value, f"{part.weight:.3f}", f"{part.points:.2f}", note)
    if found.base:
        table.add_row("base", "", "", f"{100 * found.base:.2f}", "so that a score means what it does by other recipes")
    table.add_section()
    table.add_row("[bold]score[/]", "", "", f"[bold]{100 * (found.score or 0):.2f}[/]", "of 100")
    return table


def _differences(answer: "Answer") -> list[str]:
    """Where the stored item differs from this computation: features have changed since the feed was made."""
    item, found = answer.item, answer.why
    if item is None or found.score is None:
        return []
    if abs(item["score"] - found.score) <= _SAME:
        return ["The stored feed has the same score."]
    lines = [f"[yellow]The stored feed has {100 * item['score']:.2f}:[/] what is known has changed since it was made."]
    stored = item["components"] or {}
    for part in found.contributions:
        before = stored.get(part.component)
        if before != part.value and (before is None or part.value is None or abs(before - part.value) > _SAME):
            was, now = ("unknown" if value is None else f"{value:.4f}" for value in (before, part.value))
            if stored:
                lines.append(f"  {part.component}: {was} then, {now} now")
    return lines
