// Horizontal bars: a sum, and a whisker up to what it may be at most.

import { make } from "./element.js";
import { bytes, share, short } from "./format.js";

export const formatOf = (measure) => (measure === "bytes" ? bytes : short);

/**
 * Fills `list` with bars of a report's rows. `choose` is called with the key of a row that can be
 * looked up.
 */
export function showBars(list, report, measure, { choose, rowsMax = 20, isShort = false } = {}) {
  const rows = report.rows.slice(0, rowsMax);
  const upper = (row) => row.sums[measure] + row.error[measure];
  const most = Math.max(...rows.map(upper), 1);
  const whole = report.totals[measure];
  const format = formatOf(measure);
  const items = rows.map((row) => {
    const [sum, error] = [row.sums[measure], row.error[measure]];
    const bound = error > 0 && !isShort ? ` to ${format(sum + error)}` : "";
    const part = share(sum, whole);
    // Of a prefix: without the longer ones that are shown, too.
    const own = row.own && !isShort && row.own[measure] < sum * 0.999 ? ` · ${format(row.own[measure])} its own` : "";
    return make("li", { class: "bar-row" },
      name(row, choose),
      make("span", { class: "bar-value number", title: error > 0 ? `at most ${format(sum + error)}` : null }, make("b", { text: format(sum), "data-value": Math.round(sum) }), make("span", { class: "quiet", text: `${bound}${part ? ` · ${part}` : ""}${own}` })),
      bar(sum / most, error / most));
  });
  // Rows come anew; who was on one stays on it.
  const focused = list.contains(document.activeElement) ? document.activeElement.textContent : null;
  list.replaceChildren(...items);
  if (focused !== null) {
    [...list.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus({ preventScroll: true });
  }
  if (rows.length === 0) list.append(make("li", { class: "quiet", text: "none in this range" }));
}

function name(row, choose) {
  const label = row.name && row.name !== row.key ? `${row.key} ` : row.key;
  const more = row.name && row.name !== row.key ? make("span", { class: "quiet", text: row.name }) : null;
  const addresses = choose ? row.key.match(/[0-9a-fA-F.:]+/g)?.filter((one) => /[.:].*[.:]/.test(one)) ?? [] : [];
  if (addresses.length !== 1 || addresses[0] !== row.key) {
    return make("span", { class: "bar-name", title: `${label}${row.name}` }, label || "(none)", more);
  }
  const button = make("button", { type: "button", class: "plain", title: "Look up this address", text: row.key, on: { click: () => choose(row.key) } });
  return make("span", { class: "bar-name" }, button, " ", more);
}

function bar(sum, error) {
  const track = make("span", { class: "bar", "aria-hidden": "true" });
  const fill = make("span", { class: "bar-fill" });
  fill.style.width = `${(sum * 100).toFixed(2)}%`;
  track.append(fill);
  if (error > 0.002) {
    const whisker = make("span", { class: "whisker" });
    whisker.style.left = `${(sum * 100).toFixed(2)}%`;
    whisker.style.width = `${(error * 100).toFixed(2)}%`;
    track.append(whisker);
  }
  return track;
}
