// Elements from data. Text is put in as text, whatever it says: names come from exporters.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** An HTML element; `text` becomes its text, `on` its listeners, the rest attributes. */
export const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element, likewise. */
export const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Sets a text, if it is another: what did not change is not read out again. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A bar from 0 to 1; whoever cannot see it reads the number beside. */
export function meter(share, label, isFill = true) {
  const bar = make("span", { class: "meter", role: "img", "aria-label": label });
  // A queue that is nearly full looks different; much work does not.
  const fill = make("span", { class: isFill && share > 0.8 ? "meter-fill high" : "meter-fill" });
  fill.style.width = `${Math.min(100, Math.max(0, share * 100)).toFixed(1)}%`;
  bar.append(fill);
  return bar;
}
