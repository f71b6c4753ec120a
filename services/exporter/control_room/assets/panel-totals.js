// Lifetime totals: registers that only turn forward, and the pipeline's counts.

import { addressOf } from "./address.js";
import { byId, choice, count, fillTable } from "./elements.js";
import { duration, full, moment, percent } from "./format.js";
import { word } from "./language.js";
import { Odometer } from "./odometer.js";
import { STALE_AFTER_SECONDS } from "./panel-key.js";

const LAG_MAX = 1000;
const registers = {
  input_tokens: new Odometer(byId("register-input"), word("tokens")),
  output_tokens: new Odometer(byId("register-output"), word("tokens")),
  requests: new Odometer(byId("register-requests"), word("requests")),
};

export function showRegisters(data) {
  for (const [name, odometer] of Object.entries(registers)) odometer.show(data.system[name]);
  fillTable(
    byId("registers-table"),
    word("registers_table"),
    [{ title: word("region"), kind: "long" }, { title: word("tokens_head"), kind: "number" }, { title: word("requests_head"), kind: "number" }],
    Object.entries(data.regions).map(([region, meter]) => [
      { text: choice(addressOf({ region, by: "model" }), region), title: region },
      full(meter.tokens),
      full(meter.requests),
    ]),
  );
}

export function showHealth(health, sections, now) {
  const of = (value) => (Number(health.received) ? percent(Number(value) / Number(health.received), 2) : "–");
  // A gateway whose clock is ahead must not make a meter look fresh that has read nothing for minutes.
  const fresh = health.newest_event === null ? null : Math.min(health.newest_event, health.last_append ?? Infinity);
  const age = fresh === null ? null : Math.max(0, now - fresh);
  const reasons = Object.entries(health.rejected_by_reason).map(([reason, times]) => `${reason} ${full(times)}`);
  const behind = health.lag !== null && Number(health.lag) > LAG_MAX;
  const newest = health.newest_event === null ? null : word("newest_event", { moment: moment(health.newest_event, now) });
  const counted = (value, unit) => count(value, `${full(value)} ${word(unit)}`);
  fillTable(
    byId("health-table"),
    word("pipeline_table"),
    [{ title: word("what") }, { title: word("count"), kind: "number" }, { title: word("of_all"), kind: "number" }],
    [
      [word("freshness"), { text: age === null ? "–" : duration(age), title: newest, kind: age !== null && age > STALE_AFTER_SECONDS ? "warn" : "" }, ""],
      [word("lag"), { text: health.lag === null ? word("unknown_count") : full(health.lag), kind: behind ? "warn" : "" }, ""],
      [word("received"), counted(health.received, "records"), ""],
      [word("metered"), counted(health.accepted, "events"), of(health.accepted)],
      [word("duplicates"), counted(health.duplicate, "events"), of(health.duplicate)],
      [word("late"), counted(health.late, "events"), of(health.late)],
      [word("rejected"), { ...counted(health.rejected, "records"), title: reasons.join("\n") || null }, of(health.rejected)],
    ],
  );
}
