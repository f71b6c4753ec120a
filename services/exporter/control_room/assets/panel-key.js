// The strip of key figures. All of them agree with the load of the last closed minute.

import { byId, put } from "./elements.js";
import { amountOf, clock, duration, full, fullMoney, money, percent, price, short } from "./format.js";
import { word } from "./language.js";

export const STALE_AFTER_SECONDS = 180;
const BLOCK_SECONDS = 900;
export const lastKnown = (values) => values.findLastIndex((value) => value !== null);
export const perSecond = (value) =>
  value === null || value === undefined ? null : word("full_per_second", { count: full(Math.round(value)) });

/** System load and requests of the last closed minute with usage. */
export function showNow(load, now) {
  const at = lastKnown(load.tokens_per_second);
  const value = at < 0 ? null : load.tokens_per_second[at];
  put("load-now", short(value), perSecond(value));
  const age = load.last_interval_end === null ? null : now - load.last_interval_end;
  const old = age !== null && age > STALE_AFTER_SECONDS;
  const when = at < 0 ? word("nothing_lately") : word("minute_of", { time: clock(load.minutes[at]) });
  put("load-now-note", `${when}${old ? word("ago", { duration: duration(age) }) : ""}`);
  byId("load-now-note").classList.toggle("warn", old);
  const requests = at < 0 ? null : load.requests_per_second[at];
  put("requests-now", short(requests && Number(requests.toFixed(1))), requests === null ? null : `${full(Math.round(requests))} ${word("per_second")}`);
  put("requests-note", requests ? word("each", { count: full(Math.round(value / requests)) }) : "");
}

/** The day so far by minutes, and its closed blocks where there are some. */
export function showDay(day, today) {
  const peak = day.peak_tokens_per_second;
  put("peak", short(peak), perSecond(peak));
  const demand = today?.day === day.day ? today.peak_tokens_per_second : null;
  const time = peak === null ? "" : clock(day.peak_minute);
  put(
    "peak-note",
    peak === null ? word("no_minute_yet") : demand === null ? word("highest_minute_only", { time }) : word("highest_minute", { time, demand: short(demand) }),
    demand === null ? null : word("at", { rate: perSecond(demand), time: `${clock(today.peak_block)} – ${clock(today.peak_block + BLOCK_SECONDS)}` }),
  );
  put("tokens-today", day.peak_minute === null ? "–" : short(day.tokens), word("full_tokens", { count: full(day.tokens) }));
  put("tokens-today-note", day.until > day.day ? word("until", { time: clock(day.until) }) : word("no_minute_yet"));
}

/** The load factor is of closed blocks: without usage in one it says when the next closes. */
export function showFactor(today) {
  const factor = today.load_factor;
  put("load-factor", percent(factor), factor === null ? null : String(factor));
  put(
    "load-factor-note",
    factor === null
      ? word("first_block", { time: clock((today.blocks.at(-1) ?? today.day - BLOCK_SECONDS) + 2 * BLOCK_SECONDS) })
      : word("average_by_peak", { average: short(today.average_tokens_per_second), peak: short(today.peak_tokens_per_second) }),
  );
}

/** What was spent today, in the first currency; the others are in the panel. */
export function showSpent(spend) {
  const [first, ...more] = spend.currencies;
  const others = more.map((one) => fullMoney(one.today, one.currency));
  put("spend-today-unit", first?.currency ?? "");
  put("spend-today", first ? amountOf(first.today) : "–", first ? [fullMoney(first.today, first.currency), ...others].join("\n") : null);
  const told = more.map((one) => money(one.today, one.currency)).join(" · ");
  put("spend-today-note", told || (first?.price_per_million ? word("per_million", { price: price(first.price_per_million, first.currency) }) : word("no_price")));
}
