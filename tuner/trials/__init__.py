"""The Ray side of a job: slot workers, the packet broker, devices."""
