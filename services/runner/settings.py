"""What a runner is told by its environment: nothing secret but a code that serves once."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RunnerSettings(BaseSettings):
    """Environment variables TUNER_RUNNER_*.

    Attributes:
        coordinator: The coordinator's address, host:port.
        job: The job's resource name.
        code: The single-use enrolment code.
        patience_seconds: How long an unreachable coordinator is waited for.
        ray_address: The cluster; the one that runs this job unless given.
    """

    model_config = SettingsConfigDict(env_prefix="TUNER_RUNNER_")

    coordinator: str = Field(min_length=1)
    job: str = Field(min_length=1)
    code: str = Field(min_length=1)
    patience_seconds: float = Field(600.0, gt=0)
    ray_address: str = "auto"
