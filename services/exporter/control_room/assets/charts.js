// The two curves, drawn with uPlot. Bands differ by colour, by hatching and by a label beside them.

import { byId, make } from "./elements.js";
import { clock, short } from "./format.js";

const HATCHES = ["solid", "rising", "dots", "falling", "level", "upright", "cross", "grain"];
const LABEL_HEIGHT = 15;

/** A colour of the page as the canvas takes it. */
function colour(name) {
  const probe = byId("colour-probe") ?? document.body.appendChild(make("i", { id: "colour-probe" }));
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** A hatched fill: a tint of the band's colour with strokes of the colour itself. */
function hatched(context, index, ratio) {
  const size = Math.round(8 * ratio);
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.fillStyle = colour("panel");
  pen.fillRect(0, 0, size, size);
  pen.globalAlpha = 0.36;
  pen.fillStyle = pen.strokeStyle = colour(`band-${index % HATCHES.length}`);
  pen.fillRect(0, 0, size, size);
  pen.globalAlpha = 0.5;
  pen.lineWidth = ratio;
  pen.beginPath();
  const half = size / 2;
  switch (HATCHES[index % HATCHES.length]) {
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

function axes(width) {
  const ink = () => colour("quiet");
  const grid = { stroke: () => colour("grid"), width: 1 };
  const font = '11px Inter, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
  return [
    {
      stroke: ink,
      font,
      grid,
      ticks: { show: false },
      space: narrow(width) ? 56 : 72,
      gap: 4,
      size: 24,
      values: (_, splits) => splits.map((seconds) => clock(seconds)),
    },
    {
      stroke: ink,
      font,
      grid,
      ticks: { show: false },
      size: 52,
      gap: 6,
      space: 38,
      values: (_, splits) => splits.map((value) => (value === 0 ? "0" : short(value))),
    },
  ];
}

const lastKnown = (values) => values.findLastIndex((value) => value !== null);

/** Sums from the first curve upwards, drawn from the highest down so that each covers the next. */
function stack(regions) {
  const sums = [];
  regions.forEach((region, index) => {
    const below = sums[index - 1];
    sums.push(
      region.tokens_per_second.map((value, at) => (value === null ? null : value + (below?.[at] ?? 0))),
    );
  });
  return sums.reverse();
}

/** Write each band's name and value beside its end, apart from each other. */
function labelBands(plot, regions) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const last = lastKnown(plot.data[1] ?? []);
  if (last < 0) return;
  const labels = regions.map((region, index) => {
    const top = plot.data[regions.length - index][last];
    const value = region.tokens_per_second[last];
    return { region: region.region, value, index, y: plot.valToPos(top - value / 2, "y", true) };
  });
  const step = LABEL_HEIGHT * ratio;
  let floor = bbox.top + bbox.height - step / 3;
  for (const label of labels) floor = (label.y = Math.min(label.y, floor)) - step;
  let ceiling = bbox.top + step / 2;
  for (const label of labels.toReversed()) ceiling = (label.y = Math.max(label.y, ceiling)) + step;
  ctx.save();
  ctx.font = `${11 * ratio}px Inter, system-ui, "Segoe UI", Roboto, Arial, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const x = bbox.left + bbox.width + 8 * ratio;
  for (const label of labels) {
    ctx.fillStyle = hatched(ctx, label.index, ratio);
    ctx.fillRect(x, label.y - 4.5 * ratio, 9 * ratio, 9 * ratio);
    ctx.strokeStyle = colour(`band-${label.index}`);
    ctx.lineWidth = ratio;
    ctx.strokeRect(x, label.y - 4.5 * ratio, 9 * ratio, 9 * ratio);
    ctx.fillStyle = colour("ink");
    ctx.fillText(cut(label.region, plot.width), x + 14 * ratio, label.y);
  }
  ctx.restore();
}

const narrow = (width) => width < 500;

function cut(text, width) {
  const most = narrow(width) ? 12 : 15;
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** A curve in an element: recreated when its shape or the colours change, else given new data. */
class Curve {
  constructor(host, readOut) {
    this.host = host;
    this.readOut = readOut;
    this.plot = null;
    this.shape = null;
    new ResizeObserver(() => this.resize()).observe(host);
  }

  draw(shape, options, data) {
    if (this.plot !== null && this.shape === shape) {
      this.plot.setData(data);
      return;
    }
    this.plot?.destroy();
    this.shape = shape;
    const hooks = { ...options.hooks, setCursor: [(plot) => this.readOut(plot.cursor.idx)] };
    this.plot = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        // Everything here is UTC, wherever the visitor is.
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
        axes: axes(this.host.clientWidth),
        ...options,
        hooks,
      },
      data,
      this.host,
    );
  }

  size() {
    return { width: Math.max(200, this.host.clientWidth), height: Math.max(120, this.host.clientHeight) };
  }

  resize() {
    const { width, height } = this.size();
    if (this.plot !== null && (width !== this.plot.width || height !== this.plot.height)) {
      this.plot.setSize({ width, height });
    }
  }

  /** Forget the drawing, so that the next one has the colours of now. */
  forget() {
    this.shape = null;
  }
}

/** The load of the last hours, one band a region. */
export class LoadCurve extends Curve {
  show(load) {
    const regions = load.regions;
    this.regions = regions;
    const band = (index) => ({
      stroke: () => colour(`band-${index}`),
      fill: (plot) => hatched(plot.ctx, index, devicePixelRatio),
      width: 1,
      points: { show: false },
    });
    const options = {
      padding: [10, narrow(this.host.clientWidth) ? 98 : 112, 0, 0],
      scales: { x: { time: true }, y: { range: (_, low, high) => [0, (high || 1) * 1.06] } },
      series: [{}, ...regions.map((_, index) => band(regions.length - 1 - index))],
      hooks: { draw: [(plot) => labelBands(plot, this.regions)] },
    };
    const shape = regions.map((region) => region.region).join("\n");
    this.draw(shape, options, [load.minutes, ...stack(regions)]);
  }
}

/** Block demand of the day against yesterday's, with the peak and the average. */
export class DayCurve extends Curve {
  show(today) {
    this.today = today;
    const stepped = uPlot.paths.stepped({ align: 1 });
    const options = {
      padding: [18, 20, 0, 0],
      scales: {
        x: { time: true, range: () => [this.today.day, this.today.day + 86400] },
        y: { range: (_, low, high) => [0, (high || 1) * 1.12] },
      },
      series: [
        {},
        { stroke: () => colour("quiet"), width: 1.25, dash: [4, 4], paths: stepped, points: { show: false } },
        {
          stroke: () => colour("accent"),
          fill: () => colour("accent-tint"),
          width: 2,
          paths: stepped,
          points: { show: false },
        },
      ],
      hooks: { draw: [(plot) => markDay(plot, this.today)] },
    };
    const blocks = Array.from({ length: 96 }, (_, index) => today.day + index * 900);
    const known = blocks.map((_, index) => today.tokens_per_second[index] ?? null);
    this.draw("day", options, [blocks, today.yesterday, known]);
  }
}

function markDay(plot, today) {
  const peak = today.peak_tokens_per_second;
  if (peak === null) return;
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.font = `600 ${11 * ratio}px Inter, system-ui, "Segoe UI", Roboto, Arial, sans-serif`;
  ctx.textBaseline = "alphabetic";
  const x = plot.valToPos(today.peak_block + 450, "x", true);
  const y = plot.valToPos(peak, "y", true);
  ctx.fillStyle = colour("ink");
  ctx.beginPath();
  ctx.moveTo(x, y - 2 * ratio);
  ctx.lineTo(x - 4 * ratio, y - 8 * ratio);
  ctx.lineTo(x + 4 * ratio, y - 8 * ratio);
  ctx.fill();
  ctx.strokeStyle = colour("panel");
  ctx.lineWidth = 4 * ratio;
  ctx.lineJoin = "round";
  const text = `peak ${short(peak)}`;
  const right = x + ctx.measureText(text).width + 8 * ratio > bbox.left + bbox.width;
  ctx.textAlign = right ? "right" : "left";
  ctx.strokeText(text, x + (right ? -8 : 8) * ratio, y - 5 * ratio);
  ctx.fillText(text, x + (right ? -8 : 8) * ratio, y - 5 * ratio);
  const level = plot.valToPos(today.average_tokens_per_second, "y", true);
  const end = plot.valToPos(today.blocks.at(-1) + 900, "x", true);
  ctx.strokeStyle = colour("ink");
  ctx.lineWidth = ratio;
  ctx.setLineDash([ratio, 3 * ratio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, level);
  ctx.lineTo(end, level);
  ctx.stroke();
  ctx.textAlign = "left";
  ctx.font = `${11 * ratio}px Inter, system-ui, "Segoe UI", Roboto, Arial, sans-serif`;
  ctx.fillText(`average ${short(today.average_tokens_per_second)}`, bbox.left + 6 * ratio, level + 13 * ratio);
  ctx.restore();
}
