"""The commands for the batteries: change how they are used, by the gateway or through Enphase's cloud."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ..cloud.battery import BatteryCloud
from ..exceptions import (
    CommandError,
    CommandReason,
    CommunicationError,
    EnphaseError,
    NotAllowedError,
    ResponseError,
)
from ..models.commands import Command, CommandResult, Outcome, Value, Way
from ..models.storage import SCHED, SECCTRL, TARIFF, Storage, StorageMode, StorageSettings
from . import tariff
from .proof import Observation, Prover, Timing, now

if TYPE_CHECKING:
    from .gateway import Gateway


class StorageControl(Prover):
    """How the batteries are used; `Control` adds the commands for everything else."""

    def __init__(self, gateway: Gateway, timing: Timing | None = None) -> None:
        super().__init__(timing)
        self._gateway = gateway
        self._local_writes_again_at = 0.0

    @property
    def are_local_writes_ignored(self) -> bool:
        """Whether the battery controller ignored the document within the hour: `set_storage` skips it."""
        return now() < self._local_writes_again_at

    async def storage(self, cloud: BatteryCloud | None = None) -> Storage:
        """Return how the batteries are used; this takes three small requests.

        Where the gateway does not tell the mode, it is that of the `cloud`, unless a change is pending there.
        """
        call = self._gateway.optional_call
        storage = Storage.from_json(await call(TARIFF), await call(SCHED), await call(SECCTRL))
        if cloud is None or storage.document is None or storage.mode is not None:
            return storage
        return tariff.with_cloud(storage, await cloud.settings())

    async def set_storage(
        self,
        *,
        mode: StorageMode | str | None = None,
        reserve: float | None = None,
        charge_from_grid: bool | None = None,
        shutdown_level: float | None = None,
        cloud: BatteryCloud | None = None,
    ) -> CommandResult:
        """Change how the batteries are used, in one write; None: unchanged. Levels are in %.

        Where the controller ignores the gateway's document, or the token may not write it, the change is sent
        to the `cloud`, if there is one. For an hour from then on, the document is not tried again
        (`are_local_writes_ignored`); not for longer, as the controller may only have been slow. By the cloud,
        the gateway acts within 20 s; the cloud may need up to 15 minutes to have a new mode. Until then,
        `confirm` returns PENDING with Reason.CLOUD_PENDING, which is not final: call it again later.
        """
        if mode is not None:
            mode = StorageMode(one_of("mode", mode, tuple(StorageMode)))
        requested = given(
            mode=mode, reserve=reserve, charge_from_grid=charge_from_grid, shutdown_level=shutdown_level
        )
        for name in ("reserve", "shutdown_level"):
            require_level(name, requested.get(name))

        before = None
        if cloud is None or not self.are_local_writes_ignored:
            try:
                result = await self._set_storage_locally(requested)
            except NotAllowedError:
                if cloud is None:
                    raise
            else:
                if cloud is None or result.outcome is Outcome.HELD:
                    return result
                before = result.before
            self._local_writes_again_at = now() + self.timing.local_again
        return await self._set_storage_by_cloud(requested, cloud, before)

    async def _set_storage_locally(self, requested: Mapping[str, Value]) -> CommandResult:
        written: StorageSettings | None = None

        async def send() -> None:
            document = tariff.change_document(await self._gateway.api_call(TARIFF), requested)
            nonlocal written
            written = StorageSettings.from_json(document)
            await self._write(TARIFF, "PUT", document)

        async def observe() -> Observation:
            return tariff.observe(await self.storage(), written=written, has_mode="mode" in requested)

        check = partial(tariff.require_levels, requested)
        return await self._run(Command.STORAGE, requested, send=send, observe=observe, check=check)

    async def _set_storage_by_cloud(
        self, requested: Mapping[str, Value], cloud: BatteryCloud, before: Mapping[str, Value] | None
    ) -> CommandResult:
        changes: dict[str, Any] = dict(requested)

        async def send() -> None:
            with _errors_of_cloud():
                await cloud.change(**changes)

        return await self._run(
            Command.STORAGE,
            requested,
            send=send,
            observe=partial(self._observe_by_cloud, cloud),
            within=self.timing.cloud,
            way=Way.CLOUD,
            before=before,
            check=partial(tariff.require_levels, requested),
        )

    async def _observe_by_cloud(self, cloud: BatteryCloud) -> Observation:
        storage = await self.storage()
        with _errors_of_cloud():
            settings = await cloud.settings()
        return tariff.observe(storage, settings)

    async def _write(self, path: str, method: str, body: Any) -> None:
        """Send a document, or a text; what the gateway answers proves nothing.

        Raises CommandError if it has no such endpoint, as without the device, CommunicationError if the
        command may have been carried out although the answer is an error.
        """
        content = {"data" if isinstance(body, str) else "json": body}
        try:
            await self._gateway.api_call(path, method, response_raw=True, **content)
        except ResponseError as error:
            if error.status == 404:
                raise CommandError(
                    f"this gateway takes no command at {path}: the device is missing", CommandReason.NO_DEVICE
                ) from None
            if error.retryable:
                raise CommunicationError(str(error), path=path) from error
            raise


@contextmanager
def _errors_of_cloud() -> Iterator[None]:
    try:
        yield
    except EnphaseError as error:
        error.is_from_cloud = True
        raise


def given(**values: Value) -> dict[str, Value]:
    """Return the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    """Return the one of the known values. Raises CommandError if it is none of them."""
    if value not in known:
        raise CommandError(f"{name} must be one of {', '.join(known)}")
    return known[known.index(str(value))]


def require_level(name: str, value: Value) -> None:
    """Raise CommandError for a level that is no percentage; None is none."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise CommandError(f"{name} must be from 0 to 100 %")
