"""Which events no person made: by what the request said of itself. Behaviour is judged where events are counted."""

import polars as pl
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

# A published list of crawlers, tools and headless browsers, about 1,500 patterns in one automaton.
_CRAWLERS = "|".join(f"(?:{crawler['pattern']})" for crawler in CRAWLER_USER_AGENTS_DATA)
_SPECULATIVE = "prefetch|prerender|preview"


def is_automatic(events: pl.DataFrame) -> pl.Expr:
    """Whether an event says that it is a bot's or a prefetch's; `events` has the columns of LOOSE_EVENTS.

    Believed are the flags `is_bot` and `is_prefetch`, a crawler's `user_agent`, and `sec_purpose` as browsers send it
    with what they fetch ahead of a click (Sec-Purpose: prefetch;prerender).
    """
    agents = events["user_agent"].drop_nulls().unique()
    crawlers = agents.filter(agents.str.contains(_CRAWLERS))
    said = [
        pl.col("is_bot"),
        pl.col("is_prefetch"),
        pl.col("user_agent").is_in(crawlers.implode()),
        pl.col("sec_purpose").str.to_lowercase().str.contains(_SPECULATIVE),
    ]
    return pl.any_horizontal(one.fill_null(value=False) for one in said)
