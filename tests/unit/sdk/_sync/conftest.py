# Written by _tools/unasync.py from tests/unit/sdk/_async/conftest.py; edit that and run it again.
import pytest

from speedpix_pipe.sdk import SpeedPix


@pytest.fixture
def client(service, clock, wire):
    with SpeedPix(wire.KEY, wire.SECRET, service.url, clock=clock, random=lambda: 0.5, trust_env=False) as made:
        yield made
