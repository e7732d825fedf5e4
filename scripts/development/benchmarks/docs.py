"""Pages and schemas of a recorded gateway, the inference of a schema, and the difference of two gateways."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.progress import Progress

from enphase_companion.endpoint_docs.catalogue import file_name, load_catalogue
from enphase_companion.simulator import Simulator

from .measures import BenchmarkError
from .results import Result, middle

#: Packages whose versions are printed below the figures.
PACKAGES = ("genson", "orjson")

_ENDPOINTS = 40
_SERVED = ("/ivp/meters/readings", "/ivp/ensemble/inventory", "/production.json", "/ivp/livedata/status")
_ROUNDS, _QUICK_ROUNDS = 5, 1
_BYTES, _QUICK_BYTES = 10_000_000, 1_000_000

#: Prints which names are in one of two recordings only.
_NAMES = """
import json, pathlib, sys
def names(value, path):
    for name, each in value.items() if isinstance(value, dict) else ():
        yield f"{path}.{name}"
        yield from names(each, f"{path}.{name}")
    for each in value if isinstance(value, list) else ():
        yield from names(each, f"{path}[]")
old, new = (
    {name for file in pathlib.Path(folder).iterdir() if file.name != "info"
     for name in names(json.loads(file.read_text()), file.name)}
    for folder in sys.argv[1:]
)
print(*sorted(old ^ new), sep="\\n")
"""
#: Exit status of --diff if there are differences.
_DIFFERENT = 1

Figures = tuple[float, ...]

_GENSON_FILES = """
import json, pathlib, sys
from genson import SchemaBuilder
for file in pathlib.Path(sys.argv[1]).iterdir():
    if file.name != "info":
        builder = SchemaBuilder()
        builder.add_object(json.loads(file.read_text()))
        pathlib.Path(sys.argv[2], file.name).write_text(builder.to_json(indent=2))
"""
#: Prints the seconds of the inference and the most memory of the process (MB), of which the answer is a part.
_INFERENCE = """
import resource, sys, time, orjson
{imported}
answer = orjson.loads(open(sys.argv[1], "rb").read())
begun = time.perf_counter()
{inferred}
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
_OURS = _INFERENCE.format(
    imported="from enphase_companion.endpoint_docs.schema import infer_schema",
    inferred="infer_schema([answer])",
)
_GENSON = _INFERENCE.format(
    imported="from genson import SchemaBuilder",
    inferred="builder = SchemaBuilder(); builder.add_object(answer); builder.to_schema()",
)


def run(parts: Sequence[str], progress: Progress, *, quick: bool, against: Path | None) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError if a process fails, or with `against`."""
    if against is not None:
        raise BenchmarkError("the schemas are compared with genson's: --against has no use here")
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    task = progress.add_task("documenting", total=len(parts) * rounds * 2)

    def measure(once: Callable[[], Figures]) -> Figures:
        progress.advance(task)
        return once()

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if "pages" in parts:
            recording = _record(folder / "recording")
            taken = [
                (
                    measure(partial(_time_pages, recording, folder / f"pages{number}")),
                    measure(partial(_time_genson, recording, folder / f"genson{number}")),
                )
                for number in range(rounds)
            ]
            yield _compare(f"pages_of_{_ENDPOINTS}_endpoints", "s", taken)
        if "diff" in parts:
            recordings = [_record(folder / profile, profile) for profile in ("three-phase", "battery")]
            taken = [
                (measure(partial(_time_diff, *recordings)), measure(partial(_time_names, *recordings)))
                for _ in range(rounds)
            ]
            yield _compare("diff_of_two_gateways", "s", taken)
        if "inference" in parts:
            answer = _write_answer(folder / "answer", _QUICK_BYTES if quick else _BYTES)
            taken = [
                (measure(partial(_infer, _OURS, answer)), measure(partial(_infer, _GENSON, answer)))
                for _ in range(rounds)
            ]
            yield _compare("inference", "s", taken)
            yield _compare("inference_memory", "MB", taken, index=1)


def _compare(figure: str, unit: str, taken: Sequence[tuple[Figures, Figures]], *, index: int = 0) -> Result:
    ours, theirs = zip(*taken, strict=True)
    return Result(
        "docs", figure, unit, middle(each[index] for each in ours), middle(each[index] for each in theirs)
    )


def _record(folder: Path, profile: str = "battery") -> Path:
    """Write a recording of 40 endpoints: answers of a simulated gateway, some of them at several paths."""
    folder.mkdir()
    answers = Simulator(profile, hour_of_day=11).gateway._answers
    (folder / "info").write_text(answers.info())
    requests = [
        request for endpoint in load_catalogue() for request in endpoint.requests if endpoint.format == "json"
    ]
    for number, request in enumerate(requests[: _ENDPOINTS - 1]):
        path, _, query = request.partition("?")
        answer = answers.get(path, query) or answers.get(_SERVED[number % len(_SERVED)], "")
        (folder / file_name(request)).write_text(json.dumps(answer))
    return folder


def _write_answer(file: Path, size: int) -> Path:
    """Write an answer of this many bytes: microinverters with channels, as /ivp/pdm/device_data has them."""
    one = {
        "serialNumber": "482200000001",
        "lastReportDate": 1785332858,
        "lastReportWatts": 211,
        "part": "800-01374-r02",
        "state": "normal",
        "active": True,
        "channels": [{"dcVoltageINmV": 33021, "frequency": 50.01, "watts": {"now": 211, "max": None}}] * 2,
    }
    count = size // (len(json.dumps(one)) + 1)
    file.write_text(
        json.dumps([{**one, "serialNumber": str(482200000001 + number)} for number in range(count)])
    )
    return file


def _time_pages(recording: Path, output: Path) -> Figures:
    command = Path(sys.executable).with_name("enphase-gateway-generate-docs")
    return (_time([str(command), "--from", str(recording), "--output", str(output)]),)


def _time_genson(recording: Path, output: Path) -> Figures:
    output.mkdir()
    return (_time([sys.executable, "-c", _GENSON_FILES, str(recording), str(output)]),)


def _time_diff(old: Path, new: Path) -> Figures:
    command = Path(sys.executable).with_name("enphase-gateway-generate-docs")
    return (_time([str(command), "--diff", str(old), str(new)], status=_DIFFERENT),)


def _time_names(old: Path, new: Path) -> Figures:
    return (_time([sys.executable, "-c", _NAMES, str(old), str(new)]),)


def _time(command: list[str], *, status: int = 0) -> float:
    begun = time.perf_counter()
    _run(command, status=status)
    return time.perf_counter() - begun


def _infer(script: str, answer: Path) -> Figures:
    return tuple(float(each) for each in _run([sys.executable, "-c", script, str(answer)]).split())


def _run(command: list[str], *, status: int = 0) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    if ended.returncode != status:
        raise BenchmarkError(f"{' '.join(command[:2])} failed: {ended.stderr.strip()[-500:]}")
    return ended.stdout
