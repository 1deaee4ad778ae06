"""Idle slots of a real cluster run ahead of the plan: same decisions, same results, all billed."""

import pytest

from tuner import JobSpec
from tuner.record import PacketAttempt

SLOW = {"noise": 0.02, "seconds": 0.3}


def test_a_job_that_speculates_decides_and_measures_the_same(client):
    def submitted(speculate: bool):
        return client.submit(
            JobSpec(
                dataset="digits",
                margin=0.02,
                baseline=None,
                searches=[
                    {"learner": "simulated", "axis": a, "levels": [1, 2, 4, 8], "space": SLOW}
                    for a in ("depth", "trees")
                ],
                tuning={"trials": 4, "generation": 4},
                resources={"cpus": 0.25, "speculate": speculate},
            )
        )

    plain, ahead = submitted(False), submitted(True)
    results = [job.result() for job in (plain, ahead)]
    assert [result.state for result in results] == ["SUCCEEDED", "SUCCEEDED"]
    for key in ("simulated/depth", "simulated/trees"):
        decisions = [
            [(s.kind, s.decision, s.packets, s.conclusion) for s in job.plan(key)]
            for job in (plain, ahead)
        ]
        assert decisions[0] == decisions[1]
        rows = [
            {
                (m.phase, m.level, m.setting, m.replicate): (m.outcome, m.scores, m.packet)
                for m in job.measurements(key)
            }
            for job in (plain, ahead)
        ]
        assert rows[0] == rows[1]
        verdicts = [result.curves[key].verdict for result in results]
        assert verdicts[0] == verdicts[1]
    tries = [event.what for event in ahead.watch() if isinstance(event.what, PacketAttempt)]
    early = [t for t in tries if ":ahead:" in t.packet]
    assert early
    assert any(t.outcome == "COMPLETED" for t in early)
    billed = sum(t.billed_device_seconds for t in tries)
    assert ahead.refresh().billed_device_seconds == pytest.approx(billed)
