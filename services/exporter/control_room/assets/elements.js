// Elements made from values. Text is only ever set as text, so no name can become markup.

import { short } from "./format.js";

/** An element with attributes and children; children are elements or text, null is left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element with an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Set an element's text, its full value as title, and the bare value for programs. */
export function put(id, text, full = null) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
  if (full === null) element.removeAttribute("title");
  else element.title = full;
}

/**
 * Fill a table. Columns are {title, kind?, wide?, label?}: kind is a class ("number", "name"),
 * wide is left out on small screens. Cells are text, elements, or {text, title, kind}.
 */
export function fillTable(table, caption, columns, rows) {
  const classes = (column, extra = "") =>
    [column.kind, column.wide ? "wide" : "", extra].filter(Boolean).join(" ") || null;
  const head = columns.map((column) =>
    make("th", { scope: "col", class: classes(column), title: column.label }, column.title),
  );
  const body = rows.map((cells) =>
    make(
      "tr",
      {},
      ...cells.map((cell, index) => {
        const column = columns[index];
        const plain = cell instanceof Node || typeof cell !== "object" || cell === null;
        const { text, title = null, kind = "" } = plain ? { text: cell } : cell;
        const tag = index === 0 ? "th" : "td";
        const scope = index === 0 ? "row" : null;
        return make(tag, { scope, title, class: classes(column, kind) }, text ?? "–");
      }),
    ),
  );
  table.replaceChildren(
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

/** A bar that fills a part of its cell, with its text beside it. */
export function bar(ratio, text, kind = "") {
  const fill = make("span", { class: `fill ${kind}` });
  fill.style.width = `${Math.min(100, Math.max(0, ratio * 100)).toFixed(2)}%`;
  return make("span", { class: "bar" }, make("span", { class: "rail", "aria-hidden": "true" }, fill), make("span", {}, text));
}

/** A link to other figures on this page. */
export function choice(address, text, attributes = {}) {
  return make("a", { href: address, "data-go": "", class: "choice", ...attributes }, text);
}

/** A link away from this page, to another program. */
export function outside(address, text, attributes = {}) {
  return make("a", { href: address, rel: "noopener noreferrer", target: "_blank", ...attributes }, text);
}

/** A band's mark, as the chart beside it has it; room for one where there is no band. */
export function swatch(index) {
  return make("span", { class: index === undefined ? "swatch none" : `swatch band-${index % 8}`, "aria-hidden": "true" });
}

/** A count in short, with all its digits as title. */
export function count(value, title) {
  return { text: short(value), title };
}
