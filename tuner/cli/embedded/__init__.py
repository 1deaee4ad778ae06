"""The embedded services: a coordinator and a Ray head on this machine.

Both are processes of their own, in sessions of their own: they outlive the
command that starts them and each other. What runs stands in a record in the
state folder, with each process's start time, so that no stranger who was given
the same process id is ever taken for ours.
"""

from tuner.cli.embedded.lifecycle import (
    Services,
    bring_up,
    running,
    services_for_a_while,
    take_down,
)

__all__ = ["Services", "bring_up", "running", "services_for_a_while", "take_down"]
