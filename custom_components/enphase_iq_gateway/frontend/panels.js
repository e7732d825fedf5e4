/**
 * The map of the panels: a card, and its editor, in which panels are dragged to their places.
 *
 * Configuration: { gateway, places: { "sensor.…": { x, y, tilt } } }. `gateway` is the id of its device (default:
 * all gateways); x and y count panel widths from the left and the top, tilt is in degrees, clockwise.
 */
import { text } from "./texts.js";

const PLATFORM = "enphase_iq_gateway";
const CARD = "enphase-iq-gateway-panels";
const EDITOR = "enphase-iq-gateway-panels-editor";

/** Height of a panel, and the gap around it, in panel widths. */
const HEIGHT = 1.6;
const GAP = 0.06;
/** Pixels of the widest panel. */
const MAX_WIDTH = 96;
/** Steps of the editor, in panel widths and degrees. */
const MOVE_STEP = 0.25;
const TILT_STEP = 5;
/** What is behind the median by more than this share has a mark; the scale ends as far above it. */
const BEHIND = 0.2;
/** Colours of nothing and of the most; every mixture differs in brightness, too, and so for the colour-blind. */
const LOW = [20, 42, 82];
const HIGH = [255, 209, 71];
/** Milliseconds; after an interval, the energies at midnight are requested again. */
const HOUR = 3_600_000;
const ENERGY_INTERVAL = 300_000;
/** From the units that a user can choose for powers and energies to W and kWh. */
const FACTORS = { mW: 1e-3, kW: 1e3, MW: 1e6, Wh: 1e-3, MWh: 1e3, GWh: 1e6 };

/** Return whether an entity is the power of a microinverter, which has the name of its device. */
export function isPanelPower(hass, entity) {
  return (
    entity.platform === PLATFORM &&
    !entity.translation_key &&
    !entity.hidden &&
    hass.devices[entity.device_id]?.model === "Microinverter"
  );
}

/** Return the time of the last midnight in a time zone. */
function midnight(timeZone) {
  const now = new Date();
  const there = new Date(now.toLocaleString("en-US", { timeZone }));
  return new Date(now - (there - new Date(there).setHours(0, 0, 0, 0)));
}

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** Return background and text colour for a share from 0 to 1; the text has a contrast of at least 4.5. */
function colours(share) {
  const mixed = LOW.map((low, index) => Math.round(low + (HIGH[index] - low) * share));
  const [red, green, blue] = mixed.map((each) =>
    each <= 10 ? each / 3294 : ((each / 255 + 0.055) / 1.055) ** 2.4,
  );
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return [`rgb(${mixed.join(" ")})`, luminance > 0.179 ? "#000" : "#fff"];
}

function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const STYLE = `
  :host { display: block; }
  .head, .legend { display: flex; align-items: center; gap: 8px; padding: 12px 16px; }
  .head { justify-content: space-between; flex-wrap: wrap; }
  .modes { display: flex; border-radius: 18px; overflow: hidden; border: 1px solid var(--divider-color); }
  .modes button { border: 0; padding: 8px 16px; min-height: 36px; cursor: pointer; font: inherit;
    background: none; color: var(--primary-text-color); }
  .modes button[aria-pressed="true"] { background: var(--primary-text-color); color: var(--card-background-color); }
  .map { position: relative; margin: 0 auto; width: calc(100% - 32px); container-type: inline-size; }
  .panel { position: absolute; box-sizing: border-box; padding: 0; border: 1px solid rgb(0 0 0 / 40%);
    border-radius: 8%; cursor: pointer; font: inherit; font-size: var(--text-size); overflow: hidden; }
  .panel:focus-visible, .modes button:focus-visible { outline: 3px solid var(--primary-color); outline-offset: 1px; z-index: 2; }
  .panel.behind { border: 3px dashed #d55e00; }
  .panel.none { color: var(--primary-text-color); background: repeating-linear-gradient(45deg,
    var(--secondary-background-color) 0 6px, var(--card-background-color) 6px 12px); }
  .scale { flex: 1; height: 12px; border-radius: 6px;
    background: linear-gradient(to right, rgb(${LOW.join(" ")}), rgb(${HIGH.join(" ")})); }
  .words { padding: 0 16px 12px; color: var(--primary-text-color); }
  .edit .panel { cursor: move; touch-action: none; }
  .edit .panel[aria-pressed="true"] { outline: 3px solid var(--primary-color); z-index: 1; }
  .handle { position: absolute; width: 24px; height: 24px; margin: -12px; border-radius: 50%; z-index: 3;
    background: var(--primary-color); cursor: grab; touch-action: none; }
  .edit .map { background: var(--secondary-background-color); border-radius: 8px; width: 100%; }
  .edit .words { padding: 8px 0; }
`;

/** A map: its panels, where they are, and their colours. Card and editor differ in what panels do. */
class PanelMap extends HTMLElement {
  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    this._elements = new Map();
    this._shown = new Map();
    this._margin = GAP;
    this._mode = "power";
    this._most = 0;
    this._energies = {};
  }

  setConfig(config) {
    if (config.places && typeof config.places !== "object") {
      throw new Error("places: enter the entities of panels with x, y and tilt");
    }
    this._config = config;
    if (this._map) {
      this._place();
    } else if (this._hass) {
      this._build();
    }
  }

  set hass(hass) {
    const before = this._hass;
    this._hass = hass;
    if (!this._config) {
      // Editors get their configuration later.
      return;
    }
    // The registries are new objects after each change, the states of unchanged entities the same ones.
    if (
      !this._map ||
      before.entities !== hass.entities ||
      before.devices !== hass.devices ||
      before.language !== hass.language
    ) {
      this._build();
    } else {
      this._update();
    }
  }

  get hass() {
    return this._hass;
  }

  text(key, values) {
    return text(this._hass.language, key, values);
  }

  /** Return the powers of the panels, in the order of their serial numbers. */
  _find() {
    const { entities, devices } = this._hass;
    const { gateway } = this._config;
    return Object.values(entities)
      .filter((each) => isPanelPower(this._hass, each))
      .filter((each) => !gateway || devices[each.device_id].via_device_id === gateway)
      .map((each) => [this._name(each), each])
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, each]) => each);
  }

  _name(entity) {
    const device = this._hass.devices[entity.device_id];
    return entity.name || device.name_by_user || device.name;
  }

  _build() {
    const digits = (count) => ({ minimumFractionDigits: count, maximumFractionDigits: count });
    this._numbers = {
      power: new Intl.NumberFormat(this._hass.language, digits(0)),
      energy: new Intl.NumberFormat(this._hass.language, digits(2)),
    };
    this._panels = this._find();
    this._elements.clear();
    this._shown.clear();
    this._map = create("div", { className: "map", role: "group", ariaLabel: this.text("panels") });
    for (const panel of this._panels) {
      const element = create("button", { type: "button", className: "panel" });
      this._elements.set(panel.entity_id, element);
      this._prepare(element, panel);
      this._map.append(element);
    }
    this.shadowRoot.replaceChildren(create("style", { textContent: STYLE }), this._frame());
    this._place();
    this._update();
  }

  /** Return the place of each panel: as configured, or else in rows below the configured ones. */
  _places() {
    const configured = this._config.places ?? {};
    const placed = this._panels.filter((each) => configured[each.entity_id]);
    const others = this._panels.filter((each) => !configured[each.entity_id]);
    const columns = Math.max(4, Math.ceil(Math.sqrt(1.6 * this._panels.length)));
    const top = Math.max(0, ...placed.map((each) => configured[each.entity_id].y + HEIGHT));
    return new Map([
      ...placed.map((each) => [each.entity_id, { tilt: 0, ...configured[each.entity_id] }]),
      ...others.map((each, index) => [
        each.entity_id,
        { x: index % columns, y: top + Math.floor(index / columns) * HEIGHT, tilt: 0 },
      ]),
    ]);
  }

  _place() {
    const places = (this._current = this._places());
    const corners = [...places.values()].flatMap(({ x, y, tilt }) => {
      const angle = (tilt * Math.PI) / 180;
      const width = (Math.abs(Math.cos(angle)) + HEIGHT * Math.abs(Math.sin(angle))) / 2;
      const height = (HEIGHT * Math.abs(Math.cos(angle)) + Math.abs(Math.sin(angle))) / 2;
      const [middleX, middleY] = [x + 0.5, y + HEIGHT / 2];
      return [
        [middleX - width, middleY - height],
        [middleX + width, middleY + height],
      ];
    });
    const [left, top] = [0, 1].map((axis) => Math.min(...corners.map((each) => each[axis])) - this._margin);
    const [right, bottom] = [0, 1].map(
      (axis) => Math.max(...corners.map((each) => each[axis])) + this._margin,
    );
    this._bounds = { left, top, width: right - left, height: bottom - top };
    this._map.style.maxWidth = `${(right - left) * MAX_WIDTH}px`;
    this._map.style.aspectRatio = `${right - left} / ${bottom - top}`;
    this._map.style.setProperty("--text-size", `min(${(32 / (right - left)).toFixed(2)}cqw, 18px)`);
    for (const [entityId, place] of places) {
      this._move(entityId, place);
    }
  }

  _move(entityId, { x, y, tilt }) {
    const { left, top, width, height } = this._bounds;
    const { style } = this._elements.get(entityId);
    style.left = `${((x - left + GAP) / width) * 100}%`;
    style.top = `${((y - top + GAP) / height) * 100}%`;
    style.width = `${((1 - 2 * GAP) / width) * 100}%`;
    style.height = `${((HEIGHT - 2 * GAP) / height) * 100}%`;
    style.transform = tilt ? `rotate(${tilt}deg)` : "";
  }

  /** Return the value of a panel in the chosen mode, W or kWh; null if it is unknown. */
  _value(entityId) {
    const { entityId: source, before } =
      this._mode === "power" ? { entityId, before: 0 } : (this._energies[entityId] ?? {});
    const state = this._hass.states[source];
    const number = parseFloat(state?.state) * (FACTORS[state?.attributes.unit_of_measurement] ?? 1) - before;
    return Number.isFinite(number) ? number : null;
  }

  /** Draw the panels whose value has changed, or all of them if the scale has. */
  _update() {
    const values = this._panels.map((each) => this._value(each.entity_id));
    const known = values.filter((each) => each !== null);
    if (this._mode === "power") {
      this._most = Math.max(this._most, ...known);
    }
    const middle = this._mode === "power" || !known.length ? 0 : median(known);
    const top = this._mode === "power" ? this._most : middle * (1 + BEHIND);
    this._panels.forEach((panel, index) => {
      const drawn = `${this._mode} ${values[index]} ${top}`;
      if (this._shown.get(panel.entity_id) !== drawn) {
        this._shown.set(panel.entity_id, drawn);
        this._draw(panel, values[index], top, middle);
      }
    });
    this._describe(top, middle);
  }

  _draw(panel, value, top, middle) {
    const element = this._elements.get(panel.entity_id);
    const share = top > 0 ? Math.min(1, Math.max(0, value / top)) : 0;
    const [background, colour] = value === null ? ["", ""] : colours(share);
    element.style.background = background;
    element.style.color = colour;
    element.classList.toggle("none", value === null);
    element.classList.toggle("behind", value !== null && value < middle * (1 - BEHIND));
    element.textContent = this._label(panel, value);
    element.ariaLabel = `${this._name(panel)}: ${value === null ? this.text("no_value") : this._format(value)}`;
  }

  _label(_panel, value) {
    return value === null ? "–" : this._number(value);
  }

  _number(value) {
    return this._numbers[this._mode].format(value);
  }

  _format(value) {
    return `${this._number(value)} ${this._mode === "power" ? "W" : "kWh"}`;
  }

  _describe() {}
}

class PanelsCard extends PanelMap {
  static getConfigElement() {
    return document.createElement(EDITOR);
  }

  static getStubConfig() {
    return {};
  }

  getCardSize() {
    return 6;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6 };
  }

  disconnectedCallback() {
    clearInterval(this._timer);
  }

  connectedCallback() {
    this._setMode(this._mode);
  }

  _prepare(element, panel) {
    element.addEventListener("click", () => {
      const detail = { entityId: panel.entity_id };
      this.dispatchEvent(new CustomEvent("hass-more-info", { detail, bubbles: true, composed: true }));
    });
  }

  _frame() {
    this._modes = ["power", "energy"].map((mode) =>
      create("button", {
        type: "button",
        textContent: this.text(`by_${mode}`),
        onclick: () => this._setMode(mode),
      }),
    );
    this._scale = ["span", "span"].map((tag) => create(tag));
    this._words = create("div", { className: "words", role: "status" });
    this._legend = create(
      "div",
      { className: "legend" },
      this._scale[0],
      create("div", { className: "scale" }),
      this._scale[1],
    );
    if (!this._panels.length) {
      this._words.textContent = this.text("no_panels");
    }
    this._fetchMost();
    return create(
      "ha-card",
      {},
      create("div", { className: "head" }, create("div", { className: "modes" }, ...this._modes)),
      this._map,
      this._legend,
      this._words,
    );
  }

  _describe(top, middle) {
    this._modes.forEach((button, index) => {
      button.ariaPressed = String(this._mode === ["power", "energy"][index]);
    });
    this._scale[0].textContent = this._format(0);
    this._scale[1].textContent = top > 0 ? this._format(top) : "–";
    if (this._panels.length) {
      const value = this._mode === "power" ? top : middle;
      const words =
        this._error ??
        (value > 0
          ? this.text(`legend_${this._mode}`, { value: this._format(value) })
          : this.text(this._mode === "power" ? "no_power" : "no_energy_today"));
      if (this._words.textContent !== words) {
        this._words.textContent = words;
      }
    }
  }

  _setMode(mode) {
    this._mode = mode;
    clearInterval(this._timer);
    if (mode === "energy") {
      this._fetchEnergies();
      this._timer = setInterval(() => this._fetchEnergies(), ENERGY_INTERVAL);
    }
    if (this._map) {
      this._update();
    }
  }

  /** Ask for the most power ever, which long-term statistics have. */
  async _fetchMost() {
    const found = await this._statistics(
      this._panels.map((each) => each.entity_id),
      { start_time: new Date(0).toISOString(), period: "month", types: ["max"], units: { power: "W" } },
    );
    this._most = Math.max(
      this._most,
      ...Object.values(found).flatMap((rows) => rows.map((row) => row.max ?? 0)),
    );
    this._update();
  }

  /**
   * Find what tells the energies of today: the sensor that has it, or the lifetime energy and what it was at midnight,
   * which statistics have (for new sensors: at the end of their first hour).
   */
  async _fetchEnergies() {
    const sensors = Object.values(this._hass?.entities ?? {}).filter((each) => each.platform === PLATFORM);
    const ofPanel = (panel, key) =>
      sensors.find((each) => each.device_id === panel.device_id && each.translation_key === key)?.entity_id;
    // The panels may be others when the answer arrives.
    const panels = this._panels.map((panel) => ({
      entityId: panel.entity_id,
      today: ofPanel(panel, "inverter_energy_today"),
      lifetime: ofPanel(panel, "inverter_lifetime_energy"),
    }));
    const lifetimes = panels.map((each) => each.lifetime).filter(Boolean);
    const found = await this._statistics(lifetimes, {
      start_time: new Date(midnight(this._hass.config.time_zone) - HOUR).toISOString(),
      period: "hour",
      types: ["state"],
      units: { energy: "kWh" },
    });
    this._energies = {};
    for (const { entityId, today, lifetime } of panels) {
      const before = found[lifetime]?.[0]?.state;
      if (today) {
        this._energies[entityId] = { entityId: today, before: 0 };
      } else if (Number.isFinite(before)) {
        this._energies[entityId] = { entityId: lifetime, before };
      }
    }
    this._update();
  }

  async _statistics(ids, options) {
    this._error = undefined;
    if (!ids.length) {
      return {};
    }
    try {
      return await this._hass.callWS({
        type: "recorder/statistics_during_period",
        statistic_ids: ids,
        ...options,
      });
    } catch (error) {
      // Without the recorder there are no statistics; the card says so, and shows the powers of now.
      this._error = error.message;
      return {};
    }
  }
}

/** The editor of the places: of the card, and of the dashboard, whose configuration has them, too. */
class PanelsEditor extends PanelMap {
  constructor() {
    super();
    this._margin = 0.75;
    this._selected = new Set();
  }

  _prepare(element, panel) {
    const id = panel.entity_id;
    element.addEventListener("pointerdown", (event) => {
      this._select(id, event.shiftKey || event.ctrlKey);
      this._drag(event, element, (dx, dy, before) => {
        this._change(before, (place) => ({
          ...place,
          x: snap(place.x + dx, MOVE_STEP),
          y: snap(place.y + dy, MOVE_STEP),
        }));
      });
    });
    element.addEventListener("focus", () => this._selected.has(id) || this._select(id, false));
    element.addEventListener("keydown", (event) => this._onKey(event));
  }

  _frame() {
    this._handle = create("div", { className: "handle", hidden: true });
    this._handle.addEventListener("pointerdown", (event) => this._onHandle(event));
    this._map.append(this._handle);
    this._status = create("div", { className: "words", role: "status" });
    const reset = create("ha-button", {
      textContent: this.text("edit_reset"),
      onclick: () => this._save({}),
    });
    const help = create("div", { className: "words", textContent: this.text("edit_help") });
    return create("div", { className: "edit" }, help, this._map, this._status, reset);
  }

  /** Return the last digits of the serial number, which are on the label of the microinverter. */
  _label(panel) {
    return this._name(panel).slice(-4);
  }

  _place() {
    super._place();
    this._showHandle();
  }

  _select(id, add) {
    if (!add && !this._selected.has(id)) {
      this._selected.clear();
    }
    this._selected.add(id);
    this._last = id;
    for (const [entityId, element] of this._elements) {
      element.ariaPressed = String(this._selected.has(entityId));
    }
    this._showHandle();
  }

  _showHandle() {
    const place = this._current.get(this._last);
    this._handle.hidden = !place;
    if (place) {
      const [x, y] = this._handlePlace(place);
      const { left, top, width, height } = this._bounds;
      this._handle.style.left = `${((x - left) / width) * 100}%`;
      this._handle.style.top = `${((y - top) / height) * 100}%`;
    }
  }

  _handlePlace({ x, y, tilt }) {
    const angle = (tilt * Math.PI) / 180;
    const reach = HEIGHT / 2 + 0.3;
    return [x + 0.5 + Math.sin(angle) * reach, y + HEIGHT / 2 - Math.cos(angle) * reach];
  }

  /** Call `move` with the way (in panel widths) and the places before, until the pointer is released. */
  _drag(event, element, move) {
    const unit = this._map.clientWidth / this._bounds.width;
    const before = new Map(this._current);
    const onMove = (moved) =>
      move((moved.clientX - event.clientX) / unit, (moved.clientY - event.clientY) / unit, before);
    const drag = new AbortController();
    const { signal } = drag;
    const end = () => {
      drag.abort();
      if ([...before].some(([id, place]) => place !== this._current.get(id))) {
        this._save();
      }
    };
    element.setPointerCapture(event.pointerId);
    element.addEventListener("pointermove", onMove, { signal });
    element.addEventListener("pointerup", end, { signal });
    element.addEventListener("pointercancel", end, { signal });
  }

  _onHandle(event) {
    const start = this._current.get(this._last);
    const [startX, startY] = this._handlePlace(start);
    this._drag(event, this._handle, (dx, dy, before) => {
      const [x, y] = [startX + dx - start.x - 0.5, startY + dy - start.y - HEIGHT / 2];
      const tilt = snap((Math.atan2(x, -y) * 180) / Math.PI, TILT_STEP);
      this._change(before, (place) => ({ ...place, tilt }));
    });
  }

  _onKey(event) {
    const way = {
      ArrowLeft: [-MOVE_STEP, 0, 0],
      ArrowRight: [MOVE_STEP, 0, 0],
      ArrowUp: [0, -MOVE_STEP, 0],
      ArrowDown: [0, MOVE_STEP, 0],
      PageUp: [0, 0, -TILT_STEP],
      PageDown: [0, 0, TILT_STEP],
    }[event.key];
    if (way) {
      event.preventDefault();
      this._change(this._current, ({ x, y, tilt }) => ({
        x: x + way[0],
        y: y + way[1],
        tilt: (tilt + way[2]) % 360,
      }));
      this._save();
    }
  }

  /** Change the places of the selected panels. */
  _change(before, change) {
    for (const id of this._selected) {
      this._current.set(id, change(before.get(id)));
      this._move(id, this._current.get(id));
    }
    this._showHandle();
    const panel = this._panels.find((each) => each.entity_id === this._last);
    const place = this._current.get(this._last);
    this._status.textContent = this.text("edit_place", { name: this._name(panel), ...place });
  }

  _save(places = Object.fromEntries(this._current)) {
    this._config = { ...this._config, places };
    this._place();
    const detail = { config: this._config };
    this.dispatchEvent(new CustomEvent("config-changed", { detail, bubbles: true, composed: true }));
  }
}

function snap(value, step) {
  return Math.round(value / step) * step;
}

customElements.define(CARD, PanelsCard);
customElements.define(EDITOR, PanelsEditor);
// The dialog "Add card" lists these.
window.customCards = window.customCards || [];
window.customCards.push({
  type: CARD,
  name: text(navigator.language, "map_name"),
  description: text(navigator.language, "map_description"),
});
