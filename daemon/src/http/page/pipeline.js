// The picture of the pipeline: rooms, the rates between them, and where something is lost.

import { byId, make, meter, put } from "./element.js";
import { age, byteRate, bytes, count, rate, short } from "./format.js";
import { causeHint, causeName } from "./words.js";

const OUTPUTS = { kafka: "Kafka", file: "Files", stdout: "Standard output" };

/** Rooms by the places that losses name; `facts` gives lines of text or elements. */
const ROOMS = [
  {
    place: "receive",
    title: () => "Receive",
    number: (live) => live.counts.datagrams,
    unit: "datagrams",
    facts: (live) => [counted(live.workers.length, "worker", "workers"), byteRate(live.rates.bytes)],
  },
  {
    place: "decode",
    title: () => "Decode",
    number: (live) => live.counts.flows,
    unit: "flows",
    facts: (live) => [`of ${count(live.counts.records)} records`],
  },
  {
    place: "label",
    title: () => "Label",
    number: (live) => live.tables.prefixes,
    unit: (number) => plural(number, "prefix", "prefixes"),
    facts: (live) => [counted(live.tables.label_sets, "set of labels", "sets of labels"), counted(live.tables.interfaces, "interface", "interfaces")],
  },
  {
    place: "batch",
    title: () => "Batch",
    number: (live) => live.counts.encoded,
    unit: "encoded",
    facts: ({ levels, bounds }) => [
      meter(levels.batches_lent / bounds.batches, `${levels.batches_lent} of ${bounds.batches} batches lent`),
      `${count(levels.batches_lent)} of ${count(bounds.batches)} lent`,
    ],
  },
  {
    place: "output",
    title: (live) => OUTPUTS[live.output.kind] ?? live.output.kind,
    number: (live) => live.output.delivered,
    unit: "delivered",
    facts: ({ output }) => [
      output.trouble ? make("span", { class: "bad", text: `■ ${output.trouble}` }) : null,
      output.topic || null,
      `${short(output.in_flight)} in flight`,
      output.latency_p50_ms === null ? null : `p50 ${short(output.latency_p50_ms)} ms, p99 ${short(output.latency_p99_ms)} ms`,
    ],
  },
  {
    place: "spool",
    title: () => "Spool on disk",
    isOff: (live) => live.output.spool === null && "no spool: an outage fills memory, then sheds",
    number: (live) => live.output.spool.flows,
    unit: "waiting",
    facts: (live) => {
      const { spool } = live.output;
      return [
        meter(spool.bytes / live.bounds.spool_bytes, `${bytes(spool.bytes)} of ${bytes(live.bounds.spool_bytes)}`),
        `${bytes(spool.bytes)} of ${bytes(live.bounds.spool_bytes)}`,
        spool.oldest_ms ? `oldest ${age(spool.oldest_ms, live.at_ms)}` : null,
        `back to Kafka ${rate(live.rates.unspooled)}`,
      ];
    },
  },
  {
    place: "split",
    title: () => "Customers’ topics",
    isOff: (live) => !live.output.splits && "nobody has a topic of his own",
    number: (live) => live.counts.copies,
    unit: "copies",
    facts: ({ levels, bounds, output }) => [
      meter(levels.splitter_queue / bounds.splitter_queue, `queue ${levels.splitter_queue} of ${bounds.splitter_queue}`),
      `queue ${count(levels.splitter_queue)} of ${count(bounds.splitter_queue)}`,
      counted(output.tenants, "customer", "customers"),
    ],
  },
  {
    place: "traffic",
    title: () => "Traffic counts",
    isOff: (live) => !live.bounds.traffic_queue && "traffic is not counted",
    number: (live) => live.counts.counted,
    unit: "counted",
    facts: ({ levels, bounds }) => [
      meter(levels.traffic_queue / bounds.traffic_queue, `queue ${levels.traffic_queue} of ${bounds.traffic_queue}`),
      `queue ${count(levels.traffic_queue)} of ${count(bounds.traffic_queue)}`,
    ],
  },
];

/** Arrows in front of a room, by its place. */
const ARROWS = {
  decode: ["datagrams", (live) => live.rates.datagrams],
  label: ["flows", (live) => live.rates.flows],
  batch: ["flows", (live) => live.rates.flows],
  output: ["flows", (live) => live.rates.submitted],
  spool: ["to disk", (live) => live.rates.spooled],
  split: ["copies", (live) => live.rates.copies],
  traffic: ["flows", (live) => live.rates.counted],
};

const plural = (number, one, many) => (number === 1 ? one : many);
const counted = (number, one, many) => `${count(number)} ${plural(number, one, many)}`;

const NOTE = "The thicker an arrow, the more goes through. ▼ marks where something is lost; a coloured edge, that it is being lost now.";

const parts = new Map();

function build(room) {
  const number = make("b", { "data-count": room.place });
  const box = make("div", { class: "room" },
    make("h3", {}), make("p", { class: "big" }, number, make("span", { class: "quiet" })),
    make("div", { class: "room-facts quiet" }), make("ul", { class: "room-losses" }));
  const arrow = ARROWS[room.place] ? make("div", { class: "arrow" }, make("b", {}), make("span", { class: "quiet" }), make("i", { "aria-hidden": "true" })) : null;
  const item = make("li", { class: `stop at-${room.place}` }, arrow, box);
  parts.set(room.place, { box, number, arrow });
  return item;
}

/** Shows one second of the daemon's life. */
export function showPipeline(live) {
  if (parts.size === 0) byId("picture").append(...ROOMS.map(build), make("li", { class: "rail", "aria-hidden": "true" }), make("li", { class: "picture-note quiet", text: NOTE }));
  for (const room of ROOMS) {
    const { box, number, arrow } = parts.get(room.place);
    const [title, big, facts, losses] = box.children;
    put(title, room.title(live));
    const off = room.isOff?.(live);
    box.classList.toggle("off", Boolean(off));
    arrow?.classList.toggle("off", Boolean(off));
    big.hidden = Boolean(off);
    if (!off) {
      put(number, count(room.number(live)));
      put(big.children[1], ` ${typeof room.unit === "function" ? room.unit(room.number(live)) : room.unit}`);
    }
    const lines = off ? [off] : room.facts(live).filter(Boolean);
    facts.replaceChildren(...lines.map((line) => make("p", {}, line)));
    if (arrow) showArrow(arrow, ARROWS[room.place], live);
    showLost(losses, box, live.losses.filter((loss) => placeOf(loss) === room.place));
  }
}

/** What was lost on the way here is shown where it is noticed. */
const placeOf = ({ place }) => (place === "network" ? "receive" : place);

function showArrow(arrow, [unit, value], live) {
  const perSecond = value(live);
  put(arrow.children[0], rate(perSecond));
  put(arrow.children[1], unit);
  arrow.classList.toggle("flowing", perSecond > 0);
  // One step of width for each power of ten.
  const width = perSecond > 0 ? Math.min(7, 1 + Math.log10(perSecond + 1)) : 1;
  arrow.style.setProperty("--width", `${width.toFixed(1)}px`);
}

function showLost(list, box, losses) {
  box.classList.toggle("losing", losses.some((loss) => loss.rate > 0));
  const row = ({ cause, count: lost, unit, rate: now }) =>
    make("li", { title: causeHint(cause) },
      make("span", { text: `▼ ${count(lost)} ${unit}: ` }), make("span", { text: causeName(cause).toLowerCase() }),
      now > 0 ? make("b", { text: ` now ${rate(now)}` }) : null);
  const shown = [...losses].sort((one, other) => other.count - one.count).slice(0, 4);
  const rest = losses.length - shown.length;
  list.replaceChildren(...shown.map(row), rest > 0 ? make("li", { text: `and ${rest} more causes` }) : "");
}
