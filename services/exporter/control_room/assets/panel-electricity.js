// Real electricity of the month: everywhere else tokens are likened to it, here nothing is a likeness.

import { addressOf } from "./address.js";
import { byId, choice, fillTable, put } from "./elements.js";
import { dayShort, full, percent, short } from "./format.js";
import { word } from "./language.js";

const GRAMS_PER_KG = 1000;

/** "1.2 – 3.4", or a dash where nothing is known, which is not 0. */
function span(estimate, unit = 1) {
  if (estimate === null) return { text: "–", title: word("electricity_unknown") };
  const ends = estimate.low === estimate.high ? short(estimate.low / unit) : `${short(estimate.low / unit)} – ${short(estimate.high / unit)}`;
  return { text: ends, title: word("electricity_mean", { mean: full(estimate.mean / unit), low: full(estimate.low / unit), high: full(estimate.high / unit) }) };
}

function cells(amounts) {
  const unrated = Number(amounts.tokens) === 0 ? null : Number(amounts.unrated_tokens) / Number(amounts.tokens);
  return [
    span(amounts.kwh),
    span(amounts.location_gco2e, GRAMS_PER_KG),
    span(amounts.market_gco2e, GRAMS_PER_KG),
    span(amounts.embodied_gco2e, GRAMS_PER_KG),
    { text: percent(unrated), title: word("full_tokens", { count: full(amounts.unrated_tokens) }) },
  ];
}

export function showElectricity(electricity) {
  const total = span(electricity.system.kwh);
  const since = dayShort(electricity.month_start);
  put("electricity-hint", electricity.system.kwh === null ? word("electricity_none") : word("electricity_sum", { kwh: total.text, since }), total.title);
  put("electricity-ignores", word("electricity_ignores"));
  fillTable(
    byId("electricity-table"),
    word("electricity_table"),
    [
      { title: word("region"), kind: "long" },
      { title: "kWh", kind: "number", label: word("label_kwh") },
      { title: word("co2e_location"), kind: "number", label: word("label_location") },
      { title: word("co2e_market"), kind: "number", wide: true, label: word("label_market") },
      { title: word("co2e_embodied"), kind: "number", wide: true, label: word("label_embodied") },
      { title: word("unrated"), kind: "number", label: word("label_unrated") },
    ],
    [
      ...electricity.regions.map(({ region, amounts }) => [
        { text: choice(addressOf({ region, by: "model", range: "7d" }), region), title: region },
        ...cells(amounts),
      ]),
      ...(electricity.regions.length > 1 ? [[{ text: word("system") }, ...cells(electricity.system)]] : []),
    ],
  );
}
