"""Errors that several modules raise, and their root. Catch JobfeedError to report any of them.

An error that only one module raises is defined in that module.
"""

from serving.contract.errors import JobfeedError

__all__ = ["JobfeedError", "SourceError", "VocabularyError"]


class SourceError(JobfeedError, ValueError):
    """The bytes of a source can't be used. The message never quotes them."""


class VocabularyError(JobfeedError, ValueError):
    """A vocabulary file contradicts itself or has a value that is not allowed."""
