"""robots.txt of websites (RFC 9309): what may be requested, and how fast. Read once per run and host."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from protego import Protego

from assets.ingest import errors
from assets.ingest.http.client import HttpClient

_MAX_BYTES = 500_000  # the standard asks to read at least so much
_LONGEST_DELAY_SECONDS = 60.0


@dataclass
class RobotsFiles:
    """The rules of each site that was asked. One thread asks a host, so nothing is locked.

    A site without the file (4xx) allows everything; one that does not answer allows nothing in this run. A
    `Crawl-delay` slows the pace of its host, up to a minute.
    """

    client: HttpClient
    _rules: dict[str, Protego | None] = field(default_factory=dict)

    @property
    def _product(self) -> str:
        """Our name in robots.txt: the address after it in the user agent is no name."""
        agent = self.client.limits.user_agent
        name = re.match(r"[A-Za-z_-]+", agent)
        return name[0] if name else agent

    def allow(self, url: str) -> bool:
        """Whether the site's rules allow our user agent to request `url`."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        if site not in self._rules:
            self._rules[site] = self._read(site)
        rules = self._rules[site]
        return rules is not None and bool(rules.can_fetch(url, self._product))

    def _read(self, site: str) -> Protego | None:
        try:
            body = self.client.get(f"{site}/robots.txt").body
        except (errors.BadRequestError, errors.NotFoundError, errors.GoneError, errors.AccessDeniedError):
            body = b""
        except errors.FetchError:
            return None
        rules = Protego.parse(body[:_MAX_BYTES].decode("utf-8", "replace"))
        delay = rules.crawl_delay(self._product)
        if delay:
            self.client.pacer.slow_down(urlsplit(site).hostname or "", min(float(delay), _LONGEST_DELAY_SECONDS))
        return rules
