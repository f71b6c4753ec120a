// The day's closed blocks against those of the day before.

import { DayCurve } from "./charts.js";
import { byId, count, fillTable, put } from "./elements.js";
import { clock, short } from "./format.js";
import { word } from "./language.js";
import { perSecond, showFactor } from "./panel-key.js";

let today = null;
const chart = new DayCurve(byId("day-chart"), (index) => readOut(index));

/** Draw again in the colours of now. */
export function redraw() {
  chart.forget();
  if (today) chart.show(today);
}

function readOut(index) {
  if (index === null || index === undefined || today.tokens_per_second[index] === undefined) {
    return put("day-readout", today.blocks.length === 0 ? word("first_closes", { time: clock(today.day + 900) }) : word("solid_dashed"));
  }
  const before = today.yesterday[index];
  const yesterday = before === null ? "" : word("yesterday_was", { demand: short(before) });
  put("day-readout", `${clock(today.blocks[index])} · ${short(today.tokens_per_second[index])}${yesterday}`);
}

export function showToday(data) {
  today = data;
  chart.show(today);
  readOut(null);
  showFactor(today);
  const peak = today.peak_tokens_per_second;
  const told = peak === null ? word("day_none") : word("day_of", { peak: short(peak), time: clock(today.peak_block), average: short(today.average_tokens_per_second) });
  byId("day-chart").setAttribute("aria-label", told);
  fillTable(
    byId("day-table"),
    word("day_table"),
    [{ title: word("block") }, { title: word("today"), kind: "number" }, { title: word("yesterday"), kind: "number" }],
    today.blocks
      .map((block, index) => [
        clock(block),
        count(today.tokens_per_second[index], perSecond(today.tokens_per_second[index])),
        count(today.yesterday[index], perSecond(today.yesterday[index])),
      ])
      .toReversed(),
  );
}
