"""The look before a long search: every family at a small budget, and which are worth more.

`plan` makes the job, `find` reads what it found, `following` makes the search that comes next.
"""

from tuner.spot.findings import Decision, Family, Findings, find
from tuner.spot.following import following, following_as_yaml
from tuner.spot.plan import Asked, check, plan

__all__ = [
    "Asked",
    "Decision",
    "Family",
    "Findings",
    "check",
    "find",
    "following",
    "following_as_yaml",
    "plan",
]
