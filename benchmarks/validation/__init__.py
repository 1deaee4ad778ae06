"""Whether verdicts and intervals can be trusted: simulated where the truth is known."""
