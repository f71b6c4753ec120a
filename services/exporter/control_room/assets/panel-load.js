// The load of the last three hours, as the document has it; other stretches are history.js's.

import { isLive, shown } from "./address.js";
import { Bands } from "./charts.js";
import { byId, count, fillTable, put } from "./elements.js";
import { clock, full, short } from "./format.js";
import { word } from "./language.js";
import { lastKnown, perSecond, showNow } from "./panel-key.js";

/** Times and curves that the chart shows now, and how a value of them is written. */
let drawn = null;
const chart = new Bands(byId("load-chart"), (index) => readOut(index));

/** Draw {times, values, curves, write, unit, idle}, whatever it is about. */
export function draw(given) {
  drawn = given;
  chart.show(drawn);
  readOut(null);
}

/** Draw again in the colours of now. */
export function redraw() {
  chart.forget();
  if (drawn) chart.show(drawn);
}

function readOut(index) {
  if (drawn === null) return;
  const at = index ?? (drawn.idle === undefined ? lastKnown(drawn.values) : -1);
  if (at < 0 || drawn.values[at] === null || drawn.values[at] === undefined) return put("load-readout", drawn.idle ?? word("by_minute"));
  put(
    "load-readout",
    `${drawn.clock(drawn.times[at])} · ${drawn.write(drawn.values[at])}`,
    drawn.curves.map((curve) => `${curve.label} ${drawn.write(curve.values[at])}`).join("\n"),
  );
}

export const labelOf = (name, sumOf) => (sumOf > 1 || name === "" ? word("others", { count: full(sumOf) }) : name);

/** Show the document's load: the key figures always, the chart if nothing else is asked for. */
export function showLoad(load, sections, now) {
  showNow(load, now);
  if (isLive(shown())) showLive(load);
}

function showLive(load) {
  const curves = load.regions.map((curve) => ({ label: labelOf(curve.region, curve.sum_of), values: curve.tokens_per_second }));
  const write = (value) => `${short(value)} ${word("tokens_per_second")}`;
  draw({ times: load.minutes, values: load.tokens_per_second, curves, clock, write });
  put("load-title", word("load_by_region"));
  const at = lastKnown(load.tokens_per_second);
  const parts = curves.map((curve) => `${curve.label} ${at < 0 ? "–" : short(curve.values[at])}`).join(", ");
  byId("load-chart").setAttribute("aria-label", word("load_of", { load: short(at < 0 ? null : load.tokens_per_second[at]), parts }));
  put("load-table-title", word("table_minutes"));
  const from = Math.max(0, at - 14);
  const minutes = at < 0 ? [] : load.minutes.slice(from, at + 1).toReversed();
  fillTable(
    byId("load-table"),
    word("load_table"),
    [{ title: word("minute") }, { title: word("system"), kind: "number" }, ...curves.map((curve) => ({ title: curve.label, kind: "number" }))],
    minutes.map((minute, back) => [
      clock(minute),
      ...[load.tokens_per_second, ...curves.map((curve) => curve.values)].map((values) => count(values[at - back], perSecond(values[at - back]))),
    ]),
  );
}
