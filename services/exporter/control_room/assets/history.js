// Any stretch of time, measure and selection: asks series.json, and draws in the place of the live load.

import { addressOf, isLive, KINDS, shown } from "./address.js";
import { byId, choice, count, fillTable, put } from "./elements.js";
import { clock, dayClock, duration, full, fullMoney, money, percent, short } from "./format.js";
import { word } from "./language.js";
import { draw, labelOf } from "./panel-load.js";

const ADDRESS = "/control-room/series.json";
const ANSWER_LIMIT_MS = 30000;
const AGAIN_SECONDS = { min: 10, max: 60 };
const CLOCK_SPAN_SECONDS = 36 * 3600;

let asked = null;
let dueAt = 0;
let running = null;

/** Currencies that something was charged in this month, as the document names them. */
let currencies = [];

/** Take note of them; the first is meant where the address names none. Gives whether they are news. */
export function knowCurrencies(found) {
  if (found.join() === currencies.join()) return false;
  currencies = found;
  return true;
}

/** The currencies to choose from, and the one that is shown. */
export function currencyOf({ currency }) {
  const chosen = currency || currencies[0] || "USD";
  return { chosen, all: currencies.includes(chosen) ? currencies : [chosen, ...currencies] };
}

/** Ask again if it is time to, or if something else is asked for; `soon` forgets the answer of before. */
export async function renewHistory(soon = false) {
  const state = shown();
  if (isLive(state)) {
    running?.abort();
    asked = null;
    return trouble("");
  }
  const question = questionOf(state);
  if (question !== asked) soon = true;
  if (!soon && performance.now() < dueAt) return;
  asked = question;
  dueAt = performance.now() + AGAIN_SECONDS.min * 1000;
  running?.abort();
  const mine = (running = new AbortController());
  const busy = setTimeout(() => trouble(word("reading")), 400);
  try {
    const answer = await fetch(`${ADDRESS}?${question}`, { cache: "no-store", signal: AbortSignal.any([mine.signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]) });
    const told = await answer.json();
    if (mine.signal.aborted) return;
    clearTimeout(busy);
    if (!answer.ok) return trouble(word("not_answered", { error: told.error }));
    trouble("");
    dueAt = performance.now() + 1000 * Math.min(Math.max(told.step_seconds / 4, AGAIN_SECONDS.min), AGAIN_SECONDS.max);
    show(told, state);
  } catch (error) {
    if (!mine.signal.aborted) trouble(word("not_answered", { error: error.message }));
  } finally {
    clearTimeout(busy);
  }
}

function questionOf(state) {
  const { span, range, by, measure, filters } = state;
  const given = new URLSearchParams({ by, measure, ...filters });
  if (range) given.set("last", range);
  if (span?.from) given.set("from", span.from);
  if (span?.to) given.set("to", span.to);
  if (measure === "spend") given.set("currency", currencyOf(state).chosen);
  return given.toString();
}

function trouble(text) {
  const line = byId("history-trouble");
  if (line.textContent !== text) line.textContent = text;
  line.hidden = text === "";
}

const UNITS = { requests: "requests_per_second", failed_requests: "requests_per_second" };

function show(told, { filters }) {
  const spend = told.measure === "spend";
  const unit = word(UNITS[told.measure] ?? "tokens_per_second");
  const write = (value) => (spend ? word("per_hour", { amount: money(value, told.currency) }) : `${short(value)} ${unit}`);
  const amount = (value) => (spend ? money(value, told.currency) : short(value));
  const fullAmount = (value) => (spend ? fullMoney(value, told.currency) : full(value));
  const when = told.end - told.begin > CLOCK_SPAN_SECONDS ? dayClock : clock;
  const title = word("history_title", { measure: word(`measure_${told.measure}`), by: word(`by_${told.by}`) });
  put("load-title", title);
  const sum =
    told.peak === null
      ? word("history_none")
      : word("history_sum", { amount: amount(told.amount), average: write(told.average), peak: write(told.peak), moment: when(told.peak_at) });
  const curves = told.curves.map((curve) => ({ label: labelOf(curve.name, curve.sum_of), values: curve.values }));
  draw({ times: told.times, values: told.values, curves, clock: when, write, idle: sum });
  const span = `${dayClock(told.begin)} – ${dayClock(told.end)}, ${word("step", { duration: duration(told.step_seconds) })}`;
  byId("load-readout").title = `${sum}\n${span}`;
  byId("load-chart").setAttribute("aria-label", `${title}, ${span}: ${sum}`);
  ranking(told, amount, fullAmount, filters);
}

function ranking(told, amount, fullAmount, filters) {
  const more = told.names > told.ranking.length ? ` (${word("first_names", { shown: full(told.ranking.length), count: full(told.names) })})` : "";
  put("load-table-title", `${word("table_ranking")}${more}`);
  fillTable(
    byId("load-table"),
    word("history_table", { measure: word(`measure_${told.measure}`), by: word(`by_${told.by}`), from: dayClock(told.begin), to: dayClock(told.end) }),
    [{ title: word(told.by), kind: "long" }, { title: word("share"), kind: "number" }, { title: word("amount"), kind: "number" }],
    told.ranking.map((place) => [
      { text: filters[told.by] === place.name ? place.name : choice(addressOf({ [told.by]: place.name, by: nextKind(told.by, filters) }), place.name), title: place.name },
      percent(place.share),
      { ...count(place.amount, fullAmount(place.amount)), text: amount(place.amount) },
    ]),
  );
}

/** What to tell apart once one name is chosen: something that is not chosen yet. */
export function nextKind(kind, filters) {
  const order = { region: "model", provider: "model", model: "region" };
  const next = order[kind];
  return next in filters ? (KINDS.find((one) => one !== kind && !(one in filters)) ?? kind) : next;
}
