"""The Compose files are valid YAML, and everything that a service refers to is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from development.steps import PROJECT

FILES = [PROJECT / "compose.yaml", PROJECT / "configuration" / "fleet" / "compose.yaml"]

#: Made by their owner.
MADE = {"secrets", "charts"}


@pytest.mark.parametrize("file", FILES, ids=["single", "fleet"])
def test_a_compose_file_refers_only_to_what_is_there(file: Path) -> None:
    compose: dict[str, Any] = yaml.safe_load(file.read_text())
    assert set(compose) - {"name", "services", "secrets", "volumes"} <= {"x-script", "x-broker"}
    for name, service in compose["services"].items():
        assert "image" in service, name
        if "build" in service:
            assert (file.parent / service["build"] / "Dockerfile").is_file(), name
        assert set(service.get("secrets", ())) <= set(compose["secrets"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                path = (file.parent / source).resolve()
                assert path.exists() or MADE & set(path.parts), (name, source)
            else:
                assert source in compose["volumes"], (name, source)
    used = [
        service.get(kind, ()) for service in compose["services"].values() for kind in ("secrets", "volumes")
    ]
    assert all(
        any(each in str(names) for names in used) for each in [*compose["secrets"], *compose["volumes"]]
    )


def test_a_fleet_has_three_brokers_two_consumers_and_a_replica() -> None:
    services: dict[str, Any] = yaml.safe_load(FILES[1].read_text())["services"]
    assert sum(service["image"].startswith("rabbitmq:") for service in services.values()) == 3
    assert services["consumer"]["deploy"]["replicas"] == 2
    assert services["consumer"]["command"] == ["enphase-amqp-database-meters"]
    assert services["replica"]["environment"]["MARIADB_MASTER_HOST"] == "database"
    assert services["chart"]["environment"]["ENPHASE_DATABASE_HOST"] == "replica"
