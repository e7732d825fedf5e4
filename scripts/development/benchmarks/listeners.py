"""Listen to Home Assistant's readings several times: `python -m development.benchmarks.listeners COUNT`.

Prints a line once all listen, and, when its standard input ends, as JSON when (epoch seconds) each of them
received each message. Address and token are in the environment, as the scripts have them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import aiohttp

_COMMANDS = "enphase_iq_gateway/readings"

#: Home Assistant drops a listener that does not confirm 120 events.
_CONFIRMED_AT_ONCE = 30


class _Listener:
    """One subscription on a connection of its own."""

    def __init__(self) -> None:
        self.received: list[float] = []
        self.listens = asyncio.Event()

    async def run(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        """Listen until the connection or the subscription ends. Raises RuntimeError then."""
        async with session.ws_connect(f"{url}/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": token})
            await socket.receive_json()
            await socket.send_json({"id": 1, "type": f"{_COMMANDS}/subscribe"})
            sent = 1
            async for frame in socket:
                message = json.loads(frame.data)
                for each in message if isinstance(message, list) else [message]:
                    self._take(each)
                if (received := len(self.received)) >= sent * _CONFIRMED_AT_ONCE:
                    sent += 1
                    confirm = {"type": f"{_COMMANDS}/confirm", "subscription": 1, "received": received}
                    await socket.send_json({"id": sent, **confirm})
        raise RuntimeError("Home Assistant closed the connection")

    def _take(self, message: dict[str, object]) -> None:
        event = message.get("event")
        if isinstance(event, dict):
            if "state" in event:
                raise RuntimeError(f"no readings come: {event}")
            self.received.append(time.time())
            self.listens.set()


async def main(count: int) -> None:
    """Listen `count` times until standard input ends."""
    url, token = os.environ["ENPHASE_HOME_ASSISTANT_URL"], os.environ["ENPHASE_HOME_ASSISTANT_TOKEN"]
    listeners = [_Listener() for _ in range(count)]
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(session, url, token)) for each in listeners]
        for each in listeners:
            await each.listens.wait()
        print("listening", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps([each.received for each in listeners]), flush=True)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
