// Numbers for people: few digits, units at the end.

const WHOLE = new Intl.NumberFormat("en");
const SCALES = ["", "k", "M", "G", "T", "P"];

/** All digits. */
export const count = (value) => WHOLE.format(Math.round(value ?? 0));

function scaled(value, base) {
  let scale = 0;
  while (Math.abs(value) >= base * 0.9995 && scale < SCALES.length - 1) {
    value /= base;
    scale += 1;
  }
  const digits = Math.abs(value) < 9.995 ? 2 : Math.abs(value) < 99.95 ? 1 : 0;
  return [value.toFixed(scale === 0 ? Math.min(digits, 1) : digits).replace(/^(-?\d+)\.0+$/, "$1"), SCALES[scale]];
}

/** Three digits and a power of a thousand: `12.3 k`. */
export function short(value) {
  const [digits, scale] = scaled(value ?? 0, 1000);
  return scale ? `${digits} ${scale}` : digits;
}

/** The same of bytes: `12.3 MB`. */
export function bytes(value) {
  const [digits, scale] = scaled(value ?? 0, 1000);
  return `${digits} ${scale}B`;
}

export const rate = (value) => `${short(value)}/s`;
export const byteRate = (value) => `${bytes(value)}/s`;
export const share = (part, whole) => (whole > 0 ? `${((part / whole) * 100).toFixed(part / whole < 0.0995 ? 1 : 0)} %` : "");

/** `3 d 4 h`, `5 min 6 s`: the two largest units. */
export function duration(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.max(0, Math.floor(seconds));
  const parts = [];
  for (const [name, size] of units) {
    const amount = Math.floor(rest / size);
    rest %= size;
    if (amount > 0) parts.push(`${amount} ${name}`);
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** How long ago, by the daemon's clock. */
export const age = (atMs, nowMs) => (atMs ? `${duration((nowMs - atMs) / 1000)} ago` : "never");

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const clock = (atMs) => CLOCK.format(new Date(atMs));
