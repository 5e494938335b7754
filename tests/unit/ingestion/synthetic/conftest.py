"""One tiny world of each kind for all tests that only look."""

from __future__ import annotations

import pytest

from ingestion.synthetic.scenario import preset
from ingestion.synthetic.world import Summary, generate


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """Scenario `tiny`, orders as drops."""
    return generate(preset("tiny"), tmp_path_factory.mktemp("worlds") / "drops")


@pytest.fixture(scope="session")
def tiny_shop(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """The same world with its orders in the shop only."""
    return generate(preset("tiny"), tmp_path_factory.mktemp("worlds") / "shopify", shop="shopify")
