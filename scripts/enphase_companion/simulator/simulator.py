"""The simulator itself: a house, its gateway and Entrez, running in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .certificate import Certificate, key_from_seed, make_certificate
from .clock import Clock
from .entrez import PASSWORD, USERNAME, Entrez
from .faults import Faults
from .gateway import Gateway
from .house import House
from .profiles import PROFILES, Profile
from .requests import Request
from .server import Server


class Simulator:
    """A simulated gateway over HTTPS and a simulated Entrez over HTTP, from `with` to its end.

    `sim.house.truth(at)` is what the meters ought to say at house time `at`.
    """

    def __init__(
        self,
        profile: str | Profile = "three-phase",
        seed: int = 1,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        entrez_port: int = 0,
        hour_of_day: float | None = None,
    ) -> None:
        """`speed`: house seconds a second; port 0: any free one; `hour_of_day`: where the sun stands at the start.

        Raises ValueError for an unknown profile.
        """
        if isinstance(profile, str) and profile not in PROFILES:
            raise ValueError(f"{profile!r} is no profile; there are {', '.join(PROFILES)}")
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.host = host
        self.username, self.password = USERNAME, PASSWORD
        self.serial_number = f"1223{seed % 10**8:08d}"
        self.clock = Clock(speed)
        self.house = House(self.profile, seed, self.clock.start, _longitude(self.clock.start, hour_of_day))
        self.entrez = Entrez(self.serial_number, seed)
        self.gateway = Gateway(self.house, self.clock, self.serial_number, self.entrez)
        self._seed = seed
        self._key_number = 0
        self._certificate = self._make_certificate()
        self._gateway_server = Server(self.gateway.handle, host, port)
        self._entrez_server = Server(self.entrez.handle, host, entrez_port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Opens both ports. Raises OSError if one is taken."""
        # A client that refuses the certificate or hangs up is no error of the simulator's.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread.start()
        try:
            self._run(self._gateway_server.start(self._certificate.server_context()))
            self._run(self._entrez_server.start())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Closes everything and waits for the thread to end."""
        self._run(self._gateway_server.stop())
        self._run(self._entrez_server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"https://{self.host}:{self._gateway_server.port}"

    @property
    def entrez_url(self) -> str:
        """Entrez's address."""
        return f"http://{self.host}:{self._entrez_server.port}"

    @property
    def certificate_pem(self) -> str:
        """The certificate the gateway shows now."""
        return self._certificate.pem

    @property
    def fingerprint(self) -> str:
        """SHA-256 of that certificate, as "AB:CD:…"."""
        return self._certificate.fingerprint

    @property
    def faults(self) -> Faults:
        """The gateway's faults; Entrez has its own in `sim.entrez.faults`."""
        return self.gateway.faults

    @property
    def requests(self) -> list[Request]:
        """What the gateway was asked so far."""
        return self.gateway.requests

    @property
    def entrez_requests(self) -> list[Request]:
        """What Entrez was asked so far."""
        return self.entrez.requests

    def token(
        self,
        role: str = "owner",
        lifetime: float | None = None,
        serial_number: str | None = None,
        issued_ago: float = 0,
    ) -> str:
        """A token as Entrez gives them; `lifetime` in seconds from when it was issued, `issued_ago` seconds ago."""
        return self.entrez.token(role, lifetime, serial_number, issued_ago)

    def renew_certificate(
        self,
        same_key: bool = True,
        expired: bool = False,
        extensions: bool = True,
        common_name: str | None = None,
    ) -> None:
        """Shows a new certificate from now on: of the same key or another, expired or not, with extensions or none."""
        if not same_key:
            self._key_number += 1
        now = datetime.now(UTC).replace(microsecond=0)
        begin = now - timedelta(days=400) if expired else now
        self._certificate = self._make_certificate(begin, extensions, common_name)
        self._run(self._restart())

    def restart(self) -> None:
        """Drops all connections and sessions, and is back at the same address."""
        self.gateway.sessions.end_all()
        self._run(self._restart())

    def _make_certificate(
        self, begin: datetime | None = None, extensions: bool = True, common_name: str | None = None
    ) -> Certificate:
        key = key_from_seed("gateway", self._seed, self._key_number)
        return make_certificate(common_name or self.serial_number, key, begin, extensions)

    async def _restart(self) -> None:
        await self._gateway_server.stop()
        await self._gateway_server.start(self._certificate.server_context())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _longitude(start: float, hour_of_day: float | None) -> float:
    """Where the sun stands as at `hour_of_day` at `start`; without, in the middle of this machine's time zone."""
    if hour_of_day is None:
        offset = datetime.fromtimestamp(start).astimezone().utcoffset()
        return offset.total_seconds() / 240 if offset else 0.0
    return ((hour_of_day - start / 3600) * 15 + 180) % 360 - 180
