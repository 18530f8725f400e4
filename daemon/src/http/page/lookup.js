// What an address is called: its labels, and which source says what.

import { byId, make, put } from "./element.js";
import { ask } from "./wire.js";

const USUAL = "Every label that a flow from or to the address gets, and who says so.";

/**
 * Wires the form; gives a way to look up an address from elsewhere on the page. `search` is called
 * with a filter for the flows of an address.
 */
export function startLookup(search) {
  const form = byId("lookup-form");
  const look = async () => {
    const address = form.elements.address.value.trim();
    if (!address) return;
    try {
      show(await ask("/api/lookup", { address }), search);
    } catch (error) {
      byId("labels").replaceChildren();
      put(byId("lookup-note"), error.message);
      form.elements.address.setAttribute("aria-invalid", "true");
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    look();
  });
  form.elements.address.addEventListener("input", () => {
    form.elements.address.removeAttribute("aria-invalid");
    put(byId("lookup-note"), USUAL);
  });
  return (address) => {
    form.elements.address.value = address;
    form.elements.address.focus();
    byId("lookup").scrollIntoView();
    look();
  };
}

function show({ address, labels, labels_as_destination: other, sources }, search) {
  // Ends are told apart where it makes a difference.
  const found = other ? ofBothEnds(labels, other) : Object.entries(labels);
  put(byId("lookup-note"), found.length ? `${address} has ${found.length} ${found.length === 1 ? "label" : "labels"}.` : `${address} has no label.`);
  const list = make("dl", { class: "fields" }, ...found.map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", { text: String(value) }))));
  const rows = sources.flatMap(({ source, prefix, labels: said, overruled }) =>
    lines(said, overruled).map(({ kind, value }) =>
      make("tr", {}, ...[["Source", source], ["Prefix", prefix ?? "(its AS)"], ["Label", kind], ["Value", value]].map(([title, text]) => make("td", { "data-label": title }, make("span", { text })))),
    ),
  );
  const table = make("table", { class: "table", "aria-label": "Who says so" },
    make("thead", {}, make("tr", {}, ...["Source", "Prefix", "Label", "Value"].map((text) => make("th", { scope: "col", text })))),
    make("tbody", {}, ...rows));
  const button = make("button", { type: "button", class: "plain", text: "Search its flows of the last minutes", on: { click: () => search(`address ${address}`) } });
  byId("labels").replaceChildren(button, ...(found.length ? [list] : []), ...(rows.length ? [table] : []));
}

function ofBothEnds(source, destination) {
  const names = new Set([...Object.keys(source), ...Object.keys(destination)]);
  return [...names].flatMap((name) => {
    if (source[name] === destination[name]) return [[name, source[name]]];
    const ends = [[`${name} as source`, source[name]], [`${name} as destination`, destination[name]]];
    return ends.filter(([, value]) => value !== undefined);
  });
}

/** What a source says, what others say first behind it; "nothing" is an answer too. */
function lines(said, overruled) {
  const all = [...said, ...overruled.map(({ kind, value }) => ({ kind, value: `${value} (overruled)` }))];
  return all.length ? all : [{ kind: "nothing", value: "undoes the prefixes around it" }];
}
