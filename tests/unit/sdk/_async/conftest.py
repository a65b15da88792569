import pytest

from speedpix_pipe.sdk import AsyncSpeedPix


@pytest.fixture
async def client(service, async_clock, wire):
    async with AsyncSpeedPix(
        wire.KEY, wire.SECRET, service.url, clock=async_clock, random=lambda: 0.5, trust_env=False
    ) as made:
        yield made
