"""The `jobfeed` command: puts its commands together. Each parses its arguments, calls one function and prints."""

from pipelines.cli import config, evaluate, feeds, generations, recipes, service, sources, terminal, workbench

app = terminal.command_group("Offline job recommendations: run, look, serve.", add_completion=False)
for command in (
    workbench.run, workbench.simulate, workbench.readers, workbench.bench, feeds.feed, feeds.why, workbench.tune,
    evaluate.evaluate, sources.quarantine, service.serve,
):  # fmt: skip
    app.command()(command)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(service.token)
for name, group in (
    ("generations", generations.app),
    ("recipes", recipes.app),
    ("config", config.app),
    ("sources", sources.app),
):
    app.add_typer(group, name=name)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
