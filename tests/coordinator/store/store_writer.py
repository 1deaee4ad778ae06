"""A process that records batches of 16 and prints each one's number once it is acknowledged.

Its arguments: URL JOB ATTEMPT EPOCH BATCHES.
"""

from __future__ import annotations

import sys

from services.coordinator.store import open_store
from services.coordinator.store.conformance.samples import a_measurement, a_try
from tuner.wire.names import JobName


def main() -> None:
    url, job, attempt, epoch, batches = sys.argv[1:]
    name = JobName.parse(job)
    store = open_store(url)
    for batch in range(int(batches)):
        rows = [a_measurement(name, 16 * batch + i) for i in range(16)]
        tries = [a_try(batch, billed_device_seconds=1.0)]
        store.record(name, int(attempt), int(epoch), rows, tries)
        print(batch, flush=True)


if __name__ == "__main__":
    main()
