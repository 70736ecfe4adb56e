"""The short form of `make soak`, for every database at hand."""
import pytest

from tests.soak.destinations import DESTINATIONS
from tests.soak.soak import Soak


@pytest.mark.parametrize("name", DESTINATIONS)
def test_after_random_changes_and_kills_every_table_equals_the_model(name):
    why = DESTINATIONS[name].missing()
    if why:
        pytest.skip(why)
    assert Soak(DESTINATIONS[name], 6000, seed=3, say=lambda text: None).run() == []
