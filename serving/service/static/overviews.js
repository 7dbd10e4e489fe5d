// The views that are nobody's own: trending, market, metrics, and the served generation.

import { get } from "./api.js";
import { bar, element, outerLink, sparkline, table } from "./dom.js";
import { jobLine } from "./feed.js";
import { nameOf } from "./names.js";
import { age, bytes, day, label, language, moment, number, percent, text } from "./texts.js";

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
      element("div", { class: "body" }, element("h3", {}, outerLink(item.job.url, item.job.title ?? item.job_id)), jobLine(item.job)),
      element("div", { class: "strength" }, bar(item.score / most, "weighted"), element("span", {}, `${text("score")} ${number(item.score, 1)}`)))))];
  };
  return { head, load };
}

export function marketView() {
  const load = async () => {
    const { market } = await get("/v1/market");
    const demand = (market.skill_demand ?? []).slice(0, 40);
    const latest = (market.market_trends ?? []).reduce((week, each) => each.week > week ? each.week : week, "");
    const perDimension = Map.groupBy((market.market_trends ?? []).filter((each) => each.week === latest), (each) => each.dimension);
    const key = (each) => `${each.dimension} ${each.value}`;
    const weeks = [...new Set((market.market_trends ?? []).map((each) => each.week))].sort();
    const byWeek = Map.groupBy(market.market_trends ?? [], key);
    const line = (each) => {
      const counts = new Map(byWeek.get(key(each)).map((row) => [row.week, row.n_jobs]));
      const values = weeks.map((week) => counts.get(week) ?? 0);
      return sparkline(values, values.map((value) => number(value)).join(", "));
    };
    const trends = [...perDimension.values()].flatMap((rows) => rows.slice(0, 12));
    return [element("div", { class: "columns even" },
      element("section", { class: "box" }, element("h2", {}, text("demand")), table(
        [text("skill"), text("openJobs"), text("share"), text("medianPay"), text("change")],
        demand.map((each) => [nameOf("skill", each.skill), number(each.n_jobs), percent(each.share, 1), pay(each), change(each.change)]), { numeric: [1, 2, 3, 4] })),
      element("section", { class: "box" }, element("h2", {}, `${text("trends")}, ${day(latest)}`), table(
        [text("dimension"), text("value"), text("newJobs"), text("byWeek"), text("medianPay"), text("change")],
        trends.map((each) => [label("dimension", each.dimension), nameOf(each.dimension, each.value), number(each.n_jobs), line(each), pay(each), change(each.change)]), { numeric: [2, 4, 5] })))];
  };
  return { load };
}

export function metricsView() {
  const load = async () => {
    const { metrics } = await get("/v1/metrics/recommendations");
    if (!metrics.length) return [element("p", { class: "empty" }, text("noMetrics"))];
    return [element("section", { class: "box" }, element("h2", {}, text("metrics")), table(
      [text("metric"), text("recipe"), text("arm"), text("surface"), text("value"), text("interval"), text("n")],
      metrics.map((each) => [label("metric", each.metric), all(each.recipe), all(each.arm), label("surface", each.surface), number(each.value, 4),
        each.lower === null ? null : `${number(each.lower, 4)} – ${number(each.upper, 4)}`, number(each.n)]), { numeric: [4, 5, 6] }))];
  };
  return { load };
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
  return element("span", { class: value < 0 ? "down" : value > 0 ? "up" : null }, `${value > 0 ? "+" : ""}${percent(value)}`);
}

const all = (value) => value === "all" ? text("every") : value;
