"""The sample code of the wrapper's documentation, with `await`."""

from __future__ import annotations

from pathlib import Path

import pytest

from enphase_api import NotTrustedError
from enphase_api.cloud.authentication import Authentication
from enphase_api.local.gateway import Gateway
from enphase_companion.simulator import Simulator


@pytest.mark.usefixtures("use_simulated_entrez")
async def test_the_documented_sample_works_once_the_gateway_is_trusted(sim: Simulator) -> None:
    username, password, serial, host = sim.username, sim.password, sim.serial_number, sim.url

    authentication = Authentication()
    assert await authentication.authenticate(username, password)
    token = await authentication.get_token_for_commissioned_gateway(serial)

    await Gateway.trust_gateway(host)

    gateway = Gateway(host)
    if await gateway.login(token):
        production = await gateway.api_call("/production.json")
    assert production["production"][0]["type"] == "inverters"


async def test_the_error_of_a_login_before_trust_names_trust_gateway(sim: Simulator) -> None:
    gateway = Gateway(sim.url)
    with pytest.raises(NotTrustedError, match="trust_gateway"):
        await gateway.login(sim.token())
    assert sim.requests == []


async def test_trust_stores_the_certificate_at_the_default_path_of_the_wrapper(
    sim: Simulator, working_folder: Path
) -> None:
    certificate = await Gateway.trust_gateway(sim.url)
    stored = working_folder / "configuration" / "gateway.cer"
    assert stored.read_text() == sim.certificate_pem
    assert stored.stat().st_mode & 0o777 == 0o600
    assert certificate.fingerprint == sim.fingerprint


async def test_a_client_created_before_trust_works_after_it(sim: Simulator) -> None:
    gateway = Gateway(sim.url)
    with pytest.raises(NotTrustedError):
        await gateway.login(sim.token())
    await Gateway.trust_gateway(sim.url)
    assert await gateway.login(sim.token())
