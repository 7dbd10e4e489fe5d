"""Everything about the package stands in pyproject.toml, but for the refusal of a wheel."""

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel


class NoWheel(bdist_wheel):
    """A wheel would scatter folders named assets, data, models or sql over site-packages."""

    def run(self) -> None:
        """Refuses; an editable installation does not come here."""
        raise SystemExit("jobfeed runs from its checkout and has no wheel: install it by pip install -e '.[pipeline]'")


setup(cmdclass={"bdist_wheel": NoWheel})
