"""A client of Home Assistant for its owner: sign-in, REST and WebSocket API."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import aiohttp

from .errors import DemoError

USERNAME = PASSWORD = "demo"  # noqa: S105  # printed for everybody who looks at the demo


class Owner:
    """A signed-in owner, from `async with` to its end."""

    def __init__(self, url: str) -> None:
        """`url`: Home Assistant's address, without a slash at its end."""
        self.url = url
        self._client_id = f"{url}/"
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        self._token = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def become(self) -> None:
        """Create the owner of a new Home Assistant, and sign in."""
        user = {"name": "Demo", "username": USERNAME, "password": PASSWORD, "language": "en"}
        answer = await self.post("/api/onboarding/users", {"client_id": self._client_id, **user})
        await self._sign_in_with(answer["auth_code"])

    async def sign_in(self, username: str = USERNAME, password: str = PASSWORD) -> None:
        """Sign in as the existing user."""
        begin = {
            "client_id": self._client_id,
            "handler": ["homeassistant", None],
            "redirect_uri": self._client_id,
        }
        flow = await self.post("/auth/login_flow", begin)
        data = {"client_id": self._client_id, "username": username, "password": password}
        answer = await self.post(f"/auth/login_flow/{flow['flow_id']}", data)
        if "result" not in answer:
            raise DemoError(f"Home Assistant did not let {username} in: {answer.get('errors')}")
        await self._sign_in_with(answer["result"])

    async def _sign_in_with(self, code: str) -> None:
        data = {"client_id": self._client_id, "grant_type": "authorization_code", "code": code}
        self._token = (await self._request("POST", "/auth/token", data=data))["access_token"]
        self._session.headers["Authorization"] = f"Bearer {self._token}"

    async def create_token(self, name: str) -> str:
        """Return a new long-lived access token of this user, for a program."""
        return str(await self.ask("auth/long_lived_access_token", client_name=name, lifespan=1))

    async def get(self, path: str) -> Any:
        """Return the JSON at `path`. Raises DemoError for any other answer, as do all of these."""
        return await self._request("GET", path)

    async def post(self, path: str, data: dict[str, Any] | None = None) -> Any:
        """Post `data` as JSON to `path`, and return the JSON answer."""
        return await self._request("POST", path, json=data)

    async def delete(self, path: str) -> Any:
        """Send DELETE to `path`, and return the JSON answer."""
        return await self._request("DELETE", path)

    async def _request(self, method: str, path: str, **content: Any) -> Any:
        try:
            async with self._session.request(method, self.url + path, **content) as response:
                if response.status >= 400:
                    text = (await response.text())[:500]
                    raise DemoError(f"Home Assistant answered {method} {path} with {response.status}: {text}")
                return await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise DemoError(f"Home Assistant does not answer at {self.url}: {why}") from error

    async def ask(self, command: str, **fields: Any) -> Any:
        """Return the result of a WebSocket command.

        Each uses a separate connection: Home Assistant closes a connection that is idle for a minute.
        """
        if not self._token:
            raise DemoError("sign in before asking by WebSocket")
        try:
            async with (
                asyncio.timeout(60),
                self._session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0) as socket,
            ):
                await socket.receive_json()
                await socket.send_json({"type": "auth", "access_token": self._token})
                if (answer := await socket.receive_json())["type"] != "auth_ok":
                    raise DemoError(f"Home Assistant's WebSocket did not accept its own token: {answer}")
                await socket.send_json({"id": 1, "type": command, **fields})
                while (answer := await socket.receive_json()).get("id") != 1:
                    pass
        except (
            aiohttp.ClientError,
            TimeoutError,
            TypeError,
        ) as error:  # TypeError: a close message instead of text
            raise DemoError(f"Home Assistant does not answer {command}: {error!r}") from error
        if not answer["success"]:
            raise DemoError(f"Home Assistant refused {command}: {answer['error']}")
        return answer["result"]

    async def states(self) -> dict[str, dict[str, Any]]:
        """Return all current states, by entity id."""
        return {state["entity_id"]: state for state in await self.get("/api/states")}

    async def use_the_servers_clock(self) -> None:
        """Set the user's profile to show the server's time zone, which is the house's."""
        language = {"language": "en", "number_format": "language", "time_format": "language"}
        zone = {"date_format": "language", "first_weekday": "language", "time_zone": "server"}
        await self.ask("frontend/set_user_data", key="language", value={**language, **zone})
