"""Sources of data: one file each, one registry."""
