"""Families of learners: one file each, one registry."""
