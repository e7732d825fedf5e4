"""The simulator: a gateway and Entrez, served from their own thread."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .answers import ReplayedAnswers, SimulatedAnswers
from .battery_cloud import BatteryCloud
from .certificate import Certificate, key_from_seed, make_certificate
from .entrez import PASSWORD, USERNAME, Entrez
from .faults import Faults
from .gateway import Answers, Gateway
from .house import Clock, House
from .profiles import Profile, find
from .server import Request, Server, ServerLoop
from .sessions import make_token
from .weather import PATH as WEATHER_PATH
from .weather import WeatherService


class Simulator:
    """A simulated gateway over HTTPS and a simulated Entrez over HTTP, from `with` to its end.

    Compare the meters' values at house time `at` with `sim.house.truth(at)`.
    """

    def __init__(
        self,
        profile: str | Profile = "three-phase",
        *,
        seed: int = 1,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        port: int = 0,
        entrez_port: int = 0,
        hour_of_day: float | None = None,
        start: float | None = None,
        day: date | None = None,
        longitude: float | None = None,
        replay: str | Path | None = None,
    ) -> None:
        """Prepare everything except the ports.

        `profile`: a name of PROFILES, with any of QUIRKS after it: "battery+nightly-silence". `speed`: house
        seconds a second. Port 0: any free one. `start`: house time (epoch seconds) at the start, now by
        default. `day`: sun, clouds and household are then as on this day; the calendar's by default.
        `hour_of_day`: the sun then stands as at this hour; or `longitude` (degrees): as there; by
        default as in this machine's time zone. `replay`: a folder of recorded answers to serve instead of a
        house's.

        Raises ValueError for an unknown profile or quirk and for a folder without recording.
        """
        self.host = host
        self.username, self.password = USERNAME, PASSWORD
        self.clock = Clock(speed, start)
        self._house: House | None = None
        answers: Answers
        if replay is not None:
            answers = ReplayedAnswers(Path(replay))
        else:
            if longitude is None:
                longitude = _longitude(self.clock.start, hour_of_day)
            self._house = House(
                find(profile) if isinstance(profile, str) else profile,
                seed,
                self.clock.start,
                longitude,
                day=day,
            )
            answers = SimulatedAnswers(self._house, self.clock, f"1223{seed % 10**8:08d}")
        self.serial_number = answers.serial_number
        self.entrez = Entrez(self.serial_number, seed)
        if isinstance(answers, SimulatedAnswers) and self._house is not None:
            battery = self._house.profile.battery
            if battery is not None and battery.kind == "encharge":
                self.entrez.battery_cloud = BatteryCloud(
                    answers.controls, self.clock, self.serial_number, reserve=100 * battery.reserve
                )
        self.gateway = Gateway(answers, self.clock, self.entrez)
        self.weather = WeatherService(self._house, self.clock, seed)
        self._seed = seed
        self._key_number = 0
        self._certificate = self._make_certificate()
        self._gateway_server = Server(self.gateway.handle, host, port)
        self._entrez_server = Server(self._handle_outside, host, entrez_port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open both ports. Raise OSError if one is in use."""
        self._loop = ServerLoop()
        # A client that rejects the certificate or hangs up is not an error of the simulator.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, name="enphase-simulator", daemon=True)
        self._thread.start()
        try:
            self._run(self._gateway_server.start(self._certificate.server_context()))
            self._run(self._entrez_server.start())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Close everything that `start` opened, and wait for the thread to end."""
        self._run(self._gateway_server.stop())
        self._run(self._entrez_server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def house(self) -> House:
        """The house behind the meters. Raise LookupError while a recording is replayed."""
        if self._house is None:
            raise LookupError("a replayed gateway has no house: nobody knows the truth behind its recording")
        return self._house

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"https://{_in_url(self.host)}:{self._gateway_server.port}"

    @property
    def entrez_url(self) -> str:
        """Entrez's address."""
        return f"http://{_in_url(self.host)}:{self._entrez_server.port}"

    @property
    def weather_url(self) -> str:
        """The weather service's address: the same as Entrez's."""
        return self.entrez_url

    @property
    def certificate_pem(self) -> str:
        """The certificate that the gateway shows."""
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
        """The requests that the gateway has received."""
        return self.gateway.requests

    def requests_by_path(self) -> Counter[str]:
        """Return the number of requests that the gateway has received, by path with query."""
        return Counter(request.path for request in self.requests)

    @property
    def busy_seconds(self) -> float:
        """Real seconds that the gateway has spent on answers (two at once count twice)."""
        return self.gateway.busy_seconds

    @property
    def entrez_requests(self) -> list[Request]:
        """The requests that Entrez has received."""
        return self.entrez.requests

    def token(
        self,
        role: str = "owner",
        lifetime: float | None = None,
        serial_number: str | None = None,
        issued_ago: float = 0,
    ) -> str:
        """Return a token of Entrez, valid for `lifetime` seconds from its issue `issued_ago` seconds ago."""
        return self.entrez.token(role, lifetime, serial_number, issued_ago)

    def strange_token(self, kind: str) -> str:
        """Return an invalid token of a kind in TOKENS. Raise ValueError for any other kind."""
        return make_token(self.entrez.token, kind)

    def renew_certificate(
        self,
        *,
        same_key: bool = True,
        expired: bool = False,
        extensions: bool = True,
        common_name: str | None = None,
        for_clients: bool = False,
    ) -> None:
        """Replace the certificate, with the same key or another; one `for_clients` is invalid for servers.

        Open connections are closed, as when a gateway restarts its web server; sessions live on.
        """
        if not same_key:
            self._key_number += 1
        begin = datetime.now(UTC) - timedelta(days=400 if expired else 0)
        self._certificate = self._make_certificate(begin, extensions, common_name, for_clients)
        self._run(self._reopen())

    def restart(self) -> None:
        """Drop all connections and sessions, and listen again at the same address."""
        self.gateway.restart()
        self._run(self._reopen())

    def _make_certificate(
        self,
        begin: datetime | None = None,
        extensions: bool = True,
        common_name: str | None = None,
        for_clients: bool = False,
    ) -> Certificate:
        key = key_from_seed("gateway", self._seed, self._key_number)
        return make_certificate(common_name or self.serial_number, key, begin, extensions, for_clients)

    async def _handle_outside(self, request: web.Request) -> web.StreamResponse:
        service = self.weather if request.path == WEATHER_PATH else self.entrez
        return await service.handle(request)

    async def _reopen(self) -> None:
        await self._gateway_server.stop()
        await self._gateway_server.start(self._certificate.server_context())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _longitude(start: float, hour_of_day: float | None) -> float:
    """Return the longitude with solar hour `hour_of_day` at `start`; None: the middle of the time zone."""
    if hour_of_day is None:
        offset = datetime.fromtimestamp(start, UTC).astimezone().utcoffset()
        return offset.total_seconds() / 240 if offset else 0.0
    return ((hour_of_day - start / 3600) * 15 + 180) % 360 - 180


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
