// The page: hears a second, shows a second.

import { Curves } from "./curves.js";
import { byId, put } from "./element.js";
import { startExporters } from "./exporters.js";
import { clock, duration } from "./format.js";
import { startLookup } from "./lookup.js";
import { showLosses, showState } from "./losses.js";
import { showPipeline } from "./pipeline.js";
import { startSearch } from "./search.js";
import { Series } from "./series.js";
import { startTalkers } from "./talkers.js";
import { ask, listen } from "./wire.js";
import { showWorkers } from "./workers.js";

const series = new Series();
const curves = new Curves(series);
let nowMs = Date.now();
let minutes = 5;

async function loadHistory() {
  try {
    series.load(await ask("/api/history", { minutes }), minutes);
    curves.show();
  } catch (error) {
    notice(`The history did not come: ${error.message}`);
  }
}

function notice(text) {
  byId("notice").hidden = !text;
  put(byId("notice"), text);
}

function show(live) {
  nowMs = live.at_ms;
  series.push(live);
  put(byId("facts"), `neckard ${live.version}, up ${duration(live.uptime_s)}`);
  showState(live);
  if (document.hidden) return;
  showPipeline(live);
  curves.show();
  showLosses(live, series);
  showWorkers(live);
  document.documentElement.dataset.second = live.at_ms;
}

const lookUp = startLookup(startSearch());
startExporters(() => nowMs);
const askTalkers = startTalkers(() => minutes, lookUp);

byId("range").addEventListener("change", (event) => {
  minutes = Number(event.target.value);
  loadHistory();
  askTalkers();
});

listen({
  told: show,
  lost: (since) => {
    notice(`No connection since ${clock(since)}. What you see is as it was then; trying again.`);
    byId("state").dataset.state = "lost";
    put(byId("state"), "no connection");
  },
  found: () => {
    notice("");
    loadHistory();
  },
});
loadHistory();
