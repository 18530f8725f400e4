// Workers and queues: who does how much, and what is how full.

import { byId, make, meter, put } from "./element.js";
import { bytes, count, rate, share, short } from "./format.js";

/** Bars of workers are drawn to one scale; beyond so many, those with most to do are shown. */
const WORKERS_MAX = 32;

export function showWorkers(live) {
  const most = Math.max(1, ...live.workers.map((worker) => worker.flow_rate));
  const rows = live.workers.map((worker, index) => ({ worker, index }));
  if (rows.length > WORKERS_MAX) rows.sort((one, other) => other.worker.flow_rate - one.worker.flow_rate);
  byId("worker-list").replaceChildren(table(rows.slice(0, WORKERS_MAX), most));
  showQueues(live);
}

function table(rows, most) {
  const head = ["Worker", "Flows", "Datagrams", "per wake-up", "Batches lent", "Waits"];
  const body = rows.map(({ worker, index }) => {
    const perWake = worker.wake_rate > 0 ? worker.datagram_rate / worker.wake_rate : 0;
    return make("tr", {},
      make("th", { scope: "row", "data-label": "Worker", text: String(index) }),
      make("td", { class: "with-bar", "data-label": "Flows" }, meter(worker.flow_rate / most, rate(worker.flow_rate), false), make("span", { text: rate(worker.flow_rate) })),
      make("td", { "data-label": "Datagrams", text: rate(worker.datagram_rate) }),
      make("td", { "data-label": "per wake-up", text: short(Math.round(perWake * 10) / 10) }),
      make("td", { "data-label": "Batches lent", text: `${count(worker.lent)} of ${count(worker.batches)}` }),
      make("td", { "data-label": "Waits", text: worker.stalled > 0.001 ? `${share(worker.stalled, 1)} of the time` : count(worker.stalls) }));
  });
  return make("table", { class: "table" },
    make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col", text: name })))),
    make("tbody", {}, ...body));
}

const queues = new Map();

/** A queue with its fill; `bound` of 0 has none to be measured by. */
function queue(name, level, bound, format = count) {
  if (!queues.has(name)) {
    const value = make("span", { class: "number" });
    const row = make("div", { class: "queue" }, make("span", { text: name }), make("span", {}), value);
    queues.set(name, { row, value });
    byId("queue-list").append(row);
  }
  const { row, value } = queues.get(name);
  const text = bound ? `${format(level)} of ${format(bound)}` : format(level);
  put(value, text);
  row.children[1].replaceChildren(bound ? meter(level / bound, `${name}: ${text}`) : "");
}

function showQueues({ levels, bounds, output }) {
  queue("Batches lent", levels.batches_lent, bounds.batches);
  if (levels.backlog > 0 || queues.has("Backlog of batches")) queue("Backlog of batches", levels.backlog, 0);
  if (output.splits) queue("Splitter’s queue", levels.splitter_queue, bounds.splitter_queue);
  if (bounds.traffic_queue) queue("Traffic’s queue", levels.traffic_queue, bounds.traffic_queue);
  queue("Flows in flight", output.in_flight, 0);
  if (output.spool) queue("Spool", output.spool.bytes, bounds.spool_bytes, bytes);
}
