// The two curves, drawn with uPlot. Bands differ by colour, by hatching and by a label beside them.

import { clock, dayShort, short } from "./format.js";
import { colour, font, hatched, magnified } from "./hatches.js";
import { word } from "./language.js";

const LABEL_HEIGHT = 15;
/** Longer stretches name the day where one begins. */
const CLOCK_SECONDS_MAX = 36 * 3600;

function axes(width) {
  const ink = () => colour("quiet");
  const grid = { stroke: () => colour("grid"), width: 1 };
  const size = magnified();
  return [
    {
      stroke: ink,
      font: font(1),
      grid,
      ticks: { show: false },
      space: (narrow(width) ? 56 : 72) * size,
      gap: 4,
      size: 24 * size,
      values: (plot, splits) => {
        const long = plot.scales.x.max - plot.scales.x.min > CLOCK_SECONDS_MAX;
        return splits.map((seconds) => (long && seconds % 86400 === 0 ? dayShort(seconds) : clock(seconds)));
      },
    },
    {
      stroke: ink,
      font: font(1),
      grid,
      ticks: { show: false },
      size: 52 * size,
      gap: 6,
      space: 38 * size,
      values: (_, splits) => splits.map((value) => (value === 0 ? "0" : short(value))),
    },
  ];
}

const lastKnown = (values) => values.findLastIndex((value) => value !== null);

/** Sums from the first curve upwards, drawn from the highest down so that each covers the next. */
function stack(curves) {
  const sums = [];
  curves.forEach((curve, index) => {
    const below = sums[index - 1];
    sums.push(curve.values.map((value, at) => (value === null ? null : value + (below?.[at] ?? 0))));
  });
  return sums.reverse();
}

/** Write each band's name beside its end, apart from each other. */
function labelBands(plot, curves) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const large = ratio * magnified();
  const last = lastKnown(plot.data[1] ?? []);
  if (last < 0) return;
  const labels = curves.map((curve, index) => {
    const top = plot.data[curves.length - index][last];
    return { text: curve.label, index, y: plot.valToPos(top - curve.values[last] / 2, "y", true) };
  });
  const step = LABEL_HEIGHT * large;
  let floor = bbox.top + bbox.height - step / 3;
  for (const label of labels) floor = (label.y = Math.min(label.y, floor)) - step;
  let ceiling = bbox.top + step / 2;
  for (const label of labels.toReversed()) ceiling = (label.y = Math.max(label.y, ceiling)) + step;
  ctx.save();
  ctx.font = font(ratio);
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  const x = bbox.left + bbox.width + 8 * large;
  for (const label of labels) {
    ctx.fillStyle = hatched(ctx, label.index, ratio);
    ctx.fillRect(x, label.y - 4.5 * large, 9 * large, 9 * large);
    ctx.strokeStyle = colour(`band-${label.index}`);
    ctx.lineWidth = ratio;
    ctx.strokeRect(x, label.y - 4.5 * large, 9 * large, 9 * large);
    ctx.fillStyle = colour("ink");
    ctx.fillText(cut(label.text, plot.width), x + 14 * large, label.y);
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

/** Curves on top of each other, one band each: {times, curves: [{label, values}]}. */
export class Bands extends Curve {
  show({ times, curves }) {
    this.curves = curves;
    const band = (index) => ({
      stroke: () => colour(`band-${index}`),
      fill: (plot) => hatched(plot.ctx, index, devicePixelRatio),
      width: 1,
      points: { show: false },
    });
    const options = {
      padding: [10, (narrow(this.host.clientWidth) ? 98 : 112) * magnified(), 0, 0],
      scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.06] } },
      series: [{}, ...curves.map((_, index) => band(curves.length - 1 - index))],
      hooks: { draw: [(plot) => labelBands(plot, this.curves)] },
    };
    this.draw(curves.map((curve) => curve.label).join("\n"), options, [times, ...stack(curves)]);
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
  ctx.font = font(ratio, "600");
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
  const text = word("peak_mark", { peak: short(peak) });
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
  ctx.font = font(ratio);
  ctx.fillText(word("average_mark", { average: short(today.average_tokens_per_second) }), bbox.left + 6 * ratio, level + 13 * ratio);
  ctx.restore();
}
