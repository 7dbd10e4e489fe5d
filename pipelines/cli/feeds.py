"""`jobfeed feed` and `jobfeed why`: a user's published feed, and why a job is in it or not."""

from typing import Annotated

import typer

from pipelines.cli.generations import served_or
from pipelines.cli.terminal import AsJson, Language, fail, out, parse_instant, print_json, require_choice, workspace

_LANGUAGES = ("en", "ru")


def feed(
    user_id: str,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 10,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Show a user's published feed with scores and reasons."""
    from pipelines.cli.user_feed import feed_as_json, print_feed, read_feed

    require_choice(language, _LANGUAGES, option="--lang")
    published = workspace().published
    found = read_feed(published / served_or(published), user_id, limit=limit)
    if as_json:
        print_json(out, {"user_id": user_id, **feed_as_json(found, language=language)})
    else:
        print_feed(out, user_id, found, language=language)


def why(
    user_id: str,
    job_id: str,
    as_of: Annotated[str | None, typer.Option("--as-of", help="Default: what the user's feed was made for.")] = None,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Tell how a job's score for a user came about, or which rule keeps the job out."""
    from assets.ranking.score_breakdown import why as answer
    from pipelines.cli.print_why import print_why, why_as_json

    require_choice(language, _LANGUAGES, option="--lang")
    instant = parse_instant(as_of)
    try:
        found = answer(workspace(), user_id=user_id, job_id=job_id, as_of=instant)
    except FileNotFoundError:
        fail("the models are not trained yet; run `jobfeed run daily` first")
    if as_json:
        print_json(out, {"user_id": user_id, **why_as_json(found, language=language)})
    else:
        print_why(out, user_id, found, language=language)
