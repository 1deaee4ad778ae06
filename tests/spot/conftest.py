"""The client's double of the coordinator, for the command that speaks to one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "client"))
