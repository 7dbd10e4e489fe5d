"""Where browsers reach the stream. It is read before the workers start: nothing here imports prometheus_client, which
reads at its import where workers share their counters.
"""

import re
from urllib.parse import urlsplit

from serving.contract.errors import JobfeedError

STREAM_VARIABLE = "JOBFEED_SERVE_STREAM_URL"
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class StreamUrlError(JobfeedError, ValueError):
    """The address of the stream is no http or https address."""


def stream_origin(url: str) -> str:
    """Scheme, host and port of the stream's address; empty if there is none. Raises StreamUrlError."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not _ORIGIN.fullmatch(origin):
        raise StreamUrlError(f"--stream-url: received {url!r}; expected an address such as https://stream.example.org")
    return origin
