// Makes elements. Text is always set as text, never parsed as HTML, and links go to http(s) only.

export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onClick") made.addEventListener("click", value);
    else if (name === "onSubmit") made.addEventListener("submit", (event) => { event.preventDefault(); value(event); });
    else if (name === "onChange") made.addEventListener("change", value);
    else if (name === "onToggle") made.addEventListener("toggle", value);
    else if (name in { value: 1, checked: 1, open: 1 }) made[name] = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function outerLink(url, ...children) {
  let target = null;
  try {
    const parsed = new URL(url);
    if (parsed.protocol === "http:" || parsed.protocol === "https:") target = parsed.href;
  } catch { /* not a link */ }
  if (target === null) return element("span", {}, ...children);
  return element("a", { href: target, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

export function bar(share, kind) {
  const fill = element("i", { class: kind });
  fill.style.setProperty("width", `${Math.max(0, Math.min(1, share)) * 100}%`);
  return element("span", { class: "bar", "aria-hidden": "true" }, fill);
}

const SVG = "http://www.w3.org/2000/svg";

// A line of numbers over time; the label tells them to who can't see it.
export function sparkline(values, label) {
  const most = Math.max(...values, 1);
  const points = values.map((value, place) => `${(100 * place) / Math.max(values.length - 1, 1)},${22 - (20 * value) / most}`);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.join(" "));
  const drawing = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 100 24", preserveAspectRatio: "none", role: "img", "aria-label": label, class: "spark" })) drawing.setAttribute(name, value);
  drawing.append(line);
  return drawing;
}

export function table(headings, rows, options = {}) {
  const numeric = new Set(options.numeric ?? []);
  const cell = (tag, value, place) => element(tag, {
    class: numeric.has(place) ? "number" : null, scope: tag === "th" ? "col" : null,
  }, value ?? "–");
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": options.label ?? headings.join(", ") },
    element("table", {},
      element("thead", {}, element("tr", {}, headings.map((value, place) => cell("th", value, place)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, row.map((value, place) => cell("td", value, place)))))));
}
