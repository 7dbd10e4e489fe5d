"""The settings of `llm.yaml`: the language model, which is off unless they switch it on."""

from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, model_validator

from assets.config.yaml_files import Share, Strict

Use = Literal["resumes", "matches", "replies"]
_Price = Annotated[float, Field(ge=0, le=10_000)]
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Batch(Strict):
    """The provider's batch API: cheaper, and answered within hours. A later run collects the answers.

    `price_share`: of the usual prices. An answer that did not come within `give_up_hours` is asked for again.
    """

    enabled: bool = False
    price_share: Share = 0.5
    max_requests: int = Field(5_000, ge=1, le=50_000)
    give_up_hours: int = Field(48, ge=1, le=720)


class Llm(Strict):
    """`llm.yaml`. The key comes from JOBFEED_LLM_API_KEY in the environment.

    Prices are in US dollars for a million tokens; 0 for a model of your own. `daily_tokens` and `daily_usd` bound what
    is spent in a UTC day, over all runs and processes: a request is sent only if the most that it may cost fits.
    `timeout_seconds` is for one request with its retries, `run_seconds` for all requests of one asset. After
    `give_up_after` failures in a row no further request is sent in a run. `temperature` null: the model's own.
    """

    enabled: bool = False
    uses: list[Use] = Field(["resumes", "matches", "replies"])
    base_url: HttpUrl = HttpUrl("https://api.openai.com/v1")
    allow_plain_http: bool = False
    model: str = Field("", max_length=200)
    usd_per_million_input_tokens: _Price | None = None
    usd_per_million_output_tokens: _Price | None = None
    daily_tokens: int = Field(1_000_000, ge=0)
    daily_usd: float = Field(1.0, ge=0, le=100_000)
    max_parallel: int = Field(5, ge=1, le=5)
    timeout_seconds: float = Field(60, gt=0, le=600)
    run_seconds: float = Field(300, gt=0, le=7_200)
    max_attempts: int = Field(3, ge=1, le=10)
    give_up_after: int = Field(5, ge=1, le=1_000)
    max_input_characters: int = Field(20_000, ge=500, le=200_000)
    max_output_tokens: int = Field(2_000, ge=50, le=32_000)
    max_matches_per_run: int = Field(1_000, ge=0, le=1_000_000)
    temperature: float | None = Field(0.0, ge=0, le=2)
    output_limit_parameter: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    kept_days: int = Field(400, ge=1, le=4_000)
    batch: Batch = Batch()

    @model_validator(mode="after")
    def _is_complete_if_enabled(self) -> Self:
        if self.enabled and not self.model:
            raise ValueError("model: is needed if enabled is true; give the name that the provider knows")
        if self.enabled and None in (self.usd_per_million_input_tokens, self.usd_per_million_output_tokens):
            raise ValueError(
                "usd_per_million_input_tokens and usd_per_million_output_tokens: are needed if enabled is true, "
                "because daily_usd is held by them; 0 for a model of your own"
            )
        return self

    @model_validator(mode="after")
    def _texts_are_sent_encrypted(self) -> Self:
        if self.base_url.scheme == "http" and self.base_url.host not in _LOOPBACK and not self.allow_plain_http:
            raise ValueError(
                "base_url: http sends texts and key unencrypted; use https, or set allow_plain_http: true for a host "
                "in your own network"
            )
        return self
