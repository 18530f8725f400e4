// Flow search: a filter, and what it finds; or where it goes wrong.

import { byId, make, put } from "./element.js";
import { bytes, clock, count } from "./format.js";
import { ask } from "./wire.js";

const ROWS = 100;

const end = (flow, side) => {
  const address = flow[`${side}Addr`] ?? "?";
  const port = flow[`${side}Port`];
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
};

const side = (flow, way) => flow[`${way}IfName`] ?? (way === "Src" ? flow.InIf : flow.OutIf) ?? "";

/** Title and what a flow has there. */
const COLUMNS = [
  ["Time", (flow) => (flow.TimeFlowStart || flow.TimeReceived ? clock((flow.TimeFlowStart ?? flow.TimeReceived) * 1000) : "")],
  ["From", (flow) => end(flow, "Src")],
  ["To", (flow) => end(flow, "Dst")],
  ["Protocol", (flow, meaning) => [flow.ProtoName ?? String(flow.Proto ?? ""), meaning].filter(Boolean).join(" ")],
  ["Bytes", (flow) => bytes(flow.Bytes ?? 0)],
  ["Packets", (flow) => count(flow.Packets ?? 0)],
  ["Interfaces", (flow) => [side(flow, "Src"), side(flow, "Dst")].map(String).filter(Boolean).join(" → ")],
  ["Exporter", (flow) => flow.SamplerHostName ?? flow.SamplerAddress ?? ""],
];

/** Wires the form; gives a way to search from elsewhere on the page. */
export function startSearch() {
  const form = byId("search-form");
  const table = byId("found").querySelector("table");
  table.tHead.rows[0].append(...[...COLUMNS.map(([title]) => title), "All fields"].map((text) => make("th", { scope: "col", text })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const filter = form.elements.filter.value;
    const button = form.querySelector("button");
    showError(null);
    put(byId("search-note"), "searching …");
    button.disabled = true;
    try {
      const found = await ask("/api/search", { filter, seconds: form.elements.seconds.value, rows: ROWS });
      showFound(table, found);
    } catch (error) {
      byId("found").hidden = true;
      put(byId("search-note"), "");
      showError(error, filter);
    }
    button.disabled = false;
  });
  form.elements.filter.addEventListener("input", () => showError(null));
  return (filter) => {
    form.elements.filter.value = filter;
    form.elements.filter.focus();
    byId("search").scrollIntoView();
    form.requestSubmit();
  };
}

function showFound(table, { flows, meanings, matched, searched, seen, kept, from_s: from, is_cut: isCut }) {
  const shown = flows.length < matched ? `, the latest ${count(flows.length)} shown` : "";
  const sampled = kept < seen ? `; ${count(kept)} of the ${count(seen)} that came are kept for searching` : "";
  const cut = isCut ? `; time was up, what came before ${clock(from * 1000)} was not looked at` : "";
  put(byId("search-note"), `${count(matched)} of ${count(searched)} flows match${shown}${sampled}${cut}.`);
  byId("found").hidden = flows.length === 0;
  table.tBodies[0].replaceChildren(...flows.map((flow, index) => row(flow, meanings[index])));
}

function row(flow, meaning) {
  const cells = COLUMNS.map(([title, value]) => make("td", { "data-label": title }, make("span", { text: value(flow, meaning) })));
  const fields = Object.entries(flow).map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: String(value) })));
  const details = make("details", {}, make("summary", { text: `${fields.length} fields` }), make("dl", { class: "fields" }, ...fields));
  return make("tr", {}, ...cells, make("td", { "data-label": "All fields" }, details));
}

/** Shows what is wrong with a mark under the character; `null` for nothing. */
function showError(error, filter = "") {
  const [box, input] = [byId("filter-error"), byId("filter")];
  box.hidden = error === null;
  input.toggleAttribute("aria-invalid", false);
  if (error === null) {
    box.replaceChildren();
    return;
  }
  const help = error.help ? `\n${error.help}` : "";
  if (error.at === null || error.at === undefined) {
    put(box, `${error.message}${help}`);
    return;
  }
  const characters = Array.from(filter);
  const before = characters.slice(0, error.at).join("");
  const mark = make("mark", { text: characters[error.at] ?? " ", "data-at": error.at });
  const after = characters.slice(error.at + 1).join("");
  const caret = `${" ".repeat(error.at)}^ ${error.message}${help}`;
  box.replaceChildren(before, mark, after, `\n${caret}`);
  input.setAttribute("aria-invalid", "true");
  // There the mending begins.
  input.focus();
  input.setSelectionRange(before.length, before.length + (characters[error.at] ?? "").length);
}

