"""`jobfeed config`: checks the configuration files, asks HeadHunter for its dictionaries."""

import datetime as dt
import os

import typer
from rich.markup import escape

from pipelines.cli.terminal import checked_config, command_group, err, out, workspace

PLACEHOLDER = "example.org"

app = command_group("Configuration files.")


@app.command()
def check() -> None:
    """Load every configuration file and say what is wrong with it, or that all is well."""
    from assets.config.loading import SHIPPED_VOCABULARY
    from assets.ingest.hh.query_vocabulary import HHIds

    config = checked_config()
    enabled = [source.name for source in config.sources.feeds if source.enabled]
    hh = "on" if config.sources.hh.enabled else "off"
    out.print(f"feeds: {len(config.sources.feeds)} ({len(enabled)} enabled), HH: {hh}")
    if enabled and PLACEHOLDER in config.sources.http.user_agent:
        err.print(
            f"[yellow]warning:[/] http.user_agent in sources.yaml names {PLACEHOLDER}; name yourself to the boards"
        )
    ids = HHIds.load(SHIPPED_VOCABULARY, workspace().lake)
    for query in config.sources.hh.queries:
        named = [f"{id_} {ids.area_name(id_)}" for id_ in query.area]
        named += [f"{id_} {ids.role_name(id_)}" for id_ in query.professional_role]
        out.print(escape(f"  HH {query.name}: {'; '.join(named) or 'everywhere'}"))
    out.print(f"recipes: {', '.join(sorted(config.ranking.recipes))}; default {config.ranking.default_recipe}")
    out.print("configuration is valid")


@app.command()
def dictionaries() -> None:
    """Ask HeadHunter for its newest areas, professional roles and exchange rates; needed only for ids that are new."""
    from assets.config.loading import config_file
    from assets.config.sources import Sources
    from assets.config.yaml_files import load_file
    from assets.ingest.hh.client import HH_TOKEN_VARIABLE, hh_client
    from assets.ingest.hh.dictionaries import fetch_dictionaries

    found = workspace()
    sources = load_file(config_file(found.config_folder, "sources.yaml"), Sources)
    token = os.environ.get(HH_TOKEN_VARIABLE) or None
    answer = fetch_dictionaries(hh_client(sources, token=token), found.lake, as_of=dt.datetime.now(dt.UTC))
    for problem in answer.problems:
        err.print(f"[red]{escape(problem)}[/]")
    out.print(
        f"HH has {answer.n_areas:,} areas, {answer.n_roles:,} professional roles, {answer.n_rates:,} exchange rates"
    )
    if answer.problems:
        raise typer.Exit(1)
