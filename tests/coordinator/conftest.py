from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from coordinator_harness import TOKEN, House, ScriptedGateway, house_settings


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A running coordinator with a scripted cluster."""
    monkeypatch.setenv("TUNER_TOKEN", TOKEN)
    house = House(house_settings(tmp_path), ScriptedGateway())
    await house.start()
    yield house
    await house.stop()
