// Asks for the figures every few seconds, shows them, and says when they are not of now.

import { byId, put } from "./elements.js";
import { clockSeconds, duration, moment } from "./format.js";
import { PANELS, recolour } from "./panels.js";

const ADDRESS = "/control-room/v1.json";
const POLL_MS = 2000;
const ANSWER_LIMIT_MS = 15000;
const VERSION = 1;
const STATES = {
  live: "Live",
  stale: "Stale",
  unavailable: "No readings",
  empty: "Nothing metered yet",
  unreachable: "Exporter unreachable",
};

/** How often a panel that shows ages is drawn again though its figures are the same. */
const AGES_SECONDS = { health: 2, load: 15, period: 15 };

let newest = null;
let answeredAt = null;
let unreachableSince = null;
const shown = {};

/** The server's clock now, in Unix seconds; the visitor's own may be wrong. */
function now() {
  if (newest === null) return Date.now() / 1000;
  return newest.generated_at + (performance.now() - answeredAt) / 1000;
}

async function poll() {
  try {
    const answer = await fetch(ADDRESS, {
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const document_ = await answer.json();
    // A newer exporter with another document: its page is another one too.
    if (document_.version !== VERSION) return location.reload();
    newest = document_;
    answeredAt = performance.now();
    unreachableSince = null;
    show(newest);
  } catch {
    unreachableSince ??= now();
  }
  tell();
}

function show({ sections }) {
  for (const [name, panel] of Object.entries(PANELS)) {
    const section = sections[name];
    trouble(name, section);
    if (section.data === null) continue;
    const parts = name === "period" ? [section.data, sections.load.data, sections.today.data] : section.data;
    // Only what changed is drawn again; ages change by themselves.
    const print = JSON.stringify([parts, Math.floor(now() / (AGES_SECONDS[name] ?? Infinity))]);
    if (shown[name] === print) continue;
    shown[name] = print;
    panel(section.data, sections, now());
  }
}

function trouble(name, section) {
  const line = document.querySelector(`[data-section="${name}"] .trouble`);
  const read = section.read_at === null ? "" : ` Figures of ${moment(section.read_at, now())}.`;
  const text = section.error !== null ? `Not read: ${section.error}.${read}` : section.data === null ? "Reading…" : "";
  if (line.textContent !== text) line.textContent = text;
  line.hidden = text === "";
}

function verdict() {
  if (unreachableSince !== null) {
    const figures = newest === null ? "" : " The figures below are from before.";
    return ["unreachable", `The exporter has not answered since ${moment(unreachableSince, now())} (${duration(now() - unreachableSince)}).${figures}`];
  }
  if (newest === null) return ["waiting", ""];
  const { state, reason, since } = newest.status;
  const when = since === null ? "" : ` since ${moment(since, now())} (${duration(now() - since)})`;
  if (state === "stale") return [state, `No interval has closed${when}: ${reason}. The figures below are old.`];
  if (state === "unavailable") return [state, `No new readings${when}: ${reason}`];
  return [state, state === "empty" ? `${reason}.` : ""];
}

/** Say how things stand; every second, since ages grow. */
function tell() {
  const [state, text] = verdict();
  document.documentElement.dataset.state = state;
  if (state !== "waiting") {
    byId("state").dataset.state = state;
    put("state-text", STATES[state]);
  }
  const alert = byId("alert");
  alert.hidden = text === "";
  if (alert.textContent !== text) alert.textContent = text;
  put("clock", `${clockSeconds(now())} UTC`);
  put("updated", newest === null ? "" : `updated ${Math.max(0, Math.round((performance.now() - answeredAt) / 1000))} s ago`);
}

function themes() {
  const button = byId("theme");
  const order = ["system", "light", "dark"];
  const apply = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    recolour();
  };
  button.addEventListener("click", () => {
    const theme = order[(order.indexOf(document.documentElement.dataset.theme ?? "system") + 1) % order.length];
    try {
      if (theme === "system") localStorage.removeItem("wattoken-theme");
      else localStorage.setItem("wattoken-theme", theme);
    } catch {
      // Storage is forbidden: the choice holds until the page is left.
    }
    apply(theme);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  apply(document.documentElement.dataset.theme ?? "system");
}

/** Poll while the page is seen; a hidden one asks nothing and starts at once when it is back. */
async function run() {
  let wake = () => {};
  document.addEventListener("visibilitychange", () => wake());
  for (;;) {
    if (!document.hidden) await poll();
    await new Promise((resolve) => {
      wake = resolve;
      setTimeout(resolve, POLL_MS);
    });
  }
}

themes();
setInterval(tell, 1000);
run();
