// Top talkers and the charts beside them, as the question above them asks.

import { formatOf, showBars } from "./bars.js";
import { byId, make, put } from "./element.js";
import { duration, share, short } from "./format.js";
import { ask, regularly } from "./wire.js";
import { DIMENSIONS, OF_TENANTS, SHARES } from "./words.js";

const ROWS = 20;
const SHARE_ROWS = 6;

/** Keeps asking; `minutes` tells the range, `choose` is called with an address to look up. */
export function startTalkers(minutes, choose) {
  const form = byId("question");
  form.elements.dimension.append(...DIMENSIONS.map(([value, text]) => make("option", { value, text })));
  const charts = SHARES.map(([dimension, title]) => {
    const list = make("ol", { class: "bars small", "aria-label": title });
    const chart = make("div", {}, make("h3", { text: title }), list);
    byId("shares").append(chart);
    return { dimension, list, chart };
  });
  const look = async () => {
    const question = read(form, minutes());
    try {
      const dimension = form.elements.dimension.value;
      const report = await ask("/api/talkers", { dimension, rows: ROWS, ...question });
      showBars(byId("talkers"), report, question.measure, { choose, rowsMax: ROWS });
      showBound(report, question);
      for (const { dimension: by, list, chart } of charts) {
        // Of a customer less is kept.
        chart.hidden = question.tenant !== "" && !OF_TENANTS.includes(by);
        if (chart.hidden) continue;
        const parameters = { dimension: by, rows: SHARE_ROWS, ...question };
        showBars(list, await ask("/api/talkers", parameters), question.measure, { rowsMax: SHARE_ROWS, isShort: true });
      }
      byId("traffic").dataset.answered = new URLSearchParams({ dimension, ...question }).toString();
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
  form.elements.tenant.addEventListener("focus", listTenants);
  return again;
}

const read = ({ elements }, minutes) => ({
  measure: elements.measure.value,
  direction: elements.direction.value,
  tenant: /^\d+$/.test(elements.tenant.value.trim()) ? elements.tenant.value.trim() : "",
  minutes,
});

/** Offers the customers that there are. */
async function listTenants() {
  try {
    const { tenants } = await ask("/api/tenants");
    byId("tenants").replaceChildren(...tenants.map((value) => make("option", { value })));
  } catch {
    // They can be typed as well.
  }
}

function showBound(report, { measure, tenant }) {
  const format = formatOf(measure);
  const { totals, sampling, absent, rows } = report;
  const span = report.to_s > report.from_s ? ` in ${duration(report.to_s - report.from_s)}` : "";
  const all = `${format(totals[measure])}${measure === "bytes" ? "" : ` ${measure}`} in all${span}.`;
  const most = Math.max(...rows.map((row) => row.sums[measure]), 1);
  const deviation = Math.sqrt(sampling.variance_per_unit[measure] / most);
  const sampled = sampling.one_in > 1
    ? ` The smallest flows stand for up to ${short(sampling.one_in)} of their kind; the first row's standard deviation is at most ${share(deviation, 1)}.`
    : " Nothing was sampled.";
  const kept = tenant ? " A customer's hosts, pairs, ports and countries are kept for five to ten minutes." : "";
  put(byId("traffic-note"), all + sampled + kept);
  const rest = absent[measure] > 0 ? `nobody who is not kept has more than ${format(absent[measure])}.` : "nobody is missing.";
  put(byId("talkers-bound"), `A bar is what it was at least, its whisker reaches to what it was at most; ${rest}`);
}
