// Numbers and times as people read them. Counts are decimal strings: they may pass 2^53.

import { language, locale, scale, word } from "./language.js";

const numbers = new Map();
const dates = new Map();

function number(options) {
  const key = JSON.stringify(options);
  if (!numbers.has(key)) numbers.set(key, new Intl.NumberFormat(locale, options));
  return numbers.get(key);
}

function date(options) {
  const key = JSON.stringify(options);
  if (!dates.has(key)) dates.set(key, new Intl.DateTimeFormat(locale, { timeZone: "UTC", hourCycle: "h23", ...options }));
  return dates.get(key);
}

const digits = (value, count) => number({ minimumFractionDigits: count, maximumFractionDigits: count }).format(value);

/** 12345678 as "12,345,678"; takes strings of any length. */
export function full(count) {
  return number({ maximumFractionDigits: 20 }).format(String(count));
}

/** 12345678 as "12.3 M", three digits; in the language's own steps: k, M, B, T, or 万, 亿. */
export function short(count) {
  if (count === null || count === undefined) return "–";
  const value = Number(count);
  const size = Math.abs(value);
  const step = scale.findLast(([from]) => size >= from * 0.9995);
  const part = step ? value / step[0] : value;
  const places = !step && Number.isInteger(value) ? 0 : Math.abs(part) >= 99.95 ? 0 : Math.abs(part) >= 9.995 ? 1 : 2;
  return `${digits(part, places)}${step ? ` ${step[1]}` : ""}`;
}

/** A ratio as a percentage; nothing where it is no number. */
export function percent(ratio, places = 1) {
  return ratio === null || ratio === undefined || !Number.isFinite(ratio) ? "–" : `${digits(ratio * 100, places)} %`;
}

/** A change as a percentage with its sign. */
export function change(ratio) {
  if (ratio === null || ratio === undefined) return "–";
  return `${number({ maximumFractionDigits: Math.abs(ratio) < 9.995 ? 1 : 0, signDisplay: "exceptZero" }).format(ratio * 100)} %`;
}

/** An amount without its currency, shortened, with cents where they count. */
export function amountOf(amount) {
  return Math.abs(Number(amount)) < 999.5 ? digits(Number(amount), 2) : short(amount);
}

/** An amount of money, shortened: "USD 12.3 k"; the code stays, since "$" is several currencies. */
export function money(amount, currency) {
  return amount === null || amount === undefined ? "–" : `${currency} ${amountOf(amount)}`;
}

/** The same with all its digits. */
export function fullMoney(amount, currency) {
  return `${currency} ${full(amount)}`;
}

/** A price, which may be far below a cent. */
export function price(amount, currency) {
  if (amount === null || amount === undefined) return "–";
  return `${currency} ${number({ maximumSignificantDigits: 3 }).format(amount)}`;
}

/** Unix seconds as "07:05" UTC. */
export function clock(seconds) {
  return date({ hour: "2-digit", minute: "2-digit" }).format(seconds * 1000);
}

/** Unix seconds as "07:05:09" UTC. */
export function clockSeconds(seconds) {
  return date({ hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(seconds * 1000);
}

/** Unix seconds as "9 Mar 2026". */
export function day(seconds) {
  return date({ day: "numeric", month: "short", year: "numeric" }).format(seconds * 1000);
}

/** Unix seconds as "9 Mar". */
export function dayShort(seconds) {
  return date({ day: "numeric", month: "short" }).format(seconds * 1000);
}

/** Unix seconds as "9 Mar, 07:05". */
export function dayClock(seconds) {
  return date({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(seconds * 1000);
}

/** A time as people say it: without the day if it is today's. */
export function moment(seconds, now) {
  const time = word("utc", { time: clockSeconds(seconds) });
  return day(seconds) === day(now) ? time : `${day(seconds)} ${time}`;
}

/** Seconds as "3 s", "12 min", "5 h", "9 d". */
export function duration(seconds) {
  const value = Math.max(0, seconds);
  if (value < 10) return word("seconds", { n: digits(value, 1) });
  if (value < 100) return word("seconds", { n: Math.round(value) });
  if (value < 6000) return word("minutes", { n: Math.round(value / 60) });
  if (value < 172800) return word("hours", { n: Math.round(value / 3600) });
  return word("days", { n: Math.round(value / 86400) });
}

const countries = new Intl.DisplayNames([language], { type: "region", fallback: "code" });

/** "CN" as "China"; what is no country code stays as it is. */
export function country(code) {
  if (code === "unknown") return word("unknown");
  try {
    return countries.of(code) ?? code;
  } catch {
    return code;
  }
}
