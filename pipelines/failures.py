"""What a failed step says of its cause."""

from dagster._core.execution.plan.objects import StepFailureData


def cause_of(failure: StepFailureData) -> str:
    """The description that the asset gave, else the message of the innermost error; no traceback."""
    given = getattr(failure.user_failure_data, "description", None)
    if given:
        return str(given)
    error = failure.error
    return str((error.cause or error).message) if error else "no error was recorded"
