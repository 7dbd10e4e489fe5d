// What a user lacks for the wanted roles, what to learn next, and what was learned.

import { get, user as userPath } from "./api.js";
import { bar, element, outerLink, table } from "./dom.js";
import { nameOf } from "./names.js";
import { day, label, language, number, percent, text } from "./texts.js";
import { chooseUser, remember, userForm } from "./users.js";

export function skillsView(state, go) {
  const head = userForm("skills", state, go);
  if (!state.user) return { head, load: chooseUser("skills") };
  const load = async () => {
    const found = await get(userPath(state.user, "skill-gaps"));
    remember(state.user);
    return [element("div", { class: "columns even" },
      found.skill_gaps.map((gap) => roleBox(gap)), planBox(found.learning_plan, found.progress)),
      found.skill_gaps.length ? null : element("p", { class: "empty" }, text("noGaps"))].filter(Boolean);
  };
  return { head, load };
}

function roleBox(gap) {
  const list = (values, kind) => values?.length ? element("div", {}, element("h3", { class: "small" }, text(kind)),
    element("ul", { class: "chips" }, values.map((value) => element("li", { class: kind }, nameOf("skill", value))))) : null;
  return element("section", { class: "box" }, element("h2", {}, nameOf("role", gap.role)),
    element("p", {}, element("b", { class: `verdict ${gap.verdict}` }, text(`verdict_${gap.verdict}`)),
      ` · ${percent(gap.coverage_share)} ${text("coverage")} · ${number(gap.estimated_hours)} ${text("hours")}`),
    bar(gap.coverage_share ?? 0, "weighted"),
    list(gap.has, "has"), list(gap.partial, "partial"),
    gap.missing?.length ? [element("h3", { class: "small" }, text("missing")), table(
      [text("skill"), text("asked"), "", text("priority"), text("toLearn")], gap.missing.map((each) => [
        nameOf("skill", each.skill), percent(each.impact), bar(each.impact, "weighted"), label("priority", each.priority),
        `${number(each.estimated_hours)} ${text("hours")}`]), { numeric: [1, 4], label: `${text("missing")}: ${nameOf("role", gap.role)}` })] : null);
}

// The gaps in short, beside a feed.
export function gapsBox(gaps) {
  const shown = gaps.filter((gap) => gap.missing?.length);
  return element("section", { class: "box" }, element("h2", {}, text("skillGaps")),
    shown.length ? shown.map((gap) => element("div", { class: "gap" },
      element("p", {}, element("b", {}, nameOf("role", gap.role)), ` · ${text(`verdict_${gap.verdict}`)} · ${percent(gap.coverage_share)} ${text("coverage")} · ${number(gap.estimated_hours)} ${text("hours")}`),
      element("ul", { class: "chips" }, gap.missing.slice(0, 8).map((each) =>
        element("li", { class: each.priority, title: `${label("priority", each.priority)}, ${each.estimated_hours} ${text("hours")}` }, nameOf("skill", each.skill))))))
      : element("p", { class: "quiet" }, text("noGaps")));
}

export function planBox(plan, progress) {
  const byRole = [...Map.groupBy(plan, (step) => step.role)];
  const steps = (rows) => element("ol", { class: "steps" }, rows.map((step) => element("li", {},
    element("b", {}, nameOf("skill", step.skill)), ` · ${number(step.estimated_hours)} ${text("hours")} · ${text("opens")} ${number(step.n_jobs_opened)}`,
    [...step.resources].sort((a, b) => (b.language === language()) - (a.language === language())).slice(0, 2)
      .map((each) => [element("br"), outerLink(each.url, each.name)]))));
  return element("section", { class: "box" }, element("h2", {}, text("plan")),
    byRole.length ? byRole.map(([role, rows]) => element("div", { class: "gap" },
      element("p", {}, element("b", {}, nameOf("role", role)), ` · ${number(rows[0].n_jobs_open)} / ${number(rows[0].n_jobs_reachable)} ${text("openNow")}`), steps(rows)))
      : element("p", { class: "quiet" }, text("noPlan")),
    progress.length ? [element("h3", {}, text("learned")), element("ul", { class: "chips" }, progress.slice(0, 8).map((each) =>
      element("li", { title: `${day(each.noticed_on)}, ${nameOf("role", each.role)}` }, nameOf("skill", each.skill))))] : null);
}
