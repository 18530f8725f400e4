// What was lost, a row for each cause: how much since the start, how much in the range, and when.

import { byId, draw, make, put } from "./element.js";
import { count, rate } from "./format.js";
import { causeHint, causeName } from "./words.js";

const WIDTH = 120;
const HEIGHT = 22;

export function showLosses(live, series) {
  const host = byId("loss-list");
  if (live.losses.length === 0) {
    const text = "Nothing lost since the start: every datagram that came was decoded, and every flow is accounted for.";
    if (!host.querySelector(".good")) host.replaceChildren(make("p", { class: "good", text }));
    return;
  }
  const inRange = series.lost();
  const rows = [...live.losses].sort((one, other) => other.count - one.count).map((loss) => {
    const { cause, unit, place } = loss;
    const hint = causeHint(cause);
    return make(
      "li",
      { class: loss.rate > 0 ? "now" : "" },
      make("div", {},
        make("strong", { text: causeName(cause) }),
        make("span", { class: "quiet", text: ` ${place}${hint ? `: ${hint}` : ""}` })),
      spark(cause, series),
      make("span", { class: "number" },
        make("b", { text: `▼ ${count(loss.count)}`, "data-loss": cause }),
        make("span", { class: "quiet", text: ` ${unit}` })),
      make("span", { class: "number quiet", text: loss.rate > 0 ? `now ${rate(loss.rate)}` : `in range ${count(inRange.get(cause) ?? 0)}` }),
    );
  });
  host.replaceChildren(make("ul", { class: "losses" }, ...rows));
}

/** When in the range, as little columns. */
function spark(cause, series) {
  const { points, end, minutes } = series;
  const columns = new Array(40).fill(0);
  for (const point of points) {
    const back = (end - point.at) / (minutes * 60_000);
    const at = Math.min(columns.length - 1, Math.max(0, Math.floor((1 - back) * columns.length)));
    columns[at] += ((point.losses[cause] ?? 0) * point.span) / 1000;
  }
  const top = Math.max(...columns, 1);
  const svg = draw("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
  svg.append(draw("line", { x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
  columns.forEach((value, index) => {
    if (value <= 0) return;
    const height = Math.max(2, (value / top) * (HEIGHT - 2));
    svg.append(draw("rect", { x: index * 3, y: HEIGHT - height, width: 2, height }));
  });
  return svg;
}

/** The daemon's state in one word and, if it is unwell, why. */
export function showState(live) {
  const state = byId("state");
  const troubles = Object.entries(live.troubles);
  const losing = live.losses.filter((loss) => loss.rate > 0 && loss.place !== "network");
  const isLosing = losing.some((loss) => loss.place !== "traffic");
  const words = isLosing ? "running, losing flows" : losing.length ? "running, counts incomplete" : "running";
  const name = troubles.length ? "unwell" : isLosing ? "losing" : losing.length ? "incomplete" : "running";
  // Read out when it changes, not every second that it lasts.
  if (state.dataset.state !== name) put(byId("told"), troubles.length ? `unwell: ${troubles.map(([room]) => room).join(", ")}` : words);
  state.dataset.state = name;
  put(state, troubles.length ? troubles.map(([room, why]) => `${room}: ${why}`).join("; ") : words);
}
