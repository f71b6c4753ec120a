// Numbers and times as people read them. Counts are decimal strings: they may pass 2^53.

const PREFIXES = ["", "k", "M", "B", "T", "quadrillion"];

/** 12345678 as "12,345,678"; takes strings of any length. */
export function full(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** 12345678 as "12.3 M", three digits; counts in thousands, M, B (10^9), T (10^12). */
export function short(count) {
  if (count === null || count === undefined) return "–";
  let value = Number(count);
  let step = 0;
  while (Math.abs(value) >= 999.5 && step < PREFIXES.length - 1) {
    value /= 1000;
    step += 1;
  }
  const digits = step === 0 && Number.isInteger(value) ? 0 : value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)}${step ? " " + PREFIXES[step] : ""}`;
}

/** A ratio as a percentage. */
export function percent(ratio, digits = 1) {
  return ratio === null || ratio === undefined ? "–" : `${(ratio * 100).toFixed(digits)} %`;
}

const two = (number) => String(number).padStart(2, "0");

/** Unix seconds as "07:05" UTC. */
export function clock(seconds) {
  const date = new Date(seconds * 1000);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}

/** Unix seconds as "07:05:09" UTC. */
export function clockSeconds(seconds) {
  return `${clock(seconds)}:${two(new Date(seconds * 1000).getUTCSeconds())}`;
}

/** Unix seconds as "2026-03-09". */
export function day(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** A time as people say it: without the day if it is today's. */
export function moment(seconds, now) {
  const time = `${clockSeconds(seconds)} UTC`;
  return day(seconds) === day(now) ? time : `${day(seconds)} ${time}`;
}

/** Seconds as "3 s", "12 min", "5 h", "9 d". */
export function duration(seconds) {
  const value = Math.max(0, seconds);
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 100) return `${Math.round(value)} s`;
  if (value < 6000) return `${Math.round(value / 60)} min`;
  if (value < 172800) return `${Math.round(value / 3600)} h`;
  return `${Math.round(value / 86400)} d`;
}

const countries = new Intl.DisplayNames(["en"], { type: "region", fallback: "code" });

/** "CN" as "China"; what is no country code stays as it is. */
export function country(code) {
  if (code === "unknown") return "Unknown";
  try {
    return countries.of(code) ?? code;
  } catch {
    return code;
  }
}
