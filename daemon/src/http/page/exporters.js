// The table of exporters. The daemon sorts, so that the rows are the right ones however many there are.

import { byId, make, put } from "./element.js";
import { age, bytes, count, share } from "./format.js";
import { protocolName } from "./words.js";
import { ask, regularly } from "./wire.js";

const ROWS = 200;

/** Title, what to sort by, what a row has there. */
const COLUMNS = [
  ["Exporter", "address", (row) => [make("b", { text: row.port ? `${row.address}:${row.port}` : row.address }), row.name ? make("span", { class: "quiet", text: ` ${row.name}` }) : null]],
  ["Protocol", null, (row) => [row.protocols.map(protocolName).join(", "), row.domains > 1 ? make("span", { class: "quiet", text: ` ${row.domains} domains` }) : null]],
  ["Datagrams", "datagrams", (row) => [count(row.datagrams), make("span", { class: "quiet", text: ` ${bytes(row.bytes)}` })]],
  ["Records", "records", (row) => [count(row.records)]],
  ["Missed", "missed", (row) => (row.missed ? [make("b", { class: "bad", text: `▼ ${count(row.missed)}` }), make("span", { class: "quiet", text: ` ${missedShare(row)}` })] : ["0"])],
  ["Gaps", "gaps", (row) => [count(row.gaps), row.resets ? make("span", { class: "quiet", text: ` ${count(row.resets)} resets` }) : null]],
  ["Templates", "templates", (row) => [count(row.templates)]],
  ["Without template", "missing", (row) => (row.missing_sets ? [make("b", { class: "bad", text: `▼ ${count(row.missing_sets)} sets` }), make("span", { class: "quiet", text: ` of ${row.missing.join(", ")}` })] : ["0"])],
  ["Sampling", null, (row) => [row.rates.length ? row.rates.map((rate) => `1:${count(rate)}`).join(", ") : make("span", { class: "quiet", text: "not told" })]],
  ["Last seen", "last_seen", (row, now) => [age(row.last_seen_ms, now)]],
];

/** Units of sequence numbers are records in v5 and IPFIX, datagrams in v9 and sFlow. */
function missedShare({ protocols, missed, records, datagrams }) {
  const byRecord = protocols.every((one) => one === "netflow_v5" || one === "ipfix");
  return share(missed, missed + (byRecord ? records : datagrams));
}

let sort = "records";

/** Keeps the table; `now` tells the daemon's time. */
export function startExporters(now) {
  const table = byId("exporter-table");
  const look = async () => {
    try {
      const { known, exporters } = await ask("/api/exporters", { sort, rows: ROWS });
      const shown = exporters.length < known ? `the first ${count(exporters.length)} of ${count(known)}` : `${count(known)} known`;
      put(byId("exporters-note"), known ? shown : "Nobody has sent anything yet.");
      table.tBodies[0].replaceChildren(...exporters.map((row) => exporter(row, now())));
    } catch (error) {
      put(byId("exporters-note"), error.message);
    }
  };
  const again = regularly(5, look);
  table.tHead.rows[0].append(...COLUMNS.map((column) => heading(table, column, again)));
}

function exporter(row, now) {
  const cells = COLUMNS.map(([title, , content], index) =>
    make(index ? "td" : "th", { "data-label": title, scope: index ? null : "row" }, make("span", {}, ...content(row, now).filter(Boolean))));
  return make("tr", {}, ...cells);
}

function heading(table, [title, key], again) {
  if (!key) return make("th", { scope: "col", text: title });
  const choose = () => {
    sort = key;
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", order(key));
    again();
  };
  const cell = make("th", { scope: "col" }, make("button", { type: "button", text: title, on: { click: choose } }));
  if (key === sort) cell.setAttribute("aria-sort", order(key));
  return cell;
}

const order = (key) => (key === "address" ? "ascending" : "descending");
