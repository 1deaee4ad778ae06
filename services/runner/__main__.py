"""Starts the runner: `python -m services.runner`, as the entry point of a Ray job."""

import sys

from services.runner.driver import run
from services.runner.settings import RunnerSettings

if __name__ == "__main__":
    sys.exit(run(RunnerSettings()))
