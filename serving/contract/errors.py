"""The root of the project's own errors. It lives here because the service imports nothing else of the project."""


class JobfeedError(Exception):
    """An error that the project raises on purpose. The message says what was received and what was expected."""
