"""What a runner is told by its environment: nothing secret but a code that serves once."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tuner.tls import Tls


class RunnerSettings(BaseSettings):
    """Environment variables TUNER_RUNNER_*.

    Attributes:
        coordinator: The coordinator's address, host:port; several with commas between.
        job: The job's resource name.
        code: The single-use enrolment code.
        patience_seconds: How long an unreachable coordinator is waited for.
        ray_address: The cluster; the one that runs this job unless given.
        tls: Whether the coordinator speaks TLS.
        tls_ca: Certificates, in PEM, that it is trusted by; those of the node where empty.
        tls_cert: File of this node of the certificate to show; none where unset.
        tls_key: File of this node of its private key.
    """

    model_config = SettingsConfigDict(env_prefix="TUNER_RUNNER_")

    coordinator: str = Field(min_length=1)
    job: str = Field(min_length=1)
    code: str = Field(min_length=1)
    patience_seconds: float = Field(600.0, gt=0)
    ray_address: str = "auto"
    tls: bool = False
    tls_ca: str = ""
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def trust(self) -> Tls | None:
        """How the coordinator is spoken to; None for plaintext."""
        if not self.tls:
            return None
        return Tls(self.tls_ca.encode() or None, self.tls_cert, self.tls_key)
