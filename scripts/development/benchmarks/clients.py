"""The two clients without Home Assistant: requests to a gateway and the parsing of its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import process_time

import aiohttp
from pyenphase import Envoy
from pyenphase.ssl import NO_VERIFY_SSL_CONTEXT

from custom_components.enphase_iq_gateway.endpoints import Endpoint, PollSchedule

# Under this name the integration knows the client; its intervals are the integration's own.
from custom_components.enphase_iq_gateway.enphase_api.local.gateway import Gateway as Client

from .measures import Cost, Gateway


class OurClient:
    """enphase_api with the requests of an integration that has all entities enabled."""

    def __init__(self, gateway: Gateway) -> None:
        self._token = gateway.token
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._client = Client(
            f"https://{gateway.host}", certificate=gateway.certificate, session=self._session
        )
        self._poll_schedule = PollSchedule()
        self._requests = {
            Endpoint.METERS: self._client.meters,
            Endpoint.INVERTERS: self._client.inverters,
        }
        self._now = datetime.now(UTC)

    async def start(self) -> None:
        """Log in."""
        await self._client.login(self._token)

    async def refresh(self, seconds: float) -> Cost:
        """Request what is due `seconds` after the last refresh."""
        self._now += timedelta(seconds=seconds)
        cpu = process_time()
        await self._client.readings()
        for endpoint, request in self._requests.items():
            schedule = self._poll_schedule[endpoint]
            if schedule.is_due(self._now, is_needed=True):
                schedule.mark_requested(self._now)
                await request()
        return Cost(cpu=process_time() - cpu)

    async def stop(self) -> None:
        """Close the connections."""
        await self._session.close()


class Pyenphase:
    """The client of the built-in integration."""

    def __init__(self, gateway: Gateway) -> None:
        self._token = gateway.token
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=NO_VERIFY_SSL_CONTEXT))
        self._envoy = Envoy(gateway.host, self._session)

    async def start(self) -> None:
        """Log in, and detect the endpoints."""
        await self._envoy.setup()
        await self._envoy.authenticate(token=self._token)
        await self._envoy.update()

    async def refresh(self, seconds: float) -> Cost:  # noqa: ARG002  # it requests everything each time
        """Make the requests of the built-in integration, once a minute."""
        cpu = process_time()
        await self._envoy.update()
        return Cost(cpu=process_time() - cpu)

    async def stop(self) -> None:
        """Close the connections."""
        await self._session.close()
