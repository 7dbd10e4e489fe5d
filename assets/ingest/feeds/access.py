"""How a feed may be asked: with the credentials of its format, and, if it is a website, by its robots.txt."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import urlsplit

from assets.config.sources import FeedSource
from assets.ingest import errors
from assets.ingest.http.client import HttpClient, Response, Validators
from assets.ingest.http.robots import RobotsFiles
from features.sources.feeds.feed_format import FeedFormat
from features.sources.feeds.formats import FORMATS


@dataclass(frozen=True)
class FeedAccess:
    """GETs for one feed. Answers name no credentials, neither in their URL nor in where they moved to."""

    feed: FeedSource
    client: HttpClient
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    robots: RobotsFiles | None = None

    @cached_property
    def format(self) -> FeedFormat:
        return FORMATS[self.feed.format]

    @property
    def missing_variables(self) -> list[str]:
        """The environment variables that the feed needs and that are not set."""
        needed = [one for one in self.format.credentials if one.is_required]
        return [one.variable for one in needed if not self.environment.get(one.variable)]

    def get(self, url: str, *, validators: Validators | None = None) -> Response:
        """The answer to a GET of `url`. Raises FetchError, also if robots.txt or the format forbids the address."""
        if self.format.is_crawled and not self._may_crawl(url):
            raise errors.RobotsRefusedError(url, "is disallowed by robots.txt, or lies on another host")
        host = urlsplit(url).hostname
        secrets = [
            (one, one.template.format(self.environment[one.variable]))
            for one in self.format.credentials
            if one.host == host and self.environment.get(one.variable)
        ]
        parameters = [(one.name, value) for one, value in secrets if not one.is_header]
        response = self.client.get(
            url,
            params=parameters,
            headers={**self.format.headers, **{one.name: value for one, value in secrets if one.is_header}},
            validators=validators,
            may_follow=self._may_crawl if self.format.is_crawled else lambda target: True,
        )
        return replace(response, url=url, moved_to=None) if parameters else response

    def _may_crawl(self, url: str) -> bool:
        """Whether a website allows the address; another host is never asked."""
        is_own = urlsplit(url).hostname == self.feed.url.host
        return is_own and (self.robots is None or self.robots.allow(url))
