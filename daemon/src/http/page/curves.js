// Four curves over one time axis, read together: pointer or arrow keys mark a moment in all.

import { byId, draw, make, put } from "./element.js";
import { byteRate, clock, rate, short } from "./format.js";

/** What is delivered and only not counted is not lost. */
const lost = ({ losses }) => Object.entries(losses).reduce((all, [cause, one]) => (cause === "traffic_missed" ? all : all + one), 0);

const CHARTS = [
  {
    title: "Flows",
    format: rate,
    lines: [
      { label: "decoded", look: "a", value: (point) => point.rates.flows, area: true },
      { label: "delivered", look: "b", value: (point) => point.rates.delivered },
    ],
  },
  {
    title: "Received",
    format: byteRate,
    lines: [{ label: "payload of datagrams", look: "a", value: (point) => point.rates.bytes, area: true }],
  },
  {
    title: "Lost",
    format: rate,
    lines: [{ label: "by any cause, before us included", look: "c", value: lost, area: true }],
  },
  {
    title: "Waiting",
    format: short,
    lines: [
      { label: "batches lent", look: "a", value: (point) => point.levels.batches_lent, area: true },
      { label: "queues of splitter and counts", look: "b", value: (point) => point.levels.splitter_queue + point.levels.traffic_queue },
    ],
  },
];

const HEIGHT = 128;
const TOP = 8;
const BOTTOM = 16;

/** The next round number, so that the curve has most of the height. */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

export class Curves {
  constructor(series) {
    this.series = series;
    this.marked = null;
    const host = byId("charts");
    this.charts = CHARTS.map((chart) => this.#build(chart));
    host.append(...this.charts.map((chart) => chart.figure));
    host.addEventListener("keydown", (event) => this.#key(event));
    host.addEventListener("blur", () => this.#mark(null, true));
    host.addEventListener("pointerleave", () => this.#mark(null, true));
    new ResizeObserver(() => this.show()).observe(host);
  }

  #build(chart) {
    const svg = draw("svg", { class: "chart", height: HEIGHT, role: "img", "aria-label": chart.title });
    const grid = draw("g", { class: "grid" });
    const marks = draw("line", { class: "mark", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
    const lines = chart.lines.map(({ look, area }) => ({
      area: area ? draw("path", { class: `area ${look}` }) : null,
      path: draw("path", { class: `line ${look}` }),
    }));
    svg.append(grid, ...lines.flatMap(({ area, path }) => (area ? [area, path] : [path])), marks);
    svg.addEventListener("pointermove", (event) => this.#point(event, svg));
    const values = chart.lines.map(() => make("b", { text: "" }));
    const legend = chart.lines.map(({ label, look }, index) =>
      make("span", { class: "key" }, sample(look), make("span", { text: `${label} ` }), values[index]),
    );
    const figure = make("figure", {}, make("figcaption", {}, make("strong", { text: chart.title }), ...legend), svg);
    return { ...chart, figure, svg, grid, marks, paths: lines, values };
  }

  /** Draws what the series has now. */
  show() {
    for (const chart of this.charts) this.#draw(chart);
    this.#read();
  }

  #draw(chart) {
    const width = Math.max(120, chart.svg.parentElement.clientWidth);
    const { points, end, minutes, step } = this.series;
    chart.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    chart.svg.setAttribute("width", width);
    const highest = Math.max(1, ...chart.lines.flatMap(({ value }) => points.map((point) => value(point) ?? 0)));
    const top = nice(highest);
    const first = end - minutes * 60_000;
    const x = (at) => ((at - first) / (end - first)) * width;
    const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
    chart.x = x;
    this.#grid(chart, width, top, y);
    chart.lines.forEach(({ value }, index) => {
      let line = "";
      let area = "";
      let start = null;
      let before = null;
      const close = () => {
        if (before !== null) area += `L${before.toFixed(1)} ${y(0)}L${start.toFixed(1)} ${y(0)}Z`;
      };
      for (const point of points) {
        const at = x(point.at);
        // A gap in time is a gap in the line.
        const isNew = before === null || at - before > (x(first + 3 * Math.max(step, point.span)) - x(first)) + 1;
        const place = `${at.toFixed(1)} ${y(value(point) ?? 0).toFixed(1)}`;
        if (isNew) {
          close();
          start = at;
          area += `M${at.toFixed(1)} ${y(0)}L${place}`;
          line += `M${place}`;
        } else {
          line += `L${place}`;
          area += `L${place}`;
        }
        before = at;
      }
      close();
      chart.paths[index].path.setAttribute("d", line);
      chart.paths[index].area?.setAttribute("d", area);
    });
    const last = points.at(-1);
    const now = chart.lines.map(({ label, value }) => `${label} ${chart.format(last ? value(last) : 0)}`);
    chart.svg.setAttribute("aria-label", `${chart.title}, the last ${minutes} minutes: now ${now.join(", ")}; highest ${chart.format(highest)}`);
  }

  #grid(chart, width, top, y) {
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const at = y(top * share);
      parts.push(draw("line", { x1: 0, x2: width, y1: at, y2: at }));
      if (share > 0) parts.push(draw("text", { x: 2, y: at + 11, text: chart.format(top * share) }));
    }
    const { minutes } = this.series;
    parts.push(draw("text", { x: 2, y: HEIGHT - 3, text: `${minutes} min ago` }));
    parts.push(draw("text", { x: width / 2, y: HEIGHT - 3, "text-anchor": "middle", text: `${minutes / 2} min` }));
    parts.push(draw("text", { x: width - 2, y: HEIGHT - 3, "text-anchor": "end", text: "now" }));
    chart.grid.replaceChildren(...parts);
  }

  #point(event, svg) {
    const { points } = this.series;
    const chart = this.charts.find((one) => one.svg === svg);
    if (!points.length || !chart.x) return;
    const x = event.clientX - svg.getBoundingClientRect().left;
    let nearest = 0;
    points.forEach((point, index) => {
      if (Math.abs(chart.x(point.at) - x) < Math.abs(chart.x(points[nearest].at) - x)) nearest = index;
    });
    this.#mark(points[nearest], true);
  }

  #key(event) {
    const { points } = this.series;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -points.length, End: points.length };
    if (event.key === "Escape") this.#mark(null, false);
    if (!(event.key in steps) || !points.length) return;
    event.preventDefault();
    const at = this.marked ? points.indexOf(this.marked) : points.length;
    this.#mark(points[Math.min(points.length - 1, Math.max(0, at + steps[event.key]))], false);
  }

  #mark(point, isSilent) {
    this.marked = point;
    this.#read();
    // Who moves by keys hears the values; who points sees them.
    byId("moment").setAttribute("aria-live", isSilent ? "off" : "polite");
  }

  /** Puts the marked values, or the latest, beside the names of the lines. */
  #read() {
    const { points } = this.series;
    if (this.marked && !points.includes(this.marked)) this.marked = null;
    const point = this.marked ?? points.at(-1);
    const spoken = [];
    for (const chart of this.charts) {
      chart.lines.forEach(({ label, value }, index) => {
        const text = point ? chart.format(value(point) ?? 0) : "";
        put(chart.values[index], text);
        spoken.push(`${label} ${text}`);
      });
      chart.marks.setAttribute("visibility", this.marked ? "visible" : "hidden");
      if (this.marked && chart.x) {
        const x = chart.x(this.marked.at).toFixed(1);
        chart.marks.setAttribute("x1", x);
        chart.marks.setAttribute("x2", x);
      }
    }
    put(byId("moment"), this.marked ? `${clock(this.marked.at)}: ${spoken.join(", ")}` : "");
  }
}

/** A piece of a line, as it looks in the chart. */
function sample(look) {
  return draw("svg", { class: "sample", width: 18, height: 8, "aria-hidden": "true" }, draw("line", { class: `line ${look}`, x1: 0, x2: 18, y1: 4, y2: 4 }));
}
