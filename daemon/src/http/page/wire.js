// The way to the daemon. Every address is made from the origin: a page opened as
// https://user:secret@host/ may not ask for relative ones.

const address = (path) => new URL(path, location.origin);

/** Something that the daemon refused, in its words; `at` is the character of a filter. */
export class Refused extends Error {
  constructor(status, { message, at, help }) {
    super(message);
    Object.assign(this, { status, at, help });
  }
}

/** Asks for JSON. */
export async function ask(path, parameters = {}) {
  const url = address(path);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== "" && value !== undefined) url.searchParams.set(name, value);
  }
  const answer = await fetch(url, { cache: "no-store" });
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("application/json")) {
    const body = await answer.json();
    if (answer.ok) return body;
    throw new Refused(answer.status, body.error ?? { message: `answer ${answer.status}` });
  }
  throw new Refused(answer.status, { message: answer.ok ? "no JSON came" : `answer ${answer.status}` });
}

/** Silence for longer than this is a lost connection. */
const SILENCE_MS = 4000;
const AGAIN_MS = 1000;

/**
 * Hears the daemon's events, one a second, for ever. `told` gets each; `lost` hears since when
 * nothing comes, `found` that it comes again.
 */
export function listen({ told, lost, found }) {
  let source = null;
  let heard = Date.now();
  let isLost = false;
  const open = () => {
    source?.close();
    source = new EventSource(address("/api/live"));
    source.onmessage = (event) => {
      heard = Date.now();
      const data = JSON.parse(event.data);
      if (!data.at_ms) return;
      if (isLost) found();
      isLost = false;
      told(data);
    };
  };
  open();
  setInterval(() => {
    if (Date.now() - heard < SILENCE_MS) return;
    if (!isLost) {
      isLost = true;
      lost(heard);
    }
    // The browser gives up where the answer was an error; we do not.
    if (source.readyState === EventSource.CLOSED) open();
  }, AGAIN_MS);
}

/** Calls `look` now and every `seconds` while the page is seen; never two at a time. Gives a way to call it at once. */
export function regularly(seconds, look) {
  let timer = 0;
  let running = false;
  let again = false;
  const run = async () => {
    clearTimeout(timer);
    if (running) {
      again = true;
      return;
    }
    running = true;
    if (!document.hidden) await look();
    running = false;
    timer = setTimeout(run, again ? 0 : seconds * 1000);
    again = false;
  };
  document.addEventListener("visibilitychange", () => document.hidden || run());
  run();
  return run;
}
