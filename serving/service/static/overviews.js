// The views that are nobody's own: trending, market, metrics, and the served generation.

import { get } from "./api.js";
import { bar, element, outerLink, table } from "./dom.js";
import { jobLine } from "./feed.js";
import { nameOf } from "./names.js";
import { linesOverWeeks } from "./plots.js";
import { age, bytes, day, label, language, moment, number, percent, signedPercent, text } from "./texts.js";

export function trendingView(state, go) {
  const chosen = element("select", { id: "window" }, ["24h", "7d"].map((value) => element("option", { value, selected: state.window === value }, label("window", value))));
  const area = element("input", { id: "area", value: state.area ?? "", placeholder: "all, KZ, KZ/Almaty", maxlength: 256 });
  const head = element("form", { class: "search", onSubmit: () => go("trending", { window: chosen.value, area: area.value.trim() }) },
    element("label", { for: "window" }, text("window")), chosen, element("label", { for: "area" }, text("area")), area,
    element("button", { class: "primary", type: "submit" }, text("show")));
  const load = async () => {
    const found = await get("/v1/trending", { window: state.window, area: state.area, limit: 50, lang: language() });
    if (!found.items.length) return [element("p", { class: "empty" }, text("noTrending"))];
    const most = found.items[0].score || 1;
    return [element("ol", { class: "items" }, found.items.map((item, place) => element("li", { class: "item" },
      element("div", { class: "rank", "aria-hidden": "true" }, String(place + 1)),
      element("div", { class: "body" }, element("h2", {}, outerLink(item.job.url, item.job.title ?? item.job_id)), jobLine(item.job)),
      element("div", { class: "strength" }, bar(item.score / most, "weighted"), element("span", {}, `${text("score")} ${number(item.score, 1)}`)))))];
  };
  return { head, load };
}

const DIMENSIONS = ["role", "skill", "company", "salary"];
const LINES = 5;
const TREND_ROWS = 15;

export function marketView() {
  const load = async () => {
    const { market } = await get("/v1/market");
    const demand = (market.skill_demand ?? []).slice(0, 40);
    const trends = market.market_trends ?? [];
    const weeks = [...new Set(trends.map((each) => each.week))].sort();
    const most = demand[0]?.share || 1;
    return [element("div", { class: "columns even" },
      element("section", { class: "box" }, element("h2", {}, text("demand")), table(
        [text("skill"), text("openJobs"), "", text("share"), text("medianPay"), text("change")],
        demand.map((each) => [nameOf("skill", each.skill), number(each.n_jobs), bar(each.share / most, "weighted"), percent(each.share, 1), pay(each), change(each.change)]),
        { numeric: [1, 3, 4, 5], label: text("demand") })),
      DIMENSIONS.filter((dimension) => trends.some((each) => each.dimension === dimension)).map((dimension) =>
        trendBox(dimension, weeks, trends.filter((each) => each.dimension === dimension))))];
  };
  return { load };
}

// The values with most new jobs in the last week, and how many they had in the weeks before.
function trendBox(dimension, weeks, rows) {
  const latest = rows.filter((each) => each.week === weeks.at(-1)).sort((a, b) => b.n_jobs - a.n_jobs).slice(0, TREND_ROWS);
  const name = (each) => nameOf(dimension, each.value);
  const series = latest.slice(0, LINES).map((each) => {
    const counts = new Map(rows.filter((row) => row.value === each.value).map((row) => [row.week, row.n_jobs]));
    return { name: name(each), values: weeks.map((week) => counts.get(week) ?? 0) };
  });
  const title = `${text("newJobsByWeek")}: ${label("dimension", dimension)}`;
  return element("section", { class: "box" }, element("h2", {}, label("dimension", dimension)),
    weeks.length > 1 && dimension !== "salary" ? linesOverWeeks(title, weeks, series) : null,
    table([text("value"), text("newJobs"), text("medianPay"), text("change")],
      latest.map((each) => [name(each), number(each.n_jobs), pay(each), change(each.change)]), { numeric: [1, 2, 3], label: `${title}, ${day(weeks.at(-1))}` }));
}

export function metricsView() {
  const load = async () => {
    const { metrics } = await get("/v1/metrics/recommendations");
    if (!metrics.length) return [element("p", { class: "empty" }, text("noMetrics"))];
    const counts = metrics.filter((each) => each.metric.startsWith("n_"));
    const groups = Map.groupBy(metrics.filter((each) => !counts.includes(each)), (each) => each.metric);
    return [element("div", { class: "columns even" }, counts.length ? element("section", { class: "box" }, element("h2", {}, text("runCounts")),
      table([text("metric"), text("value")], counts.map((each) => [label("metric", each.metric), number(each.value)]), { numeric: [1], label: text("runCounts") })) : null,
    [...groups].map(([metric, rows]) =>
      element("section", { class: "box" }, element("h2", {}, label("metric", metric)),
        aboutMetric(metric), table([text("recipe"), text("arm"), text("surface"), text("value"), text("interval"), text("n")],
          rows.map((each) => [all(each.recipe), all(each.arm), label("surface", each.surface), measured(metric, each.value),
            each.lower === null ? null : `${measured(metric, each.lower)} – ${measured(metric, each.upper)}`, number(each.n)]), { numeric: [3, 4, 5], label: label("metric", metric) }))))];
  };
  return { load };
}

// Shares as per cent, seconds and p-values as numbers.
function measured(metric, value) {
  if (metric.endsWith("_seconds_mean")) return `${number(value, 1)} ${text("seconds")}`;
  if (metric.endsWith("_p_value")) return number(value, 3);
  return metric.endsWith("_difference") ? signedPercent(value, 2) : percent(value, 2);
}

function aboutMetric(metric) {
  const said = label("about", metric);
  return said === metric.replaceAll("_", " ") ? null : element("p", { class: "quiet" }, said);
}

export function generationView() {
  const load = async () => {
    const [readiness, found] = await Promise.all([get("/readyz"), get("/v1/generation")]);
    const facts = [
      [text("served"), found.generation], [text("state"), [text(readiness.status), ...readiness.reasons].join("; ")],
      [text("asOf"), `${moment(found.as_of)} (${age(readiness.age_seconds)} ${text("old")})`], [text("created"), moment(found.created_at)],
      [text("parent"), found.parent ?? "–"], [text("version"), found.code_version]];
    return [element("div", { class: "columns even" },
      element("section", { class: "box" }, element("h2", {}, text("generation")),
        element("dl", { class: "facts" }, facts.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
        element("h2", {}, text("marks")),
        element("dl", { class: "facts" }, Object.entries(found.high_water_marks).map(([name, value]) => [element("dt", {}, name), element("dd", {}, moment(value))]))),
      element("section", { class: "box" }, element("h2", {}, text("tables")), table([text("table"), text("rows"), text("size")],
        Object.entries(found.tables).map(([name, about]) => [name, number(about.rows), bytes(about.bytes)]), { numeric: [1, 2] })))];
  };
  return { load };
}

// A median of few postings says little: their number stands beside it.
function pay(each) {
  if (each.salary_monthly_usd_median === null) return null;
  return element("span", { title: `n = ${number(each.n_salaries)}` }, number(each.salary_monthly_usd_median, 0), element("small", { class: "quiet" }, ` (${number(each.n_salaries)})`));
}

function change(value) {
  if (value === null || value === undefined) return null;
  return element("span", { class: value < 0 ? "down" : value > 0 ? "up" : null }, signedPercent(value));
}

const all = (value) => value === "all" ? text("every") : value;
