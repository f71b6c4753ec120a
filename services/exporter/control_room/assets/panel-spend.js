// What tokens cost, each currency for itself.

import { addressOf } from "./address.js";
import { byId, choice, fillTable, put } from "./elements.js";
import { full, fullMoney, money, percent, price, short } from "./format.js";
import { word } from "./language.js";
import { showSpent } from "./panel-key.js";

export function showSpend(spend) {
  showSpent(spend);
  const sums = spend.currencies.map((one) => money(one.month, one.currency)).join(" · ");
  const details = spend.currencies.map((one) => `${fullMoney(one.month, one.currency)}, ${word("today_is", { amount: fullMoney(one.today, one.currency) })}`);
  put("spend-hint", sums || word("spend_none"), [...details, word("spend_hint")].join("\n"));
  const unpriced = spend.unpriced_tokens !== "0";
  byId("spend-unpriced").hidden = !unpriced;
  put("spend-unpriced", unpriced ? word("unpriced", { tokens: short(spend.unpriced_tokens) }) : "", unpriced ? word("full_tokens", { count: full(spend.unpriced_tokens) }) : null);
  fillTable(
    byId("spend-table"),
    word("spend_table"),
    [
      { title: word("model"), kind: "long" },
      { title: word("this_month_head"), kind: "number" },
      { title: word("per_m"), kind: "number", label: word("label_per_m") },
      { title: word("share"), kind: "number", wide: true },
    ],
    spend.models.map((model) => [
      { text: choice(addressOf({ model: model.model, measure: "spend", currency: model.currency, range: "7d", by: "region" }), model.model), title: model.model },
      { text: money(model.month, model.currency), title: `${fullMoney(model.month, model.currency)}, ${word("today_is", { amount: fullMoney(model.today, model.currency) })}` },
      { text: price(model.price_per_million, model.currency), title: word("full_tokens", { count: full(model.tokens) }) },
      percent(model.share),
    ]),
  );
}
