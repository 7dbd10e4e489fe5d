// Makes elements. Text is always set as text, never parsed as HTML, and links go to http(s) only. Characters that are
// not seen are left out: marks that turn the direction of text could make it say something else.

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const seen = (value) => typeof value === "string" ? value.replace(UNSEEN, "") : value;

export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "onClick") made.addEventListener("click", value);
    else if (name === "onSubmit") made.addEventListener("submit", (event) => { event.preventDefault(); value(event); });
    else if (name === "onChange") made.addEventListener("change", value);
    else if (name === "onToggle") made.addEventListener("toggle", value);
    else if (name in { value: 1, checked: 1, open: 1 }) made[name] = value;
    else made.setAttribute(name, value === true ? "" : name === "href" || name === "src" ? String(value) : seen(String(value)));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== "").map(seen));
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

export function table(headings, rows, options = {}) {
  const numeric = new Set(options.numeric ?? []);
  const cell = (tag, value, place) => {
    const isHead = tag === "th" || (options.hasRowHeadings && place === 0);
    const isBlank = tag === "th" && value === "";
    return element(isHead && !isBlank ? "th" : "td", {
      class: numeric.has(place) ? "number" : null, scope: isBlank || !isHead ? null : tag === "th" ? "col" : "row",
    }, value ?? "–");
  };
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": options.label ?? headings.filter(Boolean).join(", ") },
    element("table", {},
      element("thead", {}, element("tr", {}, headings.map((value, place) => cell("th", value, place)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, row.map((value, place) => cell("td", value, place)))))));
}
