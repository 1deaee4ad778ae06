"""Runs the command: `python -m tuner.cli`."""

from tuner.cli.main import main

main()
