"""`jobfeed config`: checks and shows the configuration, asks HeadHunter for its dictionaries."""

import datetime as dt
import json
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from pipelines.cli.terminal import (
    changed_workspace,
    checked_config,
    command_group,
    err,
    out,
    require_choice,
    visible,
    workspace,
)

if TYPE_CHECKING:
    from assets.config.pipeline import Embedding
    from assets.resources import Workspace

PLACEHOLDER = "example.org"

app = command_group("Configuration files.")


@app.command()
def check() -> None:
    """Load every configuration file and the embedding model, and say what is wrong, or that all is well."""
    from assets.config.files import SHIPPED_VOCABULARY
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
    _check_embedding_model(config.pipeline.embedding)
    out.print(f"recipes: {', '.join(sorted(config.ranking.recipes))}; default {config.ranking.default_recipe}")
    out.print("configuration is valid")


def _check_embedding_model(settings: "Embedding") -> None:
    """Loads the model, downloads it if it must, and embeds a few words. Raises EmbedderError."""
    from assets.training.embedding_models import check_model

    checked = check_model(settings)
    prompts = {kind: checked.text_model.prompt(kind) for kind in ("query", "passage")}
    stated = ", ".join(f"{kind} prompt {prompt!r}" for kind, prompt in prompts.items() if prompt)
    out.print(
        escape(f"embedding model: {visible(checked.text_model.identity)}, {checked.dimensions} dimensions")
        + (f", {escape(visible(stated))}" if stated else "")
    )


@app.command()
def show(is_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False) -> None:
    """Print all settings as they count, the defaults of what the files leave out included."""
    import yaml

    found = checked_config().model_dump(mode="json", by_alias=True)
    if is_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, settings in found.items():
        typer.echo(f"# {name}.yaml")
        typer.echo(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))


@app.command()
def schema(file: Annotated[str, typer.Argument(metavar="FILE", help="Such as ranking.yaml.")]) -> None:
    """Print the JSON Schema of a configuration file, by which editors complete and check it."""
    from assets.config.loading import Config

    files = tuple(f"{name}.yaml" for name in Config.model_fields)
    require_choice(file, files, option="FILE")
    model: Any = Config.model_fields[file.removesuffix(".yaml")].annotation
    typer.echo(json.dumps(model.model_json_schema(), indent=2, ensure_ascii=False))


@app.command()
def dictionaries() -> None:
    """Ask HeadHunter for its newest areas, professional roles and exchange rates; needed only for ids that are new."""
    with changed_workspace("config dictionaries") as found:
        problems = _ask_hh(found)
    if problems:
        raise typer.Exit(1)


def _ask_hh(found: "Workspace") -> list[str]:
    """Stores what HH answers, and prints what came of it; returns what went wrong."""
    from assets.config.files import config_file
    from assets.config.sources import Sources
    from assets.config.yaml_files import load_file
    from assets.ingest.errors import SourceDisabledError
    from assets.ingest.hh.client import HH_TOKEN_VARIABLE, hh_client
    from assets.ingest.hh.dictionaries import refresh_dictionaries
    from features.schemas.bronze import HH_AREAS, HH_RATES, HH_ROLES

    sources = load_file(config_file(found.config_folder, "sources.yaml"), Sources)
    token = os.environ.get(HH_TOKEN_VARIABLE) or None
    try:
        problems = refresh_dictionaries(hh_client(sources, token=token), found.lake, as_of=dt.datetime.now(dt.UTC))
    except SourceDisabledError as error:
        problems = [str(error)]
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/]")
    n_areas, n_roles, n_rates = (found.lake.n_rows("bronze", table) for table in (HH_AREAS, HH_ROLES, HH_RATES))
    out.print(f"HH has {n_areas:,} areas, {n_roles:,} professional roles, {n_rates:,} exchange rates")
    return problems
