// How the page is shown: colour scheme, on a desk or on a wall, its language, and links to other programs.

import { addressOf, shown } from "./address.js";
import { byId, make, outside } from "./elements.js";
import { language, word } from "./language.js";
import { recolour } from "./panels.js";

const OTHER_LANGUAGE = { en: "zh", zh: "en" };
let linked = null;

/** Let the visitor choose the colour scheme; the choice is kept in this browser. */
export function themes() {
  const button = byId("theme");
  const order = ["system", "light", "dark"];
  const apply = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = word(`theme_${theme}`);
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

/** Link to Grafana where its address is set, to the wall's view and back, and to the other language. */
export function links(given) {
  const key = JSON.stringify([given, location.search]);
  if (key === linked) return;
  linked = key;
  const other = OTHER_LANGUAGE[language];
  byId("links").replaceChildren(
    ...(given?.grafana ? [outside(given.grafana, word("grafana"))] : []),
    // These load the page again: everything on it changes.
    make("a", { href: addressOf({ view: shown().kiosk ? null : "kiosk" }) }, word(shown().kiosk ? "desk" : "kiosk")),
    make("a", { href: addressOf({ lang: other }), lang: other, hreflang: other }, word("other_language")),
  );
}
