"""Learners on features made first, and on sequences."""

from __future__ import annotations

from tuner.catalog.kinds import Learner

ALL: tuple[Learner, ...] = ()
