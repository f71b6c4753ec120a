// Whose models make the tokens: the week's mix and league, and the day's first models.

import { addressOf } from "./address.js";
import { bar, byId, choice, count, fillTable, make, put, swatch } from "./elements.js";
import { change, country, day, full, percent } from "./format.js";
import { word } from "./language.js";

const AUTHORS_MAX = 7;
const PLACES_MAX = 8;
const tokens = (value) => count(value, word("full_tokens", { count: full(value) }));

export function showMix(mix) {
  put("mix-week", mix.week_start === null ? "" : word("week_from", { day: day(mix.week_start) }));
  const names = mix.origins.map((share) => `${country(share.name)} ${percent(share.share)}`);
  byId("mix-origins").setAttribute("aria-label", word("mix_of", { parts: names.join(", ") }));
  byId("mix-origins").replaceChildren(
    ...mix.origins.map((share, index) => {
      const band = make("span", { class: `band band-${index % 8}`, title: names[index] });
      band.style.width = `${share.share * 100}%`;
      return band;
    }),
  );
  byId("mix-legend").replaceChildren(
    ...mix.origins.map((share, index) =>
      make("li", { title: word("full_tokens", { count: full(share.tokens) }) }, swatch(index), `${country(share.name)} `, make("b", {}, percent(share.share))),
    ),
  );
  const shown = mix.authors.slice(0, AUTHORS_MAX);
  const widest = shown[0]?.share || 1;
  fillTable(
    byId("mix-table"),
    word("mix_table"),
    [{ title: word("author"), kind: "long" }, { title: word("origin"), kind: "code" }, { title: word("share"), kind: "gauge" }, { title: word("tokens_head"), kind: "number" }],
    shown.map((share) => [
      { text: author(share.name), title: share.name },
      { text: share.origin === "unknown" ? "–" : share.origin, title: country(share.origin) },
      bar(share.share / widest, percent(share.share)),
      tokens(share.tokens),
    ]),
  );
}

const author = (name) => (name === "unknown" ? word("unknown_count") : name);

export function showLeague(league) {
  put("league-week", league.week_start === null ? word("no_usage_yet") : word("iso_week", { day: day(league.week_start) }));
  fillTable(
    byId("league-table"),
    word("league_table"),
    [
      { title: "#", kind: "rank" },
      { title: word("origin"), kind: "long" },
      { title: word("share"), kind: "number" },
      { title: word("before"), kind: "number", label: word("label_before") },
      { title: word("growth"), kind: "number", label: word("label_growth") },
      { title: word("streak"), kind: "number", label: word("label_streak") },
    ],
    league.places.slice(0, PLACES_MAX).map((place) => [
      String(place.rank),
      { text: country(place.origin), title: word("full_tokens", { count: full(place.tokens) }) },
      percent(place.share),
      percent(place.share_week_before),
      change(place.growth),
      place.leading_weeks ? word("weeks", { n: place.leading_weeks }) : "–",
    ]),
  );
}

export function showModels(models) {
  fillTable(
    byId("models-table"),
    word("models_table"),
    [
      { title: word("model"), kind: "long" },
      { title: word("author"), kind: "long", wide: true },
      { title: word("share"), kind: "number" },
      { title: word("tokens_head"), kind: "number" },
    ],
    models.map((model) => [
      { text: choice(addressOf({ model: model.model, by: "region" }), model.model), title: model.model },
      { text: author(model.author), title: `${model.author}, ${country(model.origin)}` },
      percent(model.share),
      count(model.tokens, word("tokens_requests", { tokens: full(model.tokens), requests: full(model.requests) })),
    ]),
  );
}
