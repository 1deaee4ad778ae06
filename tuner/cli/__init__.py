"""The `tuner` command. Data goes to stdout, talk to stderr."""
