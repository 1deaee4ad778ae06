"""The question of returns put to people's own Ray Tune and Optuna, without the service.

- `tuner.integrations.ray.ReturnsSearch`: a Ray Tune search algorithm that climbs.
- `tuner.integrations.ray.ReturnsStopper`: a Ray Tune stopper for a grid of one's own.
- `tuner.integrations.optuna.ReturnsCallback`: the same for an Optuna study.

Each imports what it is named after, and no more; this package imports neither.
"""
