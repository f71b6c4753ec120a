// Colours of the page for the canvas. Bands differ by hatching as well as by colour, as in the style sheet.

import { byId, make } from "./elements.js";

const HATCHES = ["solid", "rising", "dots", "falling", "level", "upright", "cross", "grain"];
export const BANDS = HATCHES.length;

/** How much larger than on a desk things are drawn: a wall is read across a room. */
export function magnified() {
  return document.documentElement.dataset.view === "kiosk" ? Math.max(1.2, innerWidth / 1050) : 1;
}

/** A typeface of the page as the canvas takes it; `ratio` are device pixels to one of CSS. */
export function font(ratio, weight = "") {
  return `${weight} ${11 * magnified() * ratio}px Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans CJK SC", Arial, sans-serif`.trim();
}

/** A colour of the page as the canvas takes it. */
export function colour(name) {
  const probe = byId("colour-probe") ?? document.body.appendChild(make("i", { id: "colour-probe" }));
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** A hatched fill: a tint of the band's colour with strokes of the colour itself. */
export function hatched(context, index, ratio) {
  const size = Math.round(8 * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.fillStyle = colour("panel");
  pen.fillRect(0, 0, size, size);
  pen.globalAlpha = 0.36;
  pen.fillStyle = pen.strokeStyle = colour(`band-${index % BANDS}`);
  pen.fillRect(0, 0, size, size);
  pen.globalAlpha = 0.5;
  pen.lineWidth = ratio;
  pen.beginPath();
  const half = size / 2;
  switch (HATCHES[index % BANDS]) {
    case "rising":
      for (const at of [-size, 0, size]) pen.moveTo(at, size), pen.lineTo(at + size, 0);
      break;
    case "falling":
      for (const at of [-size, 0, size]) pen.moveTo(at, 0), pen.lineTo(at + size, size);
      break;
    case "level":
      pen.moveTo(0, half), pen.lineTo(size, half);
      break;
    case "upright":
      pen.moveTo(half, 0), pen.lineTo(half, size);
      break;
    case "cross":
      pen.moveTo(0, half), pen.lineTo(size, half), pen.moveTo(half, 0), pen.lineTo(half, size);
      break;
    case "dots":
      pen.arc(half, half, ratio * 1.1, 0, 7), pen.fill();
      break;
    case "grain":
      pen.rect(0, 0, ratio, ratio), pen.rect(half, half, ratio, ratio);
      break;
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}
