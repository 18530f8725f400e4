// Top talkers and the charts beside them, as the question above them asks.

import { formatOf, showBars } from "./bars.js";
import { byId, make, put } from "./element.js";
import { duration, share, short } from "./format.js";
import { ask, regularly } from "./wire.js";
import { DIMENSIONS, SHARES } from "./words.js";

const ROWS = 20;
const SHARE_ROWS = 6;

/** Keeps asking; `minutes` tells the range, `choose` is called with an address to look up. */
export function startTalkers(minutes, choose) {
  const form = byId("question");
  form.elements.dimension.append(...DIMENSIONS.map(([value, text]) => make("option", { value, text })));
  const charts = SHARES.map(([dimension, title]) => {
    const list = make("ol", { class: "bars small", "aria-label": title });
    byId("shares").append(make("div", {}, make("h3", { text: title }), list));
    return { dimension, list };
  });
  const question = () => ({
    measure: form.elements.measure.value,
    direction: form.elements.direction.value,
    tenant: form.elements.tenant.value.trim(),
    minutes: minutes(),
  });
  const look = async () => {
    try {
      const asked = question();
      const dimension = form.elements.dimension.value;
      const report = await ask("/api/talkers", { dimension, rows: ROWS, ...asked });
      showBars(byId("talkers"), report, asked.measure, { choose, rowsMax: ROWS });
      showBound(report, asked);
      for (const chart of charts) {
        const parameters = { dimension: chart.dimension, rows: SHARE_ROWS, ...asked };
        showBars(chart.list, await ask("/api/talkers", parameters), asked.measure, { rowsMax: SHARE_ROWS });
      }
    } catch (error) {
      put(byId("traffic-note"), error.message);
    }
  };
  const again = regularly(5, look);
  form.addEventListener("input", again);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    again();
  });
  return again;
}

function showBound(report, { measure }) {
  const format = formatOf(measure);
  const { totals, sampling, error_absent: absent } = report;
  const span = report.to_s > report.from_s ? ` in ${duration(report.to_s - report.from_s)}` : "";
  const all = `${format(totals[measure])}${measure === "bytes" ? "" : ` ${measure}`} in all${span}.`;
  const sampled = sampling?.one_in > 1
    ? ` One flow in ${short(sampling.one_in)} was counted, and stands for the others${sampling.deviation?.[measure] ? ` (standard deviation ${share(sampling.deviation[measure], 1) || format(sampling.deviation[measure])})` : ""}.`
    : " Every flow was counted.";
  put(byId("traffic-note"), all + sampled);
  const missing = absent?.[measure] ?? 0;
  const rest = missing > 0 ? `nobody who is not named has more than ${format(missing)}.` : "nobody is missing.";
  put(byId("talkers-bound"), `A bar is what it was at least, its whisker reaches to what it was at most; ${rest}`);
}
