// Companies: the list of those that hire most, the profile of one, and two side by side.

import { company as companyPath, get } from "./api.js";
import { bar, element, outerLink, table } from "./dom.js";
import { nameOf } from "./names.js";
import { linesOverWeeks } from "./plots.js";
import { day, label, language, languageName, number, percent, signedPercent, text } from "./texts.js";

const LISTED = 500;
const SHOWN = 30;

export const companyLink = (companyId, name) => companyId
  ? element("a", { href: `#/companies?id=${encodeURIComponent(companyId)}` }, name) : element("span", {}, name);

export function companiesView(state, go) {
  const choices = element("datalist", { id: "known-companies" });
  const input = (id, value, hint) => element("input", { id, value: value ?? "", list: "known-companies", maxlength: 512, autocomplete: "off", spellcheck: "false", placeholder: hint });
  const first = input("company", state.id, text("companyHint"));
  const second = input("other", state.with, text("optional"));
  const head = element("form", { class: "search", role: "search", onSubmit: () => go("companies", { id: first.value.trim(), with: second.value.trim() }) },
    element("label", { for: "company" }, text("company")), first, element("label", { for: "other" }, text("compareWith")), second, choices,
    element("button", { class: "primary", type: "submit" }, text("show")));
  const load = async () => {
    const { companies } = await get("/v1/companies", { limit: LISTED });
    choices.append(...companies.map((each) => element("option", { value: each.company_id }, each.company ?? "")));
    const id = idOf(state.id, companies);
    const other = idOf(state.with, companies);
    if (!id) return [list(companies)];
    if (other) return [comparison(await get(companyPath(id, other)))];
    return profile(await get(companyPath(id)));
  };
  return { head, load };
}

// A name is as good as an id.
function idOf(stated, companies) {
  const wanted = (stated ?? "").toLocaleLowerCase();
  return companies.find((each) => each.company?.toLocaleLowerCase() === wanted)?.company_id ?? stated;
}

function list(companies) {
  if (!companies.length) return element("p", { class: "empty" }, text("noCompanies"));
  const most = companies[0].n_open_jobs || 1;
  return element("section", { class: "box" }, element("h2", {}, text("hiringMost")), table([text("company"), text("openJobs"), ""],
    companies.slice(0, SHOWN).map((each) => [companyLink(each.company_id, each.company ?? each.company_id), number(each.n_open_jobs), bar(each.n_open_jobs / most, "weighted")]),
    { numeric: [1], label: text("hiringMost") }));
}

function profile(found) {
  const weeks = found.weeks.map((each) => each.week);
  return [
    element("h1", {}, found.company ?? found.company_id),
    found.insights.length ? element("ul", { class: "insights" }, found.insights.map((each) => element("li", {}, language() === "ru" ? each.text_ru : each.text_en))) : null,
    element("div", { class: "columns even" },
      element("section", { class: "box" }, element("h2", {}, text("atAGlance")), figures([found])),
      element("section", { class: "box" }, element("h2", {}, text("newJobs")),
        weeks.length ? linesOverWeeks(text("newJobsByWeek"), weeks, [{ name: text("newJobs"), values: found.weeks.map((each) => each.n_jobs) }]) : element("p", { class: "quiet" }, text("unknown"))),
      counts(text("skills"), found.skills.map((each) => ({ ...each, value: nameOf("skill", each.skill) }))),
      counts(text("roles"), found.roles.map((each) => ({ ...each, value: nameOf("role", each.value) }))),
      counts(text("places"), found.cities.map((each) => ({ ...each, value: nameOf("place", each.value) }))),
      counts(text("conditions"), [
        ...found.work_formats.map((each) => ({ ...each, value: label("format", each.value) })),
        ...found.employment_types.map((each) => ({ ...each, value: label("employment", each.value) })),
        ...found.career_levels.map((each) => ({ ...each, value: label("level", each.value) })),
        ...found.languages.map((each) => ({ ...each, value: languageName(each.value) }))]),
      similar(found), facts(found.facts), news(found.news)),
  ].filter(Boolean);
}

// The rows of figures; one column a company.
function figures(companies) {
  const row = (name, say) => [name, ...companies.map(say)];
  const pay = (value, n) => value === null ? text("unknown") : `${number(value)} $${n ? ` (n = ${number(n)})` : ""}`;
  const rows = [
    row(text("openJobs"), (each) => number(each.n_open_jobs)),
    row(text("fourWeekChange"), (each) => signedPercent(each.change)),
    row(text("medianPay"), (each) => pay(each.salary_monthly_usd_median, each.n_salaries)),
    row(text("againstMarket"), (each) => each.salary_ratio === null ? text("unknown") : `${signedPercent(each.salary_ratio - 1)} (${pay(each.market_salary_monthly_usd_median)})`),
    row(text("answers"), (each) => each.answer_share === null ? text("unknown") : `${percent(each.answer_share)} (n = ${number(each.n_applications)})`),
    row(text("answerDays"), (each) => each.answer_days_median === null ? text("unknown") : number(each.answer_days_median, 1)),
    row(text("reposts"), (each) => percent(each.repost_share)),
    row(text("completeness"), (each) => percent(each.completeness)),
  ];
  return table(["", ...companies.map((each) => companyLink(each.company_id, each.company ?? each.company_id))], rows,
    { numeric: companies.map((_, place) => place + 1), label: text("atAGlance"), hasRowHeadings: true });
}

function counts(title, rows) {
  if (!rows.length) return null;
  return element("section", { class: "box" }, element("h2", {}, title), table([text("value"), text("openJobs"), "", text("share")],
    rows.map((each) => [[each.value, each.is_new ? element("span", { class: "new" }, text("isNew")) : null].filter(Boolean), number(each.n_jobs), bar(each.share, "weighted"), percent(each.share)]),
    { numeric: [1, 3], label: title }));
}

function similar(found) {
  if (!found.similar_companies.length) return null;
  return element("section", { class: "box" }, element("h2", {}, text("similarCompanies")),
    element("ul", { class: "plain" }, found.similar_companies.map((each) => element("li", {}, companyLink(each.company_id, each.company ?? each.company_id),
      ` ${percent(each.score)} · `, element("a", { href: `#/companies?${new URLSearchParams({ id: found.company_id, with: each.company_id })}` }, text("compare"))))));
}

function facts(rows) {
  if (!rows.length) return null;
  return element("section", { class: "box" }, element("h2", {}, text("facts")), table([text("fact"), text("value"), text("source")],
    rows.map((each) => [label("fact", each.fact), each.value, [outerLink(each.url, each.source), element("span", { class: "quiet" }, `, ${day(each.observed_at)}`)]]), { label: text("facts") }));
}

function news(rows) {
  if (!rows.length) return null;
  return element("section", { class: "box" }, element("h2", {}, text("news")), element("ul", { class: "plain" }, rows.map((each) =>
    element("li", {}, outerLink(each.url, each.title), element("span", { class: "quiet" }, ` ${each.source}, ${day(each.published_at)}`)))));
}

function comparison(found) {
  const [first, second] = found.companies;
  const names = found.companies.map((each) => each.company ?? each.company_id);
  const weeks = [...new Set(found.companies.flatMap((each) => each.weeks.map((one) => one.week)))].sort();
  const values = (company) => weeks.map((week) => company.weeks.find((each) => each.week === week)?.n_jobs ?? 0);
  const lists = (title, kind, common) => element("section", { class: "box" }, element("h2", {}, title),
    [[text("both"), common.both], [`${text("only")} ${names[0]}`, common.only_first], [`${text("only")} ${names[1]}`, common.only_second]].map(([head, values]) =>
      values.length ? [element("h3", { class: "small" }, head), element("ul", { class: "chips" }, values.map((value) => element("li", {}, nameOf(kind, value))))] : null));
  return element("div", {}, element("h1", {}, names.join(" · ")), element("div", { class: "columns even" },
    element("section", { class: "box" }, element("h2", {}, text("atAGlance")), figures(found.companies)),
    element("section", { class: "box" }, element("h2", {}, text("newJobs")), linesOverWeeks(text("newJobsByWeek"), weeks,
      [{ name: names[0], values: values(first) }, { name: names[1], values: values(second) }])),
    lists(text("skills"), "skill", found.skills), lists(text("roles"), "role", found.roles)));
}
