"""How the batteries are used: the controller's values before those of the tariff document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enphase_api import InvalidAnswerError
from enphase_api.local.tariff import change_document
from enphase_api.models import Storage, StorageMode, StorageSettings
from tests.recordings import find_recording

SCHED: dict[str, Any] = {
    "acb_current_mode": 6,
    "Charge From Grid Allowed": False,
    "sched_mode_key": [
        "ID - Idle",
        "ZN - Zero Net",
        "CG - Charge From Grid",
        "DG",
        "ND",
        "DL",
        "CP - Charge",
    ],
}
SECCTRL: dict[str, Any] = {
    "configured_backup_soc": 20,
    "VLS_Limit": 10,
    "Enc_commissioned_capacity": 5000,
    "ENC_agg_soc": 59,
}


def tariff(*, source: str | None = "Tariff", **settings: Any) -> dict[str, Any]:
    known = {
        "mode": "self-consumption",
        "reserved_soc": 20.0,
        "very_low_soc": 10,
        "charge_from_grid": False,
        "opt_schedules": False,
    }
    return {"tariff": {"storage_settings": known | settings}, "schedule": {"source": source}}


def test_all_values_of_a_document_that_the_controller_uses_are_known() -> None:
    storage = Storage.from_json(tariff(), SCHED, SECCTRL)
    assert storage == Storage(
        mode=StorageMode.SELF_CONSUMPTION,
        reserve=20,
        shutdown_level=10,
        charge_from_grid=False,
        from_controller=frozenset({"reserve", "shutdown_level", "charge_from_grid"}),
        document=StorageSettings(
            mode=StorageMode.SELF_CONSUMPTION,
            reserve=20,
            shutdown_level=10,
            charge_from_grid=False,
            optimized_schedules=False,
            is_scheduled=True,
        ),
        has_batteries=True,
        state_of_charge=59,
        scheduler_mode="CP",
    )
    assert not storage.is_outdated


@pytest.mark.parametrize(
    ("written", "name", "value"),
    [
        ({"charge_from_grid": True}, "charge_from_grid", False),
        ({"reserved_soc": 30.0}, "reserve", 20),
        ({"very_low_soc": 5}, "shutdown_level", 10),
    ],
)
def test_a_document_that_differs_from_the_controller_tells_nothing(
    written: dict[str, Any], name: str, value: object
) -> None:
    storage = Storage.from_json(tariff(**written), SCHED, SECCTRL)
    assert (getattr(storage, name), storage.mode, storage.is_outdated) == (value, None, True)


def test_a_document_without_a_schedule_of_it_tells_no_mode() -> None:
    storage = Storage.from_json(tariff(source=""), SCHED, SECCTRL)
    assert (storage.mode, storage.is_outdated) == (None, True)


@pytest.mark.parametrize("source", ["Tariff", "", None])
def test_a_full_reserve_confirms_mode_backup(source: str | None) -> None:
    storage = Storage.from_json(
        tariff(source=source, mode="backup"), SCHED, SECCTRL | {"configured_backup_soc": 100}
    )
    assert (storage.mode, storage.reserve) == (StorageMode.BACKUP, 100)
    assert Storage.from_json(tariff(source=source, mode="backup"), SCHED, SECCTRL).mode is None


def test_the_older_name_of_a_mode_is_known() -> None:
    assert Storage.from_json(tariff(mode="savings-mode")).mode is StorageMode.ECONOMY


def test_without_batteries_the_sums_are_no_settings() -> None:
    storage = Storage.from_json(tariff(), None, SECCTRL | {"Enc_commissioned_capacity": 0})
    assert (storage.reserve, storage.from_controller, storage.has_batteries) == (20, frozenset(), False)


def test_nothing_is_known_of_a_gateway_without_document() -> None:
    assert Storage.from_json() == Storage()
    assert Storage.from_json({"tariff": {}}) == Storage()


def test_an_answer_of_another_structure_is_an_error() -> None:
    with pytest.raises(InvalidAnswerError, match="/admin/lib/tariff"):
        Storage.from_json([])
    with pytest.raises(InvalidAnswerError, match="/ivp/sc/sched"):
        Storage.from_json(tariff(), "busy")


@pytest.mark.parametrize(
    ("allowed", "soc", "mode", "stuck"),
    [(True, 10, 6, True), (True, 20, 6, False), (True, 10, 2, False), (False, 10, 6, False)],
    ids=["stuck", "charged", "charging", "not allowed"],
)
def test_a_scheduler_that_does_not_charge_although_it_should_is_stuck(
    allowed: bool, soc: int, mode: int, stuck: bool
) -> None:
    schedule = SCHED | {"Charge From Grid Allowed": allowed, "acb_current_mode": mode}
    storage = Storage.from_json(tariff(charge_from_grid=allowed), schedule, SECCTRL | {"ENC_agg_soc": soc})
    assert storage.is_scheduler_stuck is stuck


@pytest.mark.parametrize("index", [-1, 7, None, "CG"])
def test_an_unknown_mode_of_the_scheduler_is_none(index: object) -> None:
    assert Storage.from_json(tariff(), SCHED | {"acb_current_mode": index}).scheduler_mode is None


@pytest.mark.parametrize(
    ("name", "mode", "reserve", "shutdown_level", "outdated"),
    [
        ("7.3.466_with_cts_3phase", "self-consumption", 0, 5, False),
        ("8.2.127_with_3cts_and_battery_split", "self-consumption", 20, 10, False),
        ("8.2.4264_metered_noct", "self-consumption", 30, 5, False),
        # Its schedule was not made from the document.
        ("8.3.5433_tot_is_net_cons", None, 0, 5, True),
    ],
)
def test_recorded_gateways_have_their_settings(
    name: str, mode: str | None, reserve: float, shutdown_level: float, outdated: bool
) -> None:
    folder = find_recording(name)

    def read(path: str) -> Any:
        return json.loads((folder / path).read_text(encoding="utf-8"))

    storage = Storage.from_json(read("admin_lib_tariff"), None, read("ivp_ensemble_secctrl"))
    assert (storage.mode, storage.reserve, storage.shutdown_level) == (mode, reserve, shutdown_level)
    assert (storage.charge_from_grid, storage.is_outdated) == (False, outdated)


@pytest.mark.parametrize(
    "name",
    [
        "7.3.466_with_cts_3phase",
        "7.6.175_with_cts",
        "8.2.127_with_3cts_and_battery_split",
        "8.2.4264_metered_noct",
        "8.3.5433_tot_is_net_cons",
    ],
)
def test_a_recorded_document_is_sent_as_it_was_read_but_for_the_change(name: str) -> None:
    text = (find_recording(name) / "admin_lib_tariff").read_text(encoding="utf-8")
    present = json.loads(text)
    settings = present["tariff"]["storage_settings"]
    sent = change_document(json.loads(text), {"reserve": 40.0})
    is_float = isinstance(settings["reserved_soc"], float)
    settings["reserved_soc"] = 40.0 if is_float else 40
    # As texts: with the order of keys, and whole numbers apart from decimal ones.
    assert json.dumps(sent) == json.dumps({"tariff": present["tariff"]})
