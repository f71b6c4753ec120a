// Each panel: figures of the document put where they belong.

import { DayCurve, LoadCurve } from "./charts.js";
import { bar, byId, fillTable, make, put } from "./elements.js";
import { clock, country, day, duration, full, moment, percent, short } from "./format.js";
import { Odometer } from "./odometer.js";

const STALE_AFTER_SECONDS = 180;
const AUTHORS_MAX = 7;
const PLACES_MAX = 6;
const lastKnown = (values) => values.findLastIndex((value) => value !== null);
const perSecond = (value) => (value === null || value === undefined ? null : `${full(Math.round(value))} tokens/s`);
const count = (value, unit) => ({ text: short(value), title: `${full(value)} ${unit}` });

let load = null;
let today = null;
const loadCurve = new LoadCurve(byId("load-chart"), (index) => readLoad(index));
const dayCurve = new DayCurve(byId("day-chart"), (index) => readDay(index));
const registers = {
  input_tokens: new Odometer(byId("register-input"), "tokens"),
  output_tokens: new Odometer(byId("register-output"), "tokens"),
  requests: new Odometer(byId("register-requests"), "requests"),
};

/** Draw the curves again in the colours of now. */
export function recolour() {
  loadCurve.forget();
  dayCurve.forget();
  if (load) loadCurve.show(load);
  if (today) dayCurve.show(today);
}

function readLoad(index) {
  const at = index ?? lastKnown(load.tokens_per_second);
  if (at < 0 || load.tokens_per_second[at] === null) return put("load-readout", "tokens/s, by minute");
  put(
    "load-readout",
    `${clock(load.minutes[at])} · ${short(load.tokens_per_second[at])} tokens/s`,
    load.regions.map((curve) => `${curve.region} ${short(curve.tokens_per_second[at])}`).join("\n"),
  );
}

function showLoad(data, sections, now) {
  load = data;
  loadCurve.show(load);
  readLoad(null);
  const at = lastKnown(load.tokens_per_second);
  const value = at < 0 ? null : load.tokens_per_second[at];
  put("load-now", short(value), perSecond(value));
  const age = load.last_interval_end === null ? null : now - load.last_interval_end;
  const old = age !== null && age > STALE_AFTER_SECONDS;
  put(
    "load-now-note",
    at < 0 ? "nothing in the last 3 h" : `minute ${clock(load.minutes[at])}${old ? `, ${duration(age)} ago` : ""}`,
  );
  byId("load-now-note").classList.toggle("warn", old);
  const requests = at < 0 ? null : load.requests_per_second[at];
  put("requests-now", short(requests && Number(requests.toFixed(1))), requests && `${full(Math.round(requests))} per second`);
  put("requests-note", requests ? `${full(Math.round(value / requests))} tokens each` : "");
  const known = load.regions.map((curve) => `${curve.region} ${at < 0 ? "–" : short(curve.tokens_per_second[at])}`);
  byId("load-chart").setAttribute(
    "aria-label",
    `Load of the last 3 hours in tokens per second; now ${short(value)}: ${known.join(", ")}`,
  );
  const from = Math.max(0, at - 14);
  const minutes = at < 0 ? [] : load.minutes.slice(from, at + 1).toReversed();
  fillTable(
    byId("load-table"),
    "Load in tokens per second by minute and region",
    [{ title: "Minute" }, { title: "System", kind: "number" }, ...load.regions.map((curve) => ({ title: curve.region, kind: "number" }))],
    minutes.map((minute, back) => [
      clock(minute),
      ...[load, ...load.regions].map((curve) => {
        const rate = curve.tokens_per_second[at - back];
        return { text: short(rate), title: perSecond(rate) };
      }),
    ]),
  );
}

function readDay(index) {
  if (index === null || index === undefined || today.tokens_per_second[index] === undefined) {
    return put("day-readout", "solid: today · dashed: yesterday");
  }
  const before = today.yesterday[index];
  put(
    "day-readout",
    `${clock(today.blocks[index])} · ${short(today.tokens_per_second[index])}${before === null ? "" : ` · yesterday ${short(before)}`}`,
  );
}

function showToday(data) {
  today = data;
  dayCurve.show(today);
  readDay(null);
  const peak = today.peak_tokens_per_second;
  put("peak", short(peak), perSecond(peak));
  put(
    "peak-note",
    peak === null ? "no block closed yet" : `${clock(today.peak_block)} to ${clock(today.peak_block + 900)}`,
  );
  put("load-factor", percent(today.load_factor), today.load_factor === null ? null : String(today.load_factor));
  put(
    "load-factor-note",
    peak === null ? "average ÷ peak" : `average ${short(today.average_tokens_per_second)} ÷ peak`,
  );
  put("tokens-today", short(today.tokens), `${full(today.tokens)} tokens`);
  put("tokens-today-note", today.blocks.length ? `until ${clock(today.blocks.at(-1) + 900)}` : "");
  byId("day-chart").setAttribute(
    "aria-label",
    peak === null
      ? "15-minute demand of today: no block closed yet"
      : `15-minute demand of today: peak ${short(peak)} tokens per second at ${clock(today.peak_block)}, average ${short(today.average_tokens_per_second)}`,
  );
  fillTable(
    byId("day-table"),
    "Demand in tokens per second by 15-minute block",
    [{ title: "Block" }, { title: "Today", kind: "number" }, { title: "Yesterday", kind: "number" }],
    today.blocks
      .map((block, index) => [
        clock(block),
        { text: short(today.tokens_per_second[index]), title: perSecond(today.tokens_per_second[index]) },
        { text: short(today.yesterday[index]), title: perSecond(today.yesterday[index]) },
      ])
      .toReversed(),
  );
}

function showRegions(period, sections, now) {
  const at = load ? lastKnown(load.tokens_per_second) : -1;
  const rates = new Map((load?.regions ?? []).map((curve) => [curve.region, at < 0 ? null : curve.tokens_per_second[at]]));
  const order = [...(load?.regions ?? []).map((curve) => curve.region)];
  const months = new Map(period.regions.map((region) => [region.region, region]));
  const days = new Map((today?.regions ?? []).map((region) => [region.region, region]));
  for (const name of months.keys()) if (!order.includes(name)) order.push(name);
  let capacity = 0;
  let delivered = 0;
  const rows = order.map((name, index) => {
    const month = months.get(name);
    const rate = rates.get(name) ?? null;
    const room = month?.capacity_tokens_per_second ? Number(month.capacity_tokens_per_second) : null;
    if (room !== null && rate !== null) {
      capacity += room;
      delivered += rate;
    }
    const end = load?.region_interval_end[name];
    const silent = end === undefined ? "3 h" : now - end > STALE_AFTER_SECONDS ? duration(now - end) : null;
    const swatch = make("span", { class: `swatch band-${index % 8}`, "aria-hidden": "true" });
    const peak = days.get(name)?.peak_tokens_per_second ?? null;
    return [
      { text: make("span", {}, rates.has(name) ? swatch : null, name), title: name },
      silent ? { text: "silent", title: `no usage for ${silent}`, kind: "warn" } : { text: short(rate), title: perSecond(rate) },
      room === null || rate === null || silent
        ? "–"
        : { text: bar(rate / room, percent(rate / room, 0)), title: `of ${full(room)} tokens/s` },
      peak === null ? "–" : { text: short(peak), title: `${perSecond(peak)} at ${clock(days.get(name).peak_block)}` },
      { text: percent(month?.load_factor, 0), title: month ? "this month" : null },
      { text: percent(month?.reserve_margin, 0), title: month ? `(capacity − peak) ÷ peak, peak ${perSecond(month.peak_tokens_per_second)}` : null },
    ];
  });
  fillTable(
    byId("regions-table"),
    "Regions: load, capacity in use, peak of today; load factor and reserve margin of this month",
    [
      { title: "Region", kind: "long" },
      { title: "Load", kind: "number", label: "tokens/s in the last closed minute" },
      { title: "In use", kind: "gauge", label: "load ÷ capacity" },
      { title: "Peak", kind: "number", label: "highest 15-minute demand of today, tokens/s" },
      { title: "LF", kind: "number", label: "load factor of this month: average ÷ peak" },
      { title: "Reserve", kind: "number", wide: true, label: "reserve margin against this month's peak" },
    ],
    rows,
  );
  const coincidence = period.coincidence_factor;
  put(
    "regions-hint",
    `LF, reserve: this month${coincidence === null ? "" : ` · coincidence ${coincidence.toFixed(2)}`}`,
    "LF is the load factor; the coincidence factor is the system's peak ÷ the sum of the regions' own peaks",
  );
  put("use", capacity ? percent(delivered / capacity) : "–");
  put("use-note", capacity ? `of ${short(capacity)} tokens/s` : "no capacity known");
}

function showMix(mix) {
  put("mix-week", mix.week_start === null ? "" : `week from ${day(mix.week_start)}`);
  const names = mix.origins.map((share) => `${country(share.name)} ${percent(share.share)}`);
  byId("mix-origins").setAttribute("aria-label", `Tokens by home country of the model's maker: ${names.join(", ")}`);
  byId("mix-origins").replaceChildren(
    ...mix.origins.map((share, index) => {
      const band = make("span", { class: `band band-${index % 8}`, title: names[index] });
      band.style.width = `${share.share * 100}%`;
      return band;
    }),
  );
  byId("mix-legend").replaceChildren(
    ...mix.origins.map((share, index) =>
      make(
        "li",
        { title: `${full(share.tokens)} tokens` },
        make("span", { class: `swatch band-${index % 8}`, "aria-hidden": "true" }),
        `${country(share.name)} `,
        make("b", {}, percent(share.share)),
      ),
    ),
  );
  const shown = mix.authors.slice(0, AUTHORS_MAX);
  const widest = shown[0]?.share || 1;
  fillTable(
    byId("mix-table"),
    "Tokens of the week by author",
    [{ title: "Author", kind: "long" }, { title: "Origin", kind: "code" }, { title: "Share", kind: "gauge" }, { title: "Tokens", kind: "number" }],
    shown.map((share) => [
      { text: share.name, title: share.name },
      { text: share.origin === "unknown" ? "–" : share.origin, title: country(share.origin) },
      bar(share.share / widest, percent(share.share)),
      count(share.tokens, "tokens"),
    ]),
  );
}

function showLeague(league) {
  put("league-week", league.week_start === null ? "no usage yet" : `ISO week from ${day(league.week_start)}`);
  fillTable(
    byId("league-table"),
    "Countries of the models' makers by tokens of the week",
    [
      { title: "#", kind: "rank" },
      { title: "Origin", kind: "long" },
      { title: "Share", kind: "number" },
      { title: "Before", kind: "number", label: "share in the week before" },
      { title: "Streak", kind: "number", label: "weeks in a row at rank 1" },
    ],
    league.places.slice(0, PLACES_MAX).map((place) => [
      String(place.rank),
      { text: country(place.origin), title: `${full(place.tokens)} tokens` },
      percent(place.share),
      percent(place.share_week_before),
      place.leading_weeks ? `${place.leading_weeks} wk` : "–",
    ]),
  );
}

function showModels(models) {
  fillTable(
    byId("models-table"),
    "Models by tokens since midnight UTC",
    [
      { title: "Model", kind: "long" },
      { title: "Author", kind: "long", wide: true },
      { title: "Share", kind: "number" },
      { title: "Tokens", kind: "number" },
    ],
    models.map((model) => [
      { text: model.model, title: model.model },
      { text: model.author, title: `${model.author}, ${country(model.origin)}` },
      percent(model.share),
      { text: short(model.tokens), title: `${full(model.tokens)} tokens, ${full(model.requests)} requests` },
    ]),
  );
}

function showRegisters(data) {
  for (const [name, odometer] of Object.entries(registers)) odometer.show(data.system[name]);
  fillTable(
    byId("registers-table"),
    "Registers by region",
    [{ title: "Region", kind: "long" }, { title: "Tokens", kind: "number" }, { title: "Requests", kind: "number" }],
    Object.entries(data.regions).map(([region, meter]) => [{ text: region, title: region }, full(meter.tokens), full(meter.requests)]),
  );
}

function showHealth(health, sections, now) {
  const of = (value) => (Number(health.received) ? percent(Number(value) / Number(health.received), 2) : "–");
  const age = health.newest_event === null ? null : Math.max(0, now - health.newest_event);
  const reasons = Object.entries(health.rejected_by_reason).map(([reason, times]) => `${reason} ${full(times)}`);
  const behind = health.lag !== null && Number(health.lag) > 1000;
  fillTable(
    byId("health-table"),
    "The pipeline since its log was first metered",
    [{ title: "" }, { title: "Count", kind: "number" }, { title: "Of all", kind: "number" }],
    [
      ["Freshness", { text: age === null ? "–" : duration(age), title: health.newest_event === null ? null : `newest event ${moment(health.newest_event, now)}`, kind: age !== null && age > STALE_AFTER_SECONDS ? "warn" : "" }, ""],
      ["Lag, records", { text: health.lag === null ? "unknown" : full(health.lag), kind: behind ? "warn" : "" }, ""],
      ["Received", count(health.received, "records"), ""],
      ["Metered", count(health.accepted, "events"), of(health.accepted)],
      ["Duplicates", count(health.duplicate, "events"), of(health.duplicate)],
      ["Late", count(health.late, "events"), of(health.late)],
      ["Rejected", { ...count(health.rejected, "records"), title: reasons.join("\n") || null }, of(health.rejected)],
    ],
  );
}

/** What shows each section of the document; `period` draws from load and today as well. */
export const PANELS = {
  load: showLoad,
  today: showToday,
  period: showRegions,
  mix: showMix,
  league: showLeague,
  models: showModels,
  registers: showRegisters,
  health: showHealth,
};
