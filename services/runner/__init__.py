"""The runner: the driver of one job, run as a Ray job."""
