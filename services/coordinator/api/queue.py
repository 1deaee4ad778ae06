"""Calls about the queue, and about namespaces that share the cluster."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from services.coordinator.access.caller import calling
from services.coordinator.api.interceptor import Context
from services.coordinator.core import Core
from services.coordinator.leader import LEASE
from services.coordinator.scheduler import RUNNING, WAITING
from services.coordinator.store.accounts import DAYS_OF_DEVICE_HOURS
from services.coordinator.store.rows import JobRow
from services.coordinator.store.shares import Load
from services.coordinator.threads import reading
from tuner.jobs import JobState
from tuner.queue import Namespace, Queue, QueueEntry, Quota
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import parse_parent
from tuner.wire.pages import make_token, page_size, read_token
from tuner.wire.queue import namespace_from_wire, namespace_to_wire, queue_to_wire


class QueueCalls:
    """The part of TunerService that is about who gets what of the cluster."""

    def __init__(self, core: Core) -> None:
        """Takes the parts."""
        self._core = core

    async def GetQueue(self, request: pb.GetQueueRequest, context: Context) -> pb.Queue:
        """Answers GetQueue, as the leader last left it: any coordinator can."""
        namespace = parse_parent(request.parent)
        places = calling.get().namespaces() if namespace is None else {namespace}
        return queue_to_wire(await reading(self._queue, places))

    def _queue(self, places: set[str] | None) -> Queue:
        store = self._core.store
        rows = [
            row
            for row in store.jobs_in([*RUNNING, *WAITING])
            if places is None or row.name.namespace in places
        ]
        loads, outlook, lease = store.loads(), store.outlook(), store.lease(LEASE)
        # Those that nobody has looked at yet come last.
        rows.sort(key=lambda row: (row.state in WAITING, row.place or len(rows), row.create_time))
        leads = lease is not None and bool(lease.holder) and not lease.expired
        return Queue(
            entries=tuple(_entry(row, loads.get(row.name, Load())) for row in rows),
            capacity=outlook.capacity,
            reserved=outlook.reserved,
            reserved_idle_share=outlook.reserved_idle_share,
            leader=lease.holder if lease is not None and leads else "",
            leader_since=lease.since if lease is not None and leads else None,
        )

    async def ListNamespaces(
        self, request: pb.ListNamespacesRequest, context: Context
    ) -> pb.ListNamespacesResponse:
        """Answers ListNamespaces: those that the caller may see."""
        limit = page_size(request.page_size)
        after = read_token(request.page_token, "namespaces") or ""
        found = await reading(self._namespaces, calling.get().namespaces())
        rest = [one for one in found if one.name > after]
        page = rest[:limit]
        return pb.ListNamespacesResponse(
            namespaces=map(namespace_to_wire, page),
            next_page_token=make_token(page[-1].name, "namespaces") if len(rest) > limit else "",
        )

    def _namespaces(self, places: set[str] | None) -> list[Namespace]:
        """Returns all that have jobs or quotas, by name."""
        store = self._core.store
        quotas = store.quotas()
        since = datetime.now(UTC) - timedelta(days=DAYS_OF_DEVICE_HOURS)
        used = store.usage(since)
        running = store.jobs_in(RUNNING)
        names = quotas.keys() | store.job_counts().keys() | used.keys()
        return [
            Namespace(
                name=name,
                quota=quotas.get(name, Quota()),
                running_jobs=sum(row.name.namespace == name for row in running),
                slots_held=sum(row.slots_held for row in running if row.name.namespace == name),
                device_hours=used.get(name, 0.0) / 3600,
            )
            for name in sorted(names)
            if places is None or name in places
        ]

    async def UpdateNamespace(
        self, request: pb.UpdateNamespaceRequest, context: Context
    ) -> pb.Namespace:
        """Answers UpdateNamespace. The scheduler acts on it within some seconds."""
        asked = namespace_from_wire(request.namespace, "namespace")
        await asyncio.to_thread(self._core.store.set_quota, asked.name, asked.quota)
        found = await reading(self._namespaces, {asked.name})
        return namespace_to_wire(found[0])


def _entry(row: JobRow, load: Load) -> QueueEntry:
    waits = row.state in WAITING
    status = row.status()
    return QueueEntry(
        job=str(row.name),
        display_name=row.spec.name,
        owner=row.owner,
        state=row.state,
        priority=row.spec.priority,
        position=row.place if waits else 0,
        reason=status.reason if row.state in _SAID_BY_STATE else row.share_reason,
        share=row.share or 0,
        slots_held=row.slots_held,
        packets_waiting=load.waiting,
        create_time=row.create_time,
    )


_SAID_BY_STATE = (JobState.QUEUED, JobState.PAUSING, JobState.STOPPING, JobState.CANCELLING)
"""States in which why a job stands there says more than why it has its share."""
