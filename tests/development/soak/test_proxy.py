"""The proxy that cuts connections and lets nothing pass."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from development.soak.proxy import Direction, Proxy


@pytest.fixture
def echo() -> Iterator[Proxy]:
    """Yield a proxy in front of a server that sends back what it gets."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            while data := connection.recv(1000):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        with Proxy(server.getsockname()[1]) as proxy:
            yield proxy
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client(echo: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", echo.port), 10) as connection:
        connection.sendall(b"one")
        assert connection.recv(100) == b"one"
        yield connection


@pytest.mark.parametrize("direction", Direction)
def test_what_was_held_in_either_direction_is_delivered_late(
    echo: Proxy, client: socket.socket, direction: Direction
) -> None:
    echo.hold(direction)
    client.sendall(b"two")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(100)
    echo.restore()
    client.settimeout(10)
    assert client.recv(100) == b"two"


def test_held_connections_can_be_reset_instead(echo: Proxy, client: socket.socket) -> None:
    echo.hold(*Direction)
    client.sendall(b"two")
    echo.restore(reset=True)
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_cut_resets_connections_and_new_ones_until_it_is_restored(
    echo: Proxy, client: socket.socket
) -> None:
    echo.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", echo.port), 10) as refused:
        refused.recv(100)
    echo.restore()
    with socket.create_connection(("127.0.0.1", echo.port), 10) as again:
        again.sendall(b"three")
        assert again.recv(100) == b"three"


def test_a_direction_is_held_as_soon_as_certain_bytes_come(echo: Proxy, client: socket.socket) -> None:
    sending = threading.Timer(0.1, client.sendall, [b"a COMMIT"])
    sending.start()
    assert echo.hold_at(b"COMMIT", Direction.TO_SERVER, Direction.FROM_SERVER, within=30)
    sending.join()
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(100)
    echo.restore()
    client.settimeout(10)
    assert client.recv(100) == b"a COMMIT"
