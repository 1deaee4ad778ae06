"""Load on a coordinator, and on its peers, from several processes; see benchmarks/coordinator.py."""
