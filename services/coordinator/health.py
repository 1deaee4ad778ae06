"""What gRPC's health service answers."""

from __future__ import annotations

from grpc_health.v1 import health, health_pb2

SERVICES = ("tuner.v1.TunerService", "tuner.v1.RunnerService")
SCHEDULER = "tuner.v1.Scheduler"
"""No service that can be called: serving where this coordinator leads."""

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """Our services by name. The empty name is the process, which serves as long as it lives."""

    def __init__(self) -> None:
        """Says nothing yet."""
        self.servicer = health.aio.HealthServicer()

    async def say(self, database: bool, leads: bool) -> None:
        """Says how it stands.

        Args:
            database: Whether the database can be used, without which no call is answered.
            leads: Whether this coordinator schedules.
        """
        await self.servicer.set("", _SERVING)
        for name in SERVICES:
            await self.servicer.set(name, _SERVING if database else _NOT_SERVING)
        await self.servicer.set(SCHEDULER, _SERVING if database and leads else _NOT_SERVING)
