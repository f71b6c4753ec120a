// Every region: its load, what of its capacity that is, and how the month has driven it.

import { addressOf } from "./address.js";
import { bar, byId, choice, count, fillTable, make, put, swatch } from "./elements.js";
import { clock, duration, full, percent, short } from "./format.js";
import { word } from "./language.js";
import { perSecond, STALE_AFTER_SECONDS } from "./panel-key.js";

const BLOCK_SECONDS = 900;
/** More than a person reads; those of least load are left out. Their sums count all the same. */
const ROWS_MAX = 100;

/** What stands in the row of each region. Exported for tests; it touches no element. */
export function rowsOf(sections, now) {
  const { load, today, period, capacity } = Object.fromEntries(Object.entries(sections).map(([name, section]) => [name, section.data]));
  const months = new Map((period?.regions ?? []).map((region) => [region.region, region]));
  const days = new Map((today?.regions ?? []).map((region) => [region.region, region]));
  const loads = load?.region_tokens_per_second ?? {};
  const names = new Set([...Object.keys(loads), ...days.keys(), ...(today?.seen_regions ?? []), ...months.keys()]);
  // One block of the month, still running or not: its peak and factors say nothing of the month yet.
  const young = period?.period_start !== null && now - period?.period_start < BLOCK_SECONDS;
  return [...names]
    .map((name) => {
      const end = load?.region_interval_end[name];
      const known = Number(capacity?.regions[name] ?? 0);
      const month = months.get(name) ?? null;
      return {
        name,
        // Not known while the load cannot be read, which is not silence.
        load: load === null ? null : (loads[name] ?? 0),
        silentFor: load === null ? null : end === undefined ? 3 * 3600 : now - end > STALE_AFTER_SECONDS ? now - end : null,
        capacity: known > 0 ? known : null,
        day: days.get(name) ?? null,
        month,
        told: month !== null && !month.one_block && !young,
      };
    })
    .sort((a, b) => (b.load ?? 0) - (a.load ?? 0) || (a.name < b.name ? -1 : 1));
}

export function showRegions(period, sections, now) {
  const rows = rowsOf(sections, now);
  const bands = new Map((sections.load.data?.regions ?? []).map((curve, index) => [curve.sum_of === 1 ? curve.region : null, index]));
  bands.delete(null);
  fillTable(byId("regions-table"), word("regions_table"), columns(), rows.slice(0, ROWS_MAX).map((row) => cells(row, bands.get(row.name))));
  const factor = period.coincidence_factor;
  put(
    "regions-hint",
    `${word("hint_month")}${factor === null ? "" : word("coincidence", { factor: factor.toFixed(2) })}${
      rows.length > ROWS_MAX ? ` · ${word("first_names", { shown: ROWS_MAX, count: full(rows.length) })}` : ""
    }`,
    word("hint_long"),
  );
  showUse(rows);
}

function columns() {
  return [
    { title: word("region"), kind: "long" },
    { title: word("load"), kind: "number", label: word("label_load") },
    { title: word("in_use"), kind: "gauge", label: word("label_in_use") },
    { title: word("peak_15"), kind: "number", label: word("label_peak") },
    { title: word("load_factor_short"), kind: "number", label: word("label_lf") },
    { title: word("reserve"), kind: "number", wide: true, label: word("label_reserve") },
  ];
}

function cells({ name, load, silentFor, capacity, day, month, told }, band) {
  const use = capacity === null || load === null ? null : load / capacity;
  const reason = month === null ? null : told ? word("this_month") : word("one_block");
  const margin = month === null ? null : told ? word("margin", { peak: perSecond(month.peak_tokens_per_second) }) : word("one_block");
  return [
    { text: make("span", {}, swatch(band), choice(addressOf({ region: name, by: "model" }), name)), title: name },
    silentFor !== null ? { text: word("silent"), title: word("no_usage_for", { duration: duration(silentFor) }), kind: "warn" } : count(load, perSecond(load)),
    use === null || silentFor !== null ? "–" : { text: bar(use, percent(use, 0)), title: word("of_capacity", { capacity: full(capacity) }) },
    day === null ? "–" : count(day.peak_tokens_per_second, word("at", { rate: perSecond(day.peak_tokens_per_second), time: clock(day.peak_block) })),
    { text: told ? percent(month.load_factor, 0) : "–", title: reason },
    { text: told ? percent(month.reserve_margin, 0) : "–", title: margin },
  ];
}

/** Capacity in use: of the regions that are shown and whose capacity the catalogue knows. */
function showUse(rows) {
  const known = rows.filter((row) => row.capacity !== null && row.load !== null);
  const capacity = known.reduce((sum, row) => sum + row.capacity, 0);
  const load = known.reduce((sum, row) => sum + row.load, 0);
  put("use", capacity ? percent(load / capacity) : "–");
  put("use-note", capacity ? word("of_capacity", { capacity: short(capacity) }) : word("no_capacity"));
}
