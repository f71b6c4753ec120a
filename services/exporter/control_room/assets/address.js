// What is shown stands in the address: links can be shared, and the back button goes back.

export const RANGES = ["3h", "24h", "7d", "30d"];
export const KINDS = ["region", "provider", "model"];
export const MEASURES = ["tokens", "input_tokens", "output_tokens", "requests", "failed_requests", "spend"];
const ABOUT_HISTORY = ["range", "from", "to", "by", "measure", "currency", ...KINDS];
const listeners = [];

/** What the address asks for; what it does not say, or says wrongly, is as usual. */
export function shown() {
  const given = new URLSearchParams(location.search);
  const one = (name, choices) => (choices.includes(given.get(name)) ? given.get(name) : choices[0]);
  const span = given.get("from") ? { from: given.get("from"), to: given.get("to") ?? "" } : null;
  return {
    span,
    range: span ? null : one("range", RANGES),
    by: one("by", KINDS),
    measure: one("measure", MEASURES),
    currency: given.get("currency") ?? "",
    filters: Object.fromEntries(KINDS.filter((kind) => given.get(kind)).map((kind) => [kind, given.get(kind)])),
    kiosk: given.get("view") === "kiosk",
  };
}

/** Whether that is what the document has, so that nothing else need be asked. */
export function isLive({ range, by, measure, filters }) {
  return range === "3h" && by === "region" && measure === "tokens" && Object.keys(filters).length === 0;
}

/** The address with some of it changed; null takes a part away. */
export function addressOf(changes) {
  const given = new URLSearchParams(location.search);
  if (changes.range) for (const name of ["from", "to"]) given.delete(name);
  if (changes.from) given.delete("range");
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) given.delete(name);
    else given.set(name, value);
  }
  const text = given.toString();
  return text === "" ? location.pathname : `?${text}`;
}

/** The address of what is live. */
export function liveAddress() {
  return addressOf(Object.fromEntries(ABOUT_HISTORY.map((name) => [name, null])));
}

/** The address of a drill-down from a figure: nothing chosen before but language and view stays. */
export function drillAddress(query) {
  const given = Object.fromEntries(new URLSearchParams(query));
  return addressOf({ ...Object.fromEntries(ABOUT_HISTORY.map((name) => [name, null])), ...given });
}

/** Go there without loading the page again. */
export function go(address) {
  if (new URL(address, location.href).href === location.href) return;
  history.pushState(null, "", address);
  for (const listener of listeners) listener(true);
}

/** Be told when the address changes; `true` if somebody chose it on this page. */
export function onChange(listener) {
  listeners.push(listener);
}

addEventListener("popstate", () => {
  for (const listener of listeners) listener(false);
});

// Links within the page are real ones, which may be opened elsewhere or copied.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-go]");
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
