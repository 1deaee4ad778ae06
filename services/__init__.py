"""The services: coordinator, runner. Each starts with `python -m services.NAME`."""
