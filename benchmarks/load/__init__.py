"""Load on a coordinator and its peers, from several processes: parts of coordinator.py."""
