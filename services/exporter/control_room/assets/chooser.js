// What to look at: range, measure, what to tell apart, and filters. All of it stands in the address.

import { addressOf, drillAddress, go, isLive, KINDS, liveAddress, MEASURES, onChange, RANGES, shown } from "./address.js";
import { byId, choice, make } from "./elements.js";
import { word } from "./language.js";
import { currencyOf, knowCurrencies, nextKind, renewHistory } from "./history.js";

const NAMES_ADDRESS = "/control-room/names.json";
const TYPING_MS = 250;

function ranges(state) {
  byId("ranges").replaceChildren(
    ...RANGES.map((range) => choice(addressOf({ range }), word(`last_${range}`), { "aria-current": state.range === range ? "true" : null })),
  );
}

function options(id, values, label, chosen, name) {
  const select = byId(id);
  if (select.options.length === 0) {
    select.append(...values.map((value) => make("option", { value }, label(value))));
    select.addEventListener("change", () => go(addressOf({ [name]: select.value })));
  }
  select.value = chosen;
}

/** Which currency, where there is a choice: spend is never added over several. */
function currency(state) {
  const select = byId("currency");
  const { chosen, all } = currencyOf(state);
  select.hidden = state.measure !== "spend" || all.length < 2;
  select.replaceChildren(...all.map((one) => make("option", { value: one }, one)));
  select.value = chosen;
}

/** Be told the document's spend. */
export function tellSpend(spend) {
  if (knowCurrencies(spend.currencies.map((one) => one.currency))) currency(shown());
}

function chips(state) {
  const chosen = Object.entries(state.filters).map(([kind, name]) =>
    choice(addressOf({ [kind]: null }), `${word(kind)}: ${name} ✕`, { class: "chip", "aria-label": word("remove", { kind: word(kind), name }), title: name }),
  );
  const clear = isLive(state) ? [] : [choice(liveAddress(), word("clear"), { class: "chip quiet" })];
  byId("chips").replaceChildren(...chosen, ...clear);
}

function tell() {
  const state = shown();
  for (const link of document.querySelectorAll("a[data-drill]")) link.setAttribute("href", drillAddress(link.dataset.drill));
  ranges(state);
  options("by", KINDS, (kind) => word(`by_${kind}`), state.by, "by");
  options("measure", MEASURES, (measure) => word(`measure_${measure}`), state.measure, "measure");
  currency(state);
  chips(state);
  byId("span").open = state.span !== null;
  if (state.span) {
    byId("span-from").value = state.span.from.replace("Z", "");
    byId("span-to").value = state.span.to.replace("Z", "");
  }
}

function chooseSpan() {
  byId("span-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [from, to] = [byId("span-from").value, byId("span-to").value];
    if (from === "") return;
    go(addressOf({ from: `${from}Z`, to: to === "" ? null : `${to}Z` }));
  });
}

/** Names that are typed in part: the first that fit, most tokens first. */
function chooseName() {
  const field = byId("find");
  let found = new Map();
  let timer = null;
  let running = null;
  const take = () => {
    const one = found.get(field.value);
    if (!one) return false;
    field.value = "";
    const { filters } = shown();
    go(addressOf({ [one.kind]: one.name, by: nextKind(one.kind, filters) }));
    return true;
  };
  const search = async () => {
    running?.abort();
    const mine = (running = new AbortController());
    try {
      const answer = await fetch(`${NAMES_ADDRESS}?${new URLSearchParams({ find: field.value })}`, { signal: mine.signal });
      if (!answer.ok || mine.signal.aborted) return;
      const { names } = await answer.json();
      found = new Map(names.map(({ kind, name }) => [`${word(kind)}: ${name}`, { kind, name }]));
      byId("found").replaceChildren(...[...found.keys()].map((value) => make("option", { value })));
    } catch {
      // Given up for what is typed now; the next key asks again.
    }
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    if (!take() && field.value !== "") timer = setTimeout(search, TYPING_MS);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || take()) return;
    const [first] = found.keys();
    if (first === undefined) return;
    field.value = first;
    take();
  });
}

/** Make the choices work; `live` draws the document's load again. */
export function choose(live) {
  tell();
  byId("currency").addEventListener("change", () => go(addressOf({ currency: byId("currency").value })));
  chooseSpan();
  chooseName();
  onChange((here) => {
    tell();
    if (isLive(shown())) live();
    renewHistory(true);
    const panel = byId("load-title").closest(".panel");
    const { top, bottom } = panel.getBoundingClientRect();
    if (here && (bottom < 120 || top > innerHeight - 120)) panel.scrollIntoView({ block: "start" });
  });
}
