"""What all commands share: consoles, options, configuration, and how an error ends a command.

Exit code 1 is a failure, 2 wrong use. Everything heavy is imported inside functions: `jobfeed --help` starts fast.
"""

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from typer.core import TyperGroup

from features.errors import JobfeedError

if TYPE_CHECKING:
    from assets.config.loading import Config
    from assets.resources import Workspace

out = Console()
err = Console(stderr=True)

AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Compute for this instant (RFC 3339 or a date); default now.")
]
Language = Annotated[str, typer.Option("--lang", help="en or ru")]


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except JobfeedError as error:
            fail(str(error))


def command_group(help_text: str, **options: Any) -> typer.Typer:
    """A group of commands in which an error of the project ends the command with its message and exit code 1."""
    return typer.Typer(cls=_Commands, no_args_is_help=True, help=help_text, **options)


def fail(message: str) -> NoReturn:
    """Prints `message` as an error and exits with code 1."""
    err.print(f"[red]error:[/] {escape(message)}")
    raise typer.Exit(1)


def workspace() -> "Workspace":
    """The workspace that the environment names."""
    from pipelines.environment import workspace_from_environment

    return workspace_from_environment()


def checked_config() -> "Config":
    """The configuration, loaded and validated. Raises ConfigError."""
    from assets.config.loading import load_config

    found = workspace()
    return load_config(found.config_folder, lake=found.lake)


def parse_instant(text: str | None) -> dt.datetime | None:
    """The instant that an option states, None if it was not given. Raises BadParameter (exit code 2)."""
    from assets.instants import parse_as_of

    try:
        return parse_as_of(text) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def require_choice(value: str, choices: tuple[str, ...], *, option: str) -> None:
    """Raises BadParameter (exit code 2) unless `value` is one of `choices`."""
    if value not in choices:
        allowed = f"{', '.join(choices[:-1])} and {choices[-1]}" if len(choices) == 2 else ", ".join(choices)
        raise typer.BadParameter(f"{value!r}; allowed are {allowed}", param_hint=option)


def progress_bar() -> Progress:
    """A progress bar on standard error that disappears when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


def visible(text: str) -> str:
    """`text` on one line; terminal control characters and marks of writing direction are shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
