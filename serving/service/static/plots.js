// Lines over weeks by uPlot (static/vendor), each with its numbers in a table for who can't see it. The library is
// loaded when the first plot is drawn; without it the table alone is shown.

import { element, table } from "./dom.js";
import { day, number, shortDay, text } from "./texts.js";

const LIBRARY = "/static/vendor/uPlot.iife.min.js";
const COLOURS = ["--plot-1", "--plot-2", "--plot-3", "--plot-4", "--plot-5"];
const HEIGHT = 220;
let library = null;

function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    const script = element("script", { src: LIBRARY });
    script.addEventListener("load", () => resolve(window.uPlot));
    script.addEventListener("error", () => reject(new Error(LIBRARY)));
    document.head.append(script);
  });
  return library;
}

// `weeks` are days such as 2026-03-02; `series` are { name, values }, a value a week.
export function linesOverWeeks(title, weeks, series) {
  const canvas = element("div", { class: "plot", role: "img", "aria-label": `${title}: ${series.map((each) => each.name).join(", ")}` });
  const numbers = element("details", {}, element("summary", {}, text("asTable")),
    table([text("week"), ...series.map((each) => each.name)], weeks.map((week, place) => [day(week), ...series.map((each) => number(each.values[place]))]),
      { numeric: series.map((_, place) => place + 1), label: title }));
  const legend = element("ul", { class: "legend", "aria-hidden": "true" }, series.map((each, place) => {
    const swatch = element("i");
    swatch.style.setProperty("background", `var(${COLOURS[place % COLOURS.length]})`);
    return element("li", {}, swatch, each.name);
  }));
  loadLibrary().then((uPlot) => draw(uPlot, canvas, weeks, series), () => { canvas.hidden = true; numbers.open = true; });
  return element("figure", {}, element("figcaption", {}, title), canvas, series.length > 1 ? legend : null, numbers);
}

function draw(uPlot, place, weeks, series) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => { // light-dark() is resolved only where a property uses it
    const probe = element("i");
    probe.style.setProperty("color", `var(${name})`);
    place.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: `12px ${style.fontFamily}` };
  const most = Math.max(1, ...series.flatMap((each) => each.values));
  const plot = new uPlot({
    width: Math.max(place.clientWidth, 240), height: HEIGHT, legend: { show: false }, cursor: { show: false },
    scales: { x: { time: false }, y: { range: [0, most * 1.08] } },
    axes: [
      { ...axis, splits: () => ticks(weeks.length), values: (_, found) => found.map((at) => weeks[at] ? shortDay(weeks[at]) : "") },
      { ...axis, size: 46, values: (_, found) => found.map((value) => Number.isInteger(value) ? number(value) : "") },
    ],
    series: [{}, ...series.map((each, at) => ({
      label: each.name, stroke: colour(COLOURS[at % COLOURS.length]), width: 2, points: { show: true, size: 5 },
    }))],
  }, [weeks.map((_, at) => at), ...series.map((each) => each.values)], place);
  new ResizeObserver(() => { if (place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT }); }).observe(place);
}

function ticks(n) {
  const step = Math.max(1, Math.ceil(n / 6));
  return [...Array(n).keys()].filter((at) => at % step === 0);
}
