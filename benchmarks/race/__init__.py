"""The same question end to end: this service against plain Ray Tune and Optuna."""
