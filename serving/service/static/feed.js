// The view of one user: the feed with reasons and components, and beside it digest, preferences and skill gaps.

import { get, getOrNull, job as jobPath, user as userPath } from "./api.js";
import { bar, element, outerLink, table } from "./dom.js";
import { companyLink } from "./companies.js";
import { nameOf } from "./names.js";
import { gapsBox, planBox } from "./skills.js";
import { day, label, language, moment, number, percent, text } from "./texts.js";
import { chooseUser, remember, userForm } from "./users.js";

const PAGE = 20;

export function feedView(state, go) {
  const form = searchForm(state, go);
  if (!state.user) return { head: form, load: chooseUser("feed") };
  return { head: form, load: () => loadFeed(state), announces: ["feed", "digest"] };
}

function searchForm(state, go) {
  const seen = element("input", { type: "checkbox", id: "hide-seen", checked: state.hideSeen === "true" });
  const least = element("select", { id: "min-match" }, [0, 30, 50, 60, 70, 80].map((value) =>
    element("option", { value, selected: Number(state.min ?? 0) === value }, `${value} %`)));
  return userForm("feed", state, go,
    [element("label", { class: "inline" }, text("minMatch"), least), element("label", { class: "inline" }, seen, text("hideSeen"))],
    () => ({ hideSeen: seen.checked ? "true" : "", min: least.value === "0" ? "" : least.value }));
}

async function loadFeed(state) {
  const feed = await page(state, 0);
  remember(state.user);
  const list = element("ol", { class: "items", "aria-label": text("feed") }, feed.items.map((item) => itemCard(item, feed)));
  const more = element("button", { type: "button", class: "more" }, text("again"));
  let offset = feed.items.length;
  more.addEventListener("click", async () => {
    const next = await page(state, offset);
    offset += next.items.length;
    list.append(...next.items.map((item) => itemCard(item, next)));
    more.hidden = next.items.length < PAGE;
  });
  more.hidden = feed.items.length < PAGE;
  const aside = element("aside", { "aria-label": text("aboutUser") });
  aboutUser(state.user).then((parts) => aside.append(...parts), (error) => aside.append(element("p", { class: "quiet" }, error.message)));
  return [element("div", { class: "columns" },
    element("section", {}, summary(feed), feed.items.length ? list : element("p", { class: "empty" }, text("noItems")), more), aside)];
}

const page = (state, offset) => get(userPath(state.user, "feed"), {
  limit: PAGE, offset: offset || "", lang: language(), components: "true",
  exclude_seen: state.hideSeen, min_score: state.min ? Number(state.min) / 100 : "",
});

function summary(feed) {
  return element("p", { class: "summary" },
    element("b", { class: `source ${feed.source}` }, text(`source_${feed.source}`)),
    ` · ${text("recipe")} ${feed.recipe} · ${text("arm")} ${feed.arm} · ${text("computed")} ${moment(feed.generated_at)}`);
}

function itemCard(item, feed) {
  const details = element("details", { onToggle: (event) => fillDetails(event.target, item, feed) },
    element("summary", {}, text("why")));
  return element("li", { class: item.seen ? "item was-seen" : "item" },
    element("div", { class: "rank", "aria-hidden": "true" }, String(item.rank)),
    element("div", { class: "body" },
      element("h2", {}, outerLink(item.job.url, item.job.title ?? item.job_id)),
      jobLine(item.job),
      element("ul", { class: "reasons" }, item.reasons.map((reason) => element("li", {}, reason.text)),
        item.seen ? element("li", { class: "tag" }, text("seen")) : null,
        item.explored ? element("li", { class: "tag explored" }, text("explored")) : null),
      details),
    matchRing(item.match_percent));
}

export function jobLine(job) {
  const said = job.texts;
  const rest = [[job.city, said.country].filter(Boolean).join(", "), said.work_format, said.employment_type, said.salary, job.board].filter(Boolean).join(" · ");
  return element("p", { class: "line" }, job.company ? companyLink(job.company_id, job.company) : null, job.company && rest ? " · " : null, rest);
}

function matchRing(value) {
  const ring = element("div", { class: "ring", role: "img", "aria-label": `${text("match")} ${value} %` }, element("b", {}, String(value)), element("small", {}, "%"));
  ring.style.setProperty("--share", String(value));
  ring.dataset.level = value >= 60 ? "high" : value >= 40 ? "middle" : "low";
  return ring;
}

async function fillDetails(details, item, feed) {
  if (!details.open || details.dataset.filled) return;
  details.dataset.filled = "true";
  const facts = `${text("confidence")} ${percent(item.confidence)} · ${text("propensity")} ${percent(item.propensity, 1)} · ${text("published")} ${day(item.job.published_at)} · ${item.job_id}`;
  const similar = element("div", { class: "similar" }, element("h3", { class: "small" }, text("similar")), element("p", { class: "quiet" }, text("loading")));
  const match = element("div");
  details.append(element("p", { class: "quiet" }, facts), match, componentBars(item, feed), similar);
  feed.matches ??= getOrNull(userPath(feed.user_id, "matches"), { limit: 100, lang: language() }).catch(() => null);
  const broken = (await feed.matches)?.items.find((each) => each.job_id === item.job_id);
  if (broken) match.replaceWith(matchLists(broken));
  const found = await getOrNull(jobPath(item.job_id, "/similar"), { limit: 5, lang: language() }).catch(() => null);
  similar.lastChild.replaceWith(found?.items.length
    ? element("ul", {}, found.items.map((each) => element("li", {}, outerLink(each.job.url, each.job.title ?? each.job_id), ` ${percent(each.score)}`, jobLine(each.job))))
    : element("p", { class: "quiet" }, text("noSimilar")));
}

function matchLists(match) {
  const factors = (rows, kind) => rows.map((factor) => element("li", { class: kind }, factor.text));
  return element("div", { class: "match" }, element("h3", { class: "small" }, `${text("compatibility")} ${match.compatibility} / 100`),
    element("ul", {}, factors(match.match_factors, "for"), factors(match.mismatch_factors, "against")));
}

function componentBars(item, feed) {
  if (!item.components) return element("p", { class: "quiet" }, text("componentNone"));
  const weights = feed.weights ?? {};
  const names = Object.keys(item.components).sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a.localeCompare(b));
  return element("div", { class: "components" }, element("h3", { class: "small" }, text("componentsOf")),
    element("dl", {}, names.map((name) => {
      const value = item.components[name];
      const weight = weights[name] ?? 0;
      const shown = value === null ? text("unknown") : number(value, 2);
      return [element("dt", { class: weight ? null : "unweighted" }, label("component", name)),
        element("dd", {}, bar(value ?? 0, value === null ? "none" : weight ? "weighted" : "plain"), element("span", {}, weight ? `${shown} × ${percent(weight)}` : shown))];
    })));
}

async function aboutUser(userId) {
  const [digest, preferences, gaps] = await Promise.all([
    getOrNull(userPath(userId, "digest")), get(userPath(userId, "preferences")), get(userPath(userId, "skill-gaps"))]);
  return [digestBox(digest), gapsBox(gaps.skill_gaps), planBox(gaps.learning_plan, gaps.progress), preferencesBox(preferences.preferences)];
}

function digestBox(digest) {
  const box = element("section", { class: "box" }, element("h2", {}, text("digest")));
  if (digest === null) box.append(element("p", { class: "quiet" }, text("noDigest")));
  else box.append(
    element("p", {}, element("b", {}, digest.title ?? ""), ` · ${day(digest.digest_date)}`),
    element("p", {}, digest.summary ?? ""),
    element("details", {}, element("summary", {}, text("asText")), element("pre", {}, digest.text ?? "")));
  return box;
}

function preferencesBox(preferences) {
  const strongest = [...preferences].sort((a, b) => Math.abs(b.affinity * b.confidence) - Math.abs(a.affinity * a.confidence)).slice(0, 12);
  return element("section", { class: "box" }, element("h2", {}, text("preferences")),
    strongest.length ? table(["", "", text("confidence")], strongest.map((each) => [
      `${label("dimension", each.dimension)}: ${preferred(each)}`,
      bar(Math.abs(each.affinity), each.affinity < 0 ? "negative" : "weighted"), percent(each.confidence)]), { numeric: [2], label: text("preferences") })
      : element("p", { class: "quiet" }, text("noPreferences")));
}

function preferred({ dimension, value }) {
  if (dimension === "skill" || dimension === "role") return nameOf(dimension, value);
  if (dimension === "city") return nameOf("place", value);
  return dimension === "career_level" ? label("level", value) : value;
}
