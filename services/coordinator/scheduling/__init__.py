"""Who gets how many slots of the cluster, and why: a policy without clock, store or cluster."""
