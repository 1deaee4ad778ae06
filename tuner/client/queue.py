"""The queue and the namespaces, from a client's side."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.access import ALL
from tuner.client.paging import paged
from tuner.client.transport import Transport
from tuner.queue import Namespace, Queue, Quota
from tuner.v1 import tuner_service_pb2 as pb
from tuner.wire.names import check_id, namespace_name
from tuner.wire.queue import namespace_from_wire, namespace_to_wire, queue_from_wire


class QueueCalls:
    """The part of the client that is about who gets what of the cluster."""

    _transport: Transport

    def queue(self, namespace: str = ALL) -> Queue:
        """Returns what runs and what waits, with shares, places and reasons.

        Args:
            namespace: Whose; "-" for all that the caller may see.
        """
        request = pb.GetQueueRequest(parent=namespace_name(namespace))
        return queue_from_wire(self._transport.call(self._transport.stub.GetQueue, request))

    def namespaces(self) -> Iterator[Namespace]:
        """Yields the namespaces that the caller may see, by name, with quotas and use."""
        found = paged(
            lambda page: self._transport.call(
                self._transport.stub.ListNamespaces, pb.ListNamespacesRequest(page_token=page)
            ),
            lambda response: response.namespaces,
        )
        return map(namespace_from_wire, found)

    def namespace(self, name: str) -> Namespace:
        """Returns a namespace; one of which nothing is known has no quotas and uses nothing."""
        check_id(name, "namespace")
        return next((one for one in self.namespaces() if one.name == name), Namespace(name))

    def set_quota(self, namespace: str, quota: Quota) -> Namespace:
        """Sets a namespace's weight and quotas, all of them.

        Raises:
            TunerError: PERMISSION_DENIED where the caller isn't operator of all namespaces;
                INVALID_ARGUMENT with every field at fault.
        """
        message = namespace_to_wire(Namespace(check_id(namespace, "namespace"), quota))
        request = pb.UpdateNamespaceRequest(namespace=message)
        answer = self._transport.call(self._transport.stub.UpdateNamespace, request)
        return namespace_from_wire(answer)
