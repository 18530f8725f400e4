// The points that curves are drawn from: the daemon's history, and the live seconds after it, joined
// to steps of the same length.

export class Series {
  points = [];
  minutes = 5;
  step = 1000;

  /** Takes over what /api/history answered. */
  load(history, minutes) {
    this.minutes = minutes;
    this.points = history.at_ms.map((at, index) => ({
      at,
      span: history.span_ms[index],
      rates: pick(history.rates, index),
      levels: pick(history.levels, index),
      losses: Object.fromEntries(history.losses.map((loss) => [loss.cause, loss.rate[index]])),
    }));
    const spans = history.span_ms;
    // A second is never exactly one; the last step may not be whole.
    this.step = spans.length > 1 ? Math.max(1000, Math.round(spans[1] / 1000) * 1000) : 1000;
  }

  /** Takes in a live second. */
  push({ at_ms: at, span_ms: span, rates, levels, losses }) {
    const last = this.points.at(-1);
    if (last && at <= last.at) return;
    const point = { at, span, rates, levels, losses: Object.fromEntries(losses.map((one) => [one.cause, one.rate])) };
    if (last && last.span + span / 2 < this.step) join(last, point);
    else this.points.push(point);
    const first = at - this.minutes * 60_000;
    while (this.points.length && this.points[0].at < first) this.points.shift();
  }

  get end() {
    return this.points.at(-1)?.at ?? Date.now();
  }

  /** What was lost in the range, by cause. */
  lost() {
    const sums = new Map();
    for (const { span, losses } of this.points) {
      for (const [cause, rate] of Object.entries(losses)) {
        sums.set(cause, (sums.get(cause) ?? 0) + (rate * span) / 1000);
      }
    }
    return sums;
  }
}

const pick = (columns, index) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[index]]));

/** Averages rates by length, keeps the highest level. */
function join(into, next) {
  const span = into.span + next.span;
  const mean = (one, other) => ((one ?? 0) * into.span + (other ?? 0) * next.span) / span;
  for (const name of Object.keys(next.rates)) into.rates[name] = mean(into.rates[name], next.rates[name]);
  for (const name of Object.keys(next.levels)) into.levels[name] = Math.max(into.levels[name] ?? 0, next.levels[name]);
  for (const name of new Set([...Object.keys(into.losses), ...Object.keys(next.losses)])) {
    into.losses[name] = mean(into.losses[name], next.losses[name]);
  }
  into.at = next.at;
  into.span = span;
}
