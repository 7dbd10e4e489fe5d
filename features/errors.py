"""The root of the project's own errors, and the kinds that several modules raise.

An error that only one module raises is defined in that module. Catch JobfeedError to report any of them.
"""


class JobfeedError(Exception):
    """An error that the project raises on purpose. The message says what was received and what was expected."""


class SourceError(JobfeedError, ValueError):
    """The bytes of a source can't be used. The message never quotes them."""


class VocabularyError(JobfeedError, ValueError):
    """A vocabulary file contradicts itself or has a value that is not allowed."""
