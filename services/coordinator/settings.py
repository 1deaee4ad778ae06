"""The coordinator's settings, from the environment."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tuner.channel import split_addresses
from tuner.errors import TunerError
from tuner.spec.roots import is_url, problem_with_url, split_roots

MIB = 1024 * 1024


class Settings(BaseSettings):
    """What an operator can set; each as TUNER_COORDINATOR_ and its name in capitals.

    Attributes:
        state_dir: Folder of everything that the coordinator keeps.
        database_url: SQLAlchemy's URL; SQLite in the state folder where empty.
        migrate: Whether an older schema in PostgreSQL is migrated at the start, rather than by
            `tuner db upgrade`; SQLite's always is.
        artifacts_dir: Folder of uploaded data and logs; in the state folder where unset.
        listen: "host:port" to bind; port 0 picks a free one.
        advertise: "host:port" that runners connect to, with commas between those of several
            coordinators; the bound address where empty.
        ray_dashboard: The Ray dashboard as the coordinator reaches it.
        ray_dashboard_public: The same as people reach it; as above where empty.
        data_roots: Folders of the cluster, and addresses (https, s3, gs), below which
            data may be read, as a list separated like PATH.
        allow_user_code: Whether jobs may bring learners and metrics of the user's own, which
            the cluster's workers then run.
        max_running_jobs: Jobs that run at once; the others wait.
        max_watchers: Streams that may watch jobs at once.
        max_watchers_per_caller: The same of one caller.
        reserve_after_seconds: A slot that fits no node because smaller ones always come first
            has a node kept for it after so long.
        reserve_patience_seconds: A node that isn't free within so long is given up again.
        reserve_idle_share: What of the cluster may lie idle on kept nodes, over an hour.
        runner_python: The Python of the cluster's nodes that has this package.
        lease_seconds: A runner that isn't heard of for so long is given up.
        heartbeat_seconds: How often a runner is to call.
        enrolment_seconds: How long a driver that runs may take to enrol.
        cancel_grace_seconds: How long a runner may take to end a cancelled job
            before it is stopped from outside.
        max_attempts: Attempts in a row that record nothing before a job fails.
        retry_backoff_seconds: Pause before the next attempt; doubled with every
            attempt in a row that recorded nothing.
        webhook_hosts: Hosts that may be told of a job's end, as a list separated by commas, with
            patterns such as "*.example.org"; only this machine where it is empty, and nobody
            where the coordinator listens to other machines.
        webhook_secret: What such messages are signed with; they aren't where it is empty.
        max_blob_bytes: Largest file that may be uploaded.
        insecure: Allows listening on other than this machine's own addresses,
            where tokens travel unencrypted.
        tls_cert: File of the certificate, with those between it and its authority, by which the
            coordinator proves itself; plaintext where unset.
        tls_key: File of its private key.
        tls_ca: File of the authority that runners trust it by; that of the system where unset.
        tls_client_ca: File of the authority of which clients and runners must show a
            certificate (mutual TLS); none is asked for where unset.
        tls_runner_cert: File, on the cluster's nodes, of the certificate that runners show then.
        tls_runner_key: File, on the cluster's nodes, of its private key.
        max_calls: Calls that are answered at once, those that watch among them, who may be three
            quarters of them; more are refused.
        max_streams: Uploads, downloads and logs that one token may have open at once.
        token_file: Where the root token is; in the state folder where unset.
        log_level: The least level that is logged.
    """

    model_config = SettingsConfigDict(env_prefix="TUNER_COORDINATOR_", extra="forbid", frozen=True)

    state_dir: Path = Path("~/.tuner")
    database_url: str = ""
    migrate: bool = False
    artifacts_dir: Path | None = None
    listen: str = "127.0.0.1:50551"
    advertise: str = ""
    ray_dashboard: str = "http://127.0.0.1:8265"
    ray_dashboard_public: str = ""
    data_roots: Annotated[tuple[Path | str, ...], NoDecode] = ()
    allow_user_code: bool = False
    max_running_jobs: int = Field(4, ge=1)
    max_watchers: int = Field(10_000, ge=1)
    max_watchers_per_caller: int = Field(2_000, ge=1)
    reserve_after_seconds: float = Field(300.0, ge=0)
    reserve_patience_seconds: float = Field(600.0, gt=0)
    reserve_idle_share: float = Field(0.25, ge=0, le=1)
    runner_python: str = sys.executable
    lease_seconds: float = Field(10.0, gt=0)
    heartbeat_seconds: float = Field(1.0, gt=0)
    enrolment_seconds: float = Field(60.0, gt=0)
    cancel_grace_seconds: float = Field(7.0, ge=0)
    max_attempts: int = Field(5, ge=1)
    retry_backoff_seconds: float = Field(1.0, ge=0)
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    webhook_secret: SecretStr = SecretStr("")
    max_blob_bytes: int = Field(4096 * MIB, ge=1)
    insecure: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    tls_client_ca: Path | None = None
    tls_runner_cert: Path | None = None
    tls_runner_key: Path | None = None
    max_calls: int = Field(4000, ge=10)
    max_streams: int = Field(64, ge=1)
    token_file: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("data_roots", mode="before")
    @classmethod
    def _like_path(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(r if is_url(r) else Path(r) for r in split_roots(value))
        return value

    @field_validator("webhook_hosts", mode="before")
    @classmethod
    def _by_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("data_roots")
    @classmethod
    def _absolute(cls, value: tuple[Path | str, ...]) -> tuple[Path | str, ...]:
        for root in value:
            if isinstance(root, str):
                if problem := problem_with_url(root):
                    raise ValueError(f"{root} {problem}")
            elif not root.is_absolute():
                raise ValueError(f"{root} is a relative path; give an absolute one")
        return value

    @field_validator("advertise")
    @classmethod
    def _addresses(cls, value: str) -> str:
        try:
            return ",".join(split_addresses(value, "advertise")) if value else value
        except TunerError as error:
            raise ValueError(error.violations[0].problem) from error

    @field_validator(
        "state_dir",
        "artifacts_dir",
        "token_file",
        "tls_cert",
        "tls_key",
        "tls_ca",
        "tls_client_ca",
    )
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @model_validator(mode="after")
    def _check(self) -> Self:
        host = self.listen_host
        self._check_tls()
        if not self.insecure and self.tls_cert is None and not is_loopback(host):
            raise ValueError(
                f"listen is {self.listen!r}, which others can reach, and tokens would travel "
                "unencrypted; set TUNER_COORDINATOR_TLS_CERT and TUNER_COORDINATOR_TLS_KEY, listen "
                "on 127.0.0.1, or set TUNER_COORDINATOR_INSECURE=true"
            )
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(
                f"heartbeat_seconds is {self.heartbeat_seconds:g}, more than half of "
                f"lease_seconds, {self.lease_seconds:g}; one lost call would cost the lease"
            )
        return self

    def _check_tls(self) -> None:
        for one, other in (("tls_cert", "tls_key"), ("tls_runner_cert", "tls_runner_key")):
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise ValueError(f"{one} and {other} go together; set both, or neither")
        for name in ("tls_ca", "tls_client_ca", "tls_runner_cert"):
            if getattr(self, name) is not None and self.tls_cert is None:
                raise ValueError(f"{name} is set, but not tls_cert; TLS begins with that")
        if self.tls_client_ca is not None and self.tls_runner_cert is None:
            raise ValueError(
                "tls_client_ca is set, but not tls_runner_cert: runners need a certificate, too; "
                "put one on the cluster's nodes and set its path there"
            )

    @property
    def listen_host(self) -> str:
        """The host part of `listen`. Raises ValueError where there is no port."""
        host, colon, port = self.listen.rpartition(":")
        if not colon or not port.isdigit() or not host:
            raise ValueError(f"listen is {self.listen!r}; write it as host:port")
        return host.removeprefix("[").removesuffix("]")

    @property
    def store_url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{self.state_dir / 'coordinator.db'}"

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file, which one coordinator has alone."""
        return self.store_url.startswith("sqlite")

    @property
    def artifacts_path(self) -> Path:
        """The folder of uploaded data and logs."""
        return self.artifacts_dir or self.state_dir / "artifacts"

    @property
    def token_path(self) -> Path:
        """The file of the clients' token."""
        return self.token_file or self.state_dir / "token"

    @property
    def dashboard_for_people(self) -> str:
        """The dashboard's address to show."""
        return self.ray_dashboard_public or self.ray_dashboard


def is_loopback(host: str) -> bool:
    """Tells whether only this machine can be meant by the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
