// Asks for the figures every few seconds, shows them, and says when they are not of now.

import { isLive, shown } from "./address.js";
import { choose, tellSpend } from "./chooser.js";
import { byId, outside, put } from "./elements.js";
import { clockSeconds, duration, full, moment } from "./format.js";
import { renewHistory } from "./history.js";
import { speak, word } from "./language.js";
import { PANELS } from "./panels.js";
import { links, themes } from "./settings.js";

const ADDRESS = "/control-room/v1.json";
const POLL_MS = 2000;
const ANSWER_LIMIT_MS = 15000;
const VERSION = 1;
/** Where the runbook tells what to do, by what is wrong. */
const RUNBOOK_SECTIONS = {
  no_usage: "intervals-are-stale",
  behind: "lag-is-growing",
  unread: "the-meter-is-down",
  empty: "is-it-metering",
  unreachable: "the-meter-is-down",
};

let newest = null;
let answeredAt = null;
let unreachableSince = null;
const drawn = {};

/** The server's clock now, in Unix seconds; the visitor's own may be wrong. */
function now() {
  if (newest === null) return Date.now() / 1000;
  return newest.generated_at + (performance.now() - answeredAt) / 1000;
}

async function poll() {
  let answered = false;
  try {
    const answer = await fetch(ADDRESS, {
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const document_ = await answer.json();
    // A newer exporter with another document: its page is another one too.
    if (document_.version !== VERSION) return location.reload();
    answered = true;
    newest = document_;
    answeredAt = performance.now();
    unreachableSince = null;
    links(newest.links);
    show(newest);
  } catch (error) {
    // What this page does wrong is no failure of the exporter.
    if (answered) console.error(error);
    else unreachableSince ??= now();
  }
  tell();
}

function show({ sections }) {
  byId("alerts").hidden = sections.alerts === undefined;
  if (sections.spend?.data) tellSpend(sections.spend.data);
  for (const [name, panel] of Object.entries(PANELS)) {
    const section = sections[name];
    if (section === undefined) continue;
    trouble(name, section);
    if (section.data === null) continue;
    // Only what changed is drawn again; ages change by themselves.
    const parts = [section.data, ...(panel.also ?? []).map((other) => sections[other]?.data)];
    const print = JSON.stringify([parts, Math.floor(now() / (panel.agesSeconds ?? Infinity))]);
    if (drawn[name] === print) continue;
    drawn[name] = print;
    panel.show(section.data, sections, now());
  }
}

/** Draw the document's load, where history was drawn before. */
function showLive() {
  delete drawn.load;
  if (newest !== null) show(newest);
}

function trouble(name, section) {
  const line = document.querySelector(`[data-section="${name}"] .trouble`);
  const read = section.read_at === null ? "" : word("figures_of", { moment: moment(section.read_at, now()) });
  const text = section.error !== null ? `${word("not_read", { error: section.error })}${read}` : section.data === null ? word("reading") : "";
  if (line.textContent !== text) line.textContent = text;
  line.hidden = text === "";
}

/** State, what to say of it, and its cause. */
function verdict() {
  if (unreachableSince !== null) {
    const figures = newest === null ? "" : word("figures_before");
    const told = word("told_unreachable", { moment: moment(unreachableSince, now()), duration: duration(now() - unreachableSince) });
    return ["unreachable", `${told}${figures}`, "unreachable"];
  }
  if (newest === null) return ["waiting", "", ""];
  const { state, reason, since, cause, behind } = newest.status;
  const when = since === null ? "" : word("since", { moment: moment(since, now()), duration: duration(now() - since) });
  if (state === "stale") {
    const why = cause === "behind" ? word("behind", { records: full(behind) }) : word("no_usage");
    return [state, word("told_stale", { since: when, reason: why }), cause];
  }
  if (state === "unavailable") return [state, word("told_unavailable", { since: when, reason }), cause];
  return [state, state === "empty" ? word("told_empty") : "", cause];
}

/** Say how things stand; every second, since ages grow. */
function tell() {
  const [state, text, cause] = verdict();
  document.documentElement.dataset.state = state;
  if (state !== "waiting") {
    byId("state").dataset.state = state;
    put("state-text", word(`state_${state}`));
  }
  byId("alert").hidden = text === "";
  put("alert-text", text);
  runbook(cause);
  put("clock", word("utc", { time: clockSeconds(now()) }));
  put("updated", newest === null ? "" : word("updated", { seconds: Math.max(0, Math.round((performance.now() - answeredAt) / 1000)) }));
}

/** Link to what the runbook says of this state. */
function runbook(cause) {
  const place = byId("runbook");
  const section = RUNBOOK_SECTIONS[cause];
  const address = newest?.links?.runbook && section ? `${newest.links.runbook}#${section}` : "";
  if (place.dataset.address === address) return;
  place.dataset.address = address;
  place.replaceChildren(...(address === "" ? [] : [outside(address, word("runbook"))]));
}

/** Poll while the page is seen; a hidden one asks nothing and starts at once when it is back. */
async function run() {
  let wake = () => {};
  document.addEventListener("visibilitychange", () => wake());
  for (;;) {
    if (!document.hidden) {
      await poll();
      if (!isLive(shown())) renewHistory();
    }
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, POLL_MS);
    });
  }
}

speak();
themes();
choose(showLive);
setInterval(tell, 1000);
run();
