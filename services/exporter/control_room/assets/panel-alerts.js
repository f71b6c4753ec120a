// Alerts that fire, as Prometheus says; the panel is there where its address is set.

import { byId, make, outside, put } from "./elements.js";
import { full, moment } from "./format.js";
import { word } from "./language.js";

export function showAlerts(alerts, sections, now) {
  const pending = alerts.pending_count ? ` · ${word("alerts_pending", { count: full(alerts.pending_count) })}` : "";
  const firing = alerts.firing_count ? word("alerts_firing", { count: full(alerts.firing_count) }) : word("alerts_none");
  put("alerts-hint", `${firing}${pending}`);
  byId("alerts-hint").classList.toggle("warn", alerts.firing_count > 0);
  const more = alerts.firing_count - alerts.firing.length;
  byId("alerts-list").replaceChildren(
    ...alerts.firing.map((alert) => item(alert, now)),
    ...(more > 0 ? [make("li", {}, word("alerts_more", { count: full(more) }))] : []),
  );
}

function item(alert, now) {
  const where = Object.entries(alert.labels).map(([name, value]) => `${name} ${value}`).join(", ");
  const when = alert.since === null ? "" : word("alert_since", { moment: moment(alert.since, now) });
  const name = alert.runbook ? outside(alert.runbook, alert.name) : alert.name;
  return make(
    "li",
    { class: alert.severity === "critical" ? "critical" : "warning" },
    make("b", {}, name),
    make("span", { class: "severity" }, ` ${alert.severity}`),
    make("p", {}, alert.summary),
    make("p", { class: "note" }, [where, when].filter(Boolean).join(" · ")),
  );
}
