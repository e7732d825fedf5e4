"""The map of the panels in Chromium, beside a page with as many plain buttons.

Each figure is what Chromium's own performance metrics count for script, style and layout together.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from playwright.sync_api import Error, Page, Route, sync_playwright
from rich.progress import Progress

from ..steps import PROJECT
from .measures import BenchmarkError
from .results import Result, middle

#: Packages whose versions are printed below the figures.
PACKAGES = ("playwright",)

_MODULES = PROJECT / "custom_components" / "enphase_iq_gateway" / "frontend"
_URL = "http://dashboard.invalid/"
_PANELS, _ROUNDS, _QUICK_ROUNDS = 60, 50, 3
_METRICS = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
_MILLI = 1e3

#: What the map reads of Home Assistant: entities, devices and states; and what is measured.
_PAGE = """<!doctype html><script type="module">
import "./panels.js";
const entities = {}, devices = {}, states = {};
for (let number = 0; number < %d; number += 1) {
  const id = `sensor.inverter_${482200010001 + number}`;
  entities[id] = { entity_id: id, device_id: id, platform: "enphase_iq_gateway" };
  devices[id] = { name: `Inverter ${482200010001 + number}`, model: "Microinverter" };
  states[id] = { state: String(200 + number), attributes: { unit_of_measurement: "W" } };
}
const hass = { entities, devices, states, language: "en", callWS: async () => ({}) };
const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
let card, count = 0, current = states;
window.clear = async () => { document.body.replaceChildren(); await frames(); };
window.render = async () => {
  card = document.createElement("enphase-iq-gateway-panels");
  card.setConfig({});
  card.hass = hass;
  document.body.append(card);
  await frames();
};
window.plain = async () => {
  const button = (_, index) => `<button aria-label="${index}"><span>${index}</span></button>`;
  document.body.innerHTML = Array.from({ length: %d }, button).join("");
  await frames();
};
window.update = async (changed) => {
  count += 1;
  current = { ...current };
  Object.keys(states).slice(0, changed).forEach((id) => {
    current[id] = { ...states[id], state: String(100 + ((count + Number(id.slice(-3))) %% 100)) };
  });
  card.hass = { ...hass, states: current };
  await frames();
};
window.ready = true;
</script><body></body>"""


def run(parts: Sequence[str], progress: Progress, *, quick: bool, against: Path | None) -> Iterator[Result]:
    """Yield the figures of these parts. Raises BenchmarkError without Chromium, or with `against`."""
    if against is not None:
        raise BenchmarkError("the map is compared with plain buttons: --against has no use here")
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.route(f"{_URL}**", _serve)
            page.goto(_URL)
            page.wait_for_function("window.ready")
            task = progress.add_task("drawing", total=len(parts) * rounds * 2)
            yield from _measure(page, parts, rounds, lambda: progress.advance(task))
            browser.close()
    except Error as error:
        raise BenchmarkError(f"Chromium failed: {error.message.splitlines()[0]}") from error


def _serve(route: Route) -> None:
    name = route.request.url.removeprefix(_URL)
    if name:
        route.fulfill(path=_MODULES / name, content_type="text/javascript")
    else:
        route.fulfill(body=_PAGE % (_PANELS, _PANELS), content_type="text/html")


def _measure(page: Page, parts: Sequence[str], rounds: int, advance: Callable[[], None]) -> Iterator[Result]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def spent() -> float:
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        return float(sum(metrics[name] for name in _METRICS)) * _MILLI

    def cost(action: str, *, cleared: bool) -> float:
        """Return the milliseconds of a function of the page."""
        if cleared:
            page.evaluate("clear()")
        before = spent()
        page.evaluate(action)
        advance()
        return spent() - before

    def compare(figure: str, ours: str, reference: str, *, cleared: bool) -> Result:
        taken = [(cost(ours, cleared=cleared), cost(reference, cleared=cleared)) for _ in range(rounds)]
        first, second = zip(*taken, strict=True)
        return Result("dashboard", figure, "ms", middle(first), middle(second))

    if "render" in parts:
        yield compare(f"render {_PANELS} panels (plain buttons)", "render()", "plain()", cleared=True)
    if "update" in parts:
        page.evaluate("clear()")
        page.evaluate("render()")
        yield compare(
            f"one changed panel (all {_PANELS} changed)", "update(1)", f"update({_PANELS})", cleared=False
        )
