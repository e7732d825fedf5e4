"""The direction of imports: no cycles of packages, and no developer tools in the product."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from development.steps import PROJECT

COMPANION = PROJECT / "scripts/enphase_companion"
INTEGRATION = PROJECT / "custom_components/enphase_iq_gateway"


def imported(file: Path) -> Iterator[tuple[str, ...]]:
    """Yield the imports of a file; relative ones are resolved."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = file.parts[: -node.level] if node.level else ()
            module = tuple(node.module.split(".")) if node.module else ()
            yield from ((*above, *module, alias.name) for alias in node.names)


def packages() -> dict[str, set[str]]:
    """Return the packages and modules of the scripts with those that they import."""
    depth = len(COMPANION.parts)
    found: dict[str, set[str]] = {}
    for file in COMPANION.rglob("*.py"):
        name = file.relative_to(COMPANION).parts[0].removesuffix(".py")
        inside = {parts[depth] for parts in imported(file) if parts[:depth] == COMPANION.parts}
        found.setdefault(name, set()).update(inside - {name})
    return found


def test_packages_of_the_scripts_import_each_other_in_one_direction() -> None:
    order = list(TopologicalSorter(packages()).static_order())
    assert order.index("runtime") < order.index("config") < order.index("commands")


def test_only_the_simulator_package_imports_the_simulator() -> None:
    assert [name for name, others in packages().items() if "simulator" in others] == []


def test_the_product_imports_neither_developers_tools_nor_tests() -> None:
    files = [*COMPANION.rglob("*.py"), *INTEGRATION.rglob("*.py")]
    assert files
    for file in files:
        assert {"development", "tests"}.isdisjoint(parts[0] for parts in imported(file)), file


def test_the_client_imports_neither_home_assistant_nor_the_scripts() -> None:
    for file in (INTEGRATION / "enphase_api").rglob("*.py"):
        assert {"homeassistant", "enphase_companion"}.isdisjoint(parts[0] for parts in imported(file)), file


def test_no_test_module_imports_from_another_one() -> None:
    for file in (PROJECT / "tests").rglob("test_*.py"):
        for parts in imported(file):
            module = (PROJECT if parts[0] == "tests" else Path()).joinpath(*parts[:-1])
            is_test = module.name.startswith("test_") and module.with_suffix(".py").exists()
            assert not is_test, f"{file} imports from {module}"
