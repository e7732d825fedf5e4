/**
 * The dashboard of the Enphase IQ Gateway: a strategy that writes itself from the entities that exist.
 *
 * It uses the cards of Home Assistant; only the map of the panels (panels.js) is its own.
 */
import { isPanelPower } from "./panels.js";
import { text } from "./texts.js";

const PLATFORM = "enphase_iq_gateway";
const STRATEGY = "enphase-iq-gateway";

/** The powers in the order of the flow, by translation key, with the colours of the Energy dashboard. */
const POWERS = {
  production_power: "amber",
  grid_power: "blue",
  battery_power: "teal",
  home_power: "deep-purple",
};
const ENERGIES = [
  "production_energy",
  "home_energy",
  "grid_energy_imported",
  "grid_energy_exported",
  "battery_energy_charged",
  "battery_energy_discharged",
];
const PRICES = ["import_price", "export_price"];
const BATTERIES = ["battery_charge", "battery_power", "battery_available_energy", "battery_capacity"];
/** Entities that change the battery, with the feature of their tile. */
const BATTERY_CONTROLS = {
  battery_mode: "select-options",
  battery_reserve: "numeric-input",
  charge_from_grid: "toggle",
};
const METERS = ["meter_problem", "meter_status"];
const ACCESS = ["grid_connected", "last_reading", "token_expiry", "certificate_expiry", "firmware"];
/** Entities of devices that are "off" while the device is silent. */
const CONNECTIONS = ["inverter_reporting", "unit_communicating"];
const SILENT = ["off", "unknown", "unavailable"];
/** The quantities of phases, by the end of the translation key. */
const PHASE_QUANTITIES = ["active_power", "voltage", "current", "power_factor"];
/** How many turned-off sensors a note names. */
const MAX_NAMED = 6;

/**
 * The gateways and their entities, as the dashboard needs them.
 *
 * A gateway has { device, entities, off }: its enabled entities (those of devices behind it, too),
 * and the registry entries of those that are disabled.
 */
class Site {
  constructor(hass, registry, preferences) {
    this.hass = hass;
    this.preferences = preferences;
    const shown = Object.values(hass.entities).filter((each) => each.platform === PLATFORM && !each.hidden);
    const off = registry.filter((each) => each.platform === PLATFORM && each.disabled_by);
    this.gateways = Object.values(hass.devices)
      .filter(
        (device) => device.identifiers?.some(([domain]) => domain === PLATFORM) && !device.via_device_id,
      )
      .map((device) => {
        const behind = (each) =>
          each.device_id === device.id || hass.devices[each.device_id]?.via_device_id === device.id;
        return { device, entities: shown.filter(behind), off: off.filter(behind) };
      });
  }

  text(key, values) {
    return text(this.hass.language, key, values);
  }

  /** Return the entities of a gateway (not of devices behind it) with these translation keys, in this order. */
  ofGateway(gateway, keys, domain) {
    return keys.flatMap((key) =>
      gateway.entities.filter(
        (each) =>
          each.translation_key === key &&
          each.device_id === gateway.device.id &&
          (!domain || each.entity_id.startsWith(`${domain}.`)),
      ),
    );
  }

  /** Return the name of an entity without that of its device. */
  name(entity) {
    const state = this.hass.states[entity.entity_id];
    return (
      (state && this.hass.formatEntityName(state, { type: "entity" })) || entity.name || entity.entity_id
    );
  }

  /** Return the name of a gateway's device. */
  deviceName(device) {
    return device.name_by_user || device.name;
  }

  /** Return whether the Energy dashboard has a source with an energy of one of the gateways. */
  get hasEnergy() {
    const ours = new Set(this.gateways.flatMap((each) => each.entities.map((entity) => entity.entity_id)));
    return (this.preferences?.energy_sources ?? []).some(
      (source) => ours.has(source.stat_energy_from) || ours.has(source.stat_energy_to),
    );
  }

  /** Return whether the Energy dashboard has this kind of source. */
  hasSource(...types) {
    return this.preferences.energy_sources.some((source) => types.includes(source.type));
  }
}

// Cards.

const heading = (words, icon) => ({ type: "heading", heading: words, icon });
const section = (...cards) => ({ type: "grid", cards: cards.flat().filter(Boolean) });
/** A section as wide as two, where there is room for two. */
const wide = (...cards) => ({ ...section(...cards), column_span: 2 });
const markdown = (content) => ({ type: "markdown", content, grid_options: { columns: "full" } });
/** Return a name as text of that card, whose content is a template with Markdown and HTML. */
const plain = (name) => name.replace(/[^\p{L}\p{N} ]/gu, (sign) => `&#${sign.codePointAt(0)};`);

function tile(entity, options = {}) {
  return { type: "tile", entity: entity.entity_id, name: { type: "entity" }, ...options };
}

/** Return a list of entities, whose names may be too long for tiles. */
function list(site, entities) {
  return (
    entities.length > 0 && {
      type: "entities",
      entities: entities.map((each) => ({ entity: each.entity_id, name: site.name(each) })),
      grid_options: { columns: "full" },
    }
  );
}

/** Return a graph of long-term statistics of some entities. */
function statistics(site, entities, options) {
  return {
    type: "statistics-graph",
    entities: entities.map((each) => ({ entity: each.entity_id, name: site.name(each) })),
    hide_legend: false,
    grid_options: { columns: "full" },
    ...options,
  };
}

const powerGraph = (site, entities, days = 1) =>
  statistics(site, entities, {
    chart_type: "line",
    period: days > 1 ? "hour" : "5minute",
    days_to_show: days,
    stat_types: ["mean"],
  });

const energyGraph = (site, entities, period, days) =>
  statistics(site, entities, { chart_type: "bar", period, days_to_show: days, stat_types: ["change"] });

/** Return a heading with the name of a gateway if there are several. */
function gatewayHeading(site, gateway) {
  return site.gateways.length > 1 && heading(site.deviceName(gateway.device), "mdi:solar-power");
}

/** Return a note on turned-off sensors with these translation keys (a list, or a test), if there are any. */
function turnedOff(site, gateway, keys) {
  const matches = typeof keys === "function" ? keys : (key) => keys.includes(key);
  const found = gateway.off.filter((each) => matches(each.translation_key ?? ""));
  if (!found.length) {
    return null;
  }
  const note = site.text("off_text", {
    name: plain(site.deviceName(gateway.device)),
    url: `/config/devices/device/${gateway.device.id}`,
  });
  const names = [...new Set(found.map((each) => each.name || each.original_name || each.entity_id))];
  const lines = names.slice(0, MAX_NAMED).map((name) => `- ${plain(name)}`);
  if (names.length > MAX_NAMED) {
    lines.push(`- ${site.text("off_more", { count: names.length - MAX_NAMED })}`);
  }
  return { ...markdown(`${note}\n\n${lines.join("\n")}`), title: site.text("off") };
}

// Views. Each returns its sections; a view without sections is left out.

function nowSections(site) {
  const sections = site.gateways.map((gateway) => {
    const powers = site.ofGateway(gateway, Object.keys(POWERS));
    const today = site.ofGateway(
      gateway,
      ENERGIES.map((key) => `${key}_today`),
    );
    const level = site.ofGateway(gateway, ["battery_charge"]);
    return section(
      gatewayHeading(site, gateway) || heading(site.text("now"), "mdi:flash"),
      powers.map((each) =>
        tile(each, {
          color: POWERS[each.translation_key],
          features: [{ type: "trend-graph", hours_to_show: 24 }],
        }),
      ),
      level.map((each) => tile(each, { color: "teal", features: [{ type: "bar-gauge" }] })),
      today.length > 0 && heading(site.text("today"), "mdi:calendar-today"),
      list(site, [...today, ...site.ofGateway(gateway, PRICES)]),
    );
  });
  if (!site.hasEnergy) {
    return [section(markdown(site.text("no_energy", { url: "/config/repairs" }))), ...sections];
  }
  const full = { grid_options: { columns: "full" } };
  const isMetered = site.hasSource("grid");
  return [
    ...sections,
    section(
      heading(site.text("energy_flow"), "mdi:transit-connection-variant"),
      { type: "energy-distribution", link_dashboard: true, ...full },
      isMetered && { type: "energy-self-sufficiency-gauge", grid_options: { columns: 6 } },
      isMetered && { type: "energy-solar-consumed-gauge", grid_options: { columns: 6 } },
      isMetered && heading(site.text("flow"), "mdi:chart-sankey"),
      isMetered && { type: "power-sankey", grid_options: { columns: "full", rows: 5 } },
    ),
  ];
}

function powerSections(site) {
  return site.gateways.flatMap((gateway) => {
    const powers = site.ofGateway(gateway, Object.keys(POWERS));
    const level = site.ofGateway(gateway, ["battery_charge"]);
    return powers.length
      ? [
          wide(
            gatewayHeading(site, gateway),
            { ...powerGraph(site, powers), title: site.text("power") },
            level.length > 0 && powerGraph(site, level),
          ),
        ]
      : [];
  });
}

function historySections(site) {
  return site.gateways.flatMap((gateway) => {
    const energies = site.ofGateway(gateway, ENERGIES);
    return energies.length
      ? [
          wide(gatewayHeading(site, gateway), {
            ...energyGraph(site, energies, "day", 31),
            title: site.text("days"),
          }),
          section({ ...energyGraph(site, energies, "month", 365), title: site.text("months") }),
          section({ ...energyGraph(site, energies, "year", 3650), title: site.text("years") }),
        ]
      : [];
  });
}

function phaseSections(site) {
  return site.gateways.flatMap((gateway) => {
    const phases = gateway.entities.filter((each) => each.translation_key?.endsWith("_phase"));
    const graphs = PHASE_QUANTITIES.flatMap((quantity) => {
      const found = phases
        .filter((each) => each.translation_key === `meter_${quantity}_phase`)
        .sort((one, other) => site.name(one).localeCompare(site.name(other)));
      return found.length ? [section(list(site, found), powerGraph(site, found))] : [];
    });
    const off = turnedOff(site, gateway, (key) =>
      PHASE_QUANTITIES.some((quantity) => key === `meter_${quantity}_phase`),
    );
    const note = !graphs.length && off;
    return note ? [section(gatewayHeading(site, gateway), note)] : graphs;
  });
}

function batterySections(site) {
  return site.gateways.flatMap((gateway) => {
    const sensors = site.ofGateway(gateway, BATTERIES, "sensor");
    if (!sensors.length) {
      return [];
    }
    const controls = Object.entries(BATTERY_CONTROLS).flatMap(([key, feature]) =>
      site
        .ofGateway(gateway, [key])
        .map((each) =>
          tile(each, each.entity_id.startsWith("sensor.") ? {} : { features: [{ type: feature }] }),
        ),
    );
    const levels = sensors.filter((each) => each.translation_key === "battery_charge");
    const units = gateway.entities.filter((each) => each.translation_key?.startsWith("battery_unit_"));
    const devices = [...new Set(units.map((each) => each.device_id))].map((id) => site.hass.devices[id]);
    return [
      section(
        gatewayHeading(site, gateway) || heading(site.text("all_batteries"), "mdi:home-battery"),
        sensors.map((each) => tile(each)),
        controls,
      ),
      section(heading(site.text("level_week"), "mdi:chart-line"), powerGraph(site, levels, 7)),
      ...devices.map((device) =>
        section(
          heading(site.deviceName(device), "mdi:battery"),
          gateway.entities.filter((each) => each.device_id === device.id).map((each) => tile(each)),
        ),
      ),
    ];
  });
}

function panelSections(site, config) {
  return site.gateways.flatMap((gateway) => {
    const inverters = gateway.entities.filter((each) => isPanelPower(site.hass, each));
    if (inverters.length) {
      const card = { type: "custom:enphase-iq-gateway-panels", grid_options: { columns: "full" } };
      const places = { places: config.places ?? {} };
      return [wide(gatewayHeading(site, gateway), { ...card, ...places, gateway: gateway.device.id })];
    }
    const hasPanels = Object.values(site.hass.devices).some(
      (each) => each.via_device_id === gateway.device.id && each.model === "Microinverter",
    );
    const url = `/config/integrations/integration/${PLATFORM}`;
    return hasPanels
      ? [section(gatewayHeading(site, gateway), markdown(site.text("panels_off", { url })))]
      : [];
  });
}

/** Return the section of the silent devices; it is hidden at night, when all microinverters are silent. */
function silentDevices(site, devices, production) {
  const ids = devices.map((each) => each.entity_id);
  const silent = `expand(${JSON.stringify(ids)}) | selectattr("state", "in", ${JSON.stringify(SILENT)})`;
  return {
    ...section(
      heading(site.text("silent"), "mdi:lan-disconnect"),
      {
        type: "entity-filter",
        entities: ids,
        conditions: [{ condition: "state", state: SILENT }],
        show_empty: false,
        card: { type: "entities" },
        grid_options: { columns: "full" },
      },
      {
        ...markdown(`{{ "" if ${silent} | list else ${JSON.stringify(site.text("all_report"))} }}`),
        show_empty: false,
      },
    ),
    visibility: production && [{ condition: "numeric_state", entity: production.entity_id, above: 0 }],
  };
}

function healthSections(site) {
  return site.gateways.flatMap((gateway) => {
    const meters = site.ofGateway(gateway, METERS);
    const devices = gateway.entities.filter(
      (each) => CONNECTIONS.includes(each.translation_key) || isPanelPower(site.hass, each),
    );
    const [production] = site.ofGateway(gateway, ["production_power"]);
    const access = site.ofGateway(gateway, ACCESS);
    return [
      access.length > 0 &&
        section(
          gatewayHeading(site, gateway) || heading(site.text("gateway"), "mdi:key"),
          list(site, access),
        ),
      meters.length > 0 && section(heading(site.text("meters"), "mdi:meter-electric"), list(site, meters)),
      devices.length > 0 && silentDevices(site, devices, production),
      section({ type: "repairs" }, turnedOff(site, gateway, [...METERS, ...CONNECTIONS, ...ACCESS])),
    ].filter((each) => each && each.cards.length);
  });
}

/** The views in their order: path, icon, and what returns the sections. */
const VIEWS = [
  ["now", "mdi:home-lightning-bolt", nowSections],
  ["power", "mdi:chart-bell-curve", powerSections],
  ["history", "mdi:chart-bar", historySections],
  ["phases", "mdi:sine-wave", phaseSections],
  ["batteries", "mdi:home-battery", batterySections],
  ["panels", "mdi:solar-panel-large", panelSections],
  ["health", "mdi:heart-pulse", healthSections],
];
/** Views of graphs, which need the width. */
const FEW_COLUMNS = { power: 2, history: 2, panels: 2, phases: 2 };

class GatewayStrategy extends HTMLElement {
  /** Return the editor of the places of the panels. */
  static getConfigElement() {
    return document.createElement("enphase-iq-gateway-panels-editor");
  }

  /** Return the dashboard. `config.places` are the places of the panels on the map. */
  static async generate(config, hass) {
    const [registry, preferences] = await Promise.all([
      hass.callWS({ type: "config/entity_registry/list" }),
      // There are none before the Energy dashboard has been set up.
      hass.callWS({ type: "energy/get_prefs" }).catch(() => null),
    ]);
    const site = new Site(hass, registry, preferences);
    if (!site.gateways.some((each) => each.entities.length)) {
      const url = `/config/integrations/dashboard/add?domain=${PLATFORM}`;
      return { views: [{ title: site.text("title"), cards: [markdown(site.text("no_entities", { url }))] }] };
    }
    const views = VIEWS.map(([path, icon, sections]) => ({
      type: "sections",
      title: site.text(path),
      path,
      icon,
      show_icon_and_title: true,
      max_columns: FEW_COLUMNS[path] ?? 4,
      sections: sections(site, config),
    }));
    return { title: site.text("title"), views: views.filter((view) => view.sections.length) };
  }
}

customElements.define(`ll-strategy-dashboard-${STRATEGY}`, GatewayStrategy);
// The dialog "Add dashboard" lists these.
window.customStrategies = window.customStrategies || [];
window.customStrategies.push({
  type: STRATEGY,
  strategyType: "dashboard",
  name: text(navigator.language, "title"),
  description: text(navigator.language, "description"),
  documentationURL: "https://github.com/enphase-iq-gateway/enphase-iq-gateway/blob/main/docs/dashboard.md",
});
