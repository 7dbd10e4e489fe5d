// A user's applications: the board by state, how far they came, and the timeline of each.

import { get, user as userPath } from "./api.js";
import { bar, element, outerLink, table } from "./dom.js";
import { companyLink } from "./companies.js";
import { day, label, moment, number, percent, text } from "./texts.js";
import { chooseUser, remember, userForm } from "./users.js";

const COLUMNS = {
  saved: ["saved", "preparing"], applied: ["applied", "acknowledged"], review: ["screening", "assessment"],
  interview: ["interview", "final_interview"], offer: ["offer", "negotiation"],
  closed: ["accepted", "declined", "rejected", "withdrawn"],
};

export function applicationsView(state, go) {
  const head = userForm("applications", state, go);
  if (!state.user) return { head, load: chooseUser("applications") };
  const load = async () => {
    const found = await get(userPath(state.user, "applications"));
    remember(state.user);
    if (!found.applications.length) return [element("p", { class: "empty" }, text("noApplications"))];
    return [funnel(found.funnel), board(found.applications, state.user)];
  };
  return { head, load, refreshes: ["applications", "interviews", "follow_ups"] };
}

function funnel(steps) {
  const own = steps.filter((step) => step.dimension === "all").sort((a, b) => a.position - b.position);
  if (!own.length) return null;
  return element("section", { class: "box", "aria-labelledby": "funnel" }, element("h2", { id: "funnel" }, text("funnel")),
    table([text("step"), text("reached"), text("ofAll"), "", text("ofBefore"), text("medianDays")], own.map((step) => [
      label("state", step.step), number(step.n_reached), percent(step.share), bar(step.share, "weighted"), percent(step.conversion),
      number(step.median_days, 1)]), { numeric: [1, 2, 4, 5], label: text("funnelTable") }));
}

function board(applications, userId) {
  const columns = Object.entries(COLUMNS).map(([name, states]) => {
    const cards = applications.filter((each) => states.includes(each.state) || (name === "saved" && each.state === null));
    return element("section", { class: `column ${cards.length ? "" : "none"}`, "aria-labelledby": `column-${name}` },
      element("h3", { id: `column-${name}` }, label("column", name), element("span", { class: "count" }, String(cards.length))),
      cards.length ? element("ul", {}, cards.map((each) => card(each, userId))) : element("p", { class: "quiet" }, text("nothingHere")));
  });
  return element("section", { "aria-labelledby": "board" }, element("h2", { id: "board" }, text("board")), element("div", { class: "board" }, columns));
}

function card(application, userId) {
  const details = element("details", { onToggle: (event) => fillTimeline(event.target, application, userId) }, element("summary", {}, text("timeline")));
  return element("li", { class: "card" },
    element("h4", {}, outerLink(application.url, application.title ?? application.job_id ?? application.application_id)),
    application.company ? element("p", { class: "line" }, companyLink(application.company_id, application.company)) : null,
    element("ul", { class: "chips" },
      element("li", { class: application.state }, label("state", application.state ?? "none")),
      application.is_silent ? element("li", { class: "silent" }, text("silent")) : null,
      application.match_percent === null ? null : element("li", {}, `${text("match")} ${application.match_percent} %`)),
    element("p", { class: "quiet" }, `${text("since")} ${day(application.state_since ?? application.last_event_at)}`),
    application.next_action ? element("p", { class: "next" }, `${label("action", application.next_action)}: ${nextTime(application)}`) : null,
    details);
}

// A deadline is a day of its own, told as its beginning in UTC.
const nextTime = ({ next_action: action, next_action_at: at }) => action.endsWith("deadline") ? day(at.slice(0, "2026-03-02".length)) : moment(at);

async function fillTimeline(details, application, userId) {
  if (!details.open || details.dataset.filled) return;
  details.dataset.filled = "true";
  const place = element("p", { class: "quiet" }, text("loading"));
  details.append(place);
  try {
    const found = await get(userPath(userId, `applications/${encodeURIComponent(application.application_id)}`));
    place.replaceWith(element("ol", { class: "timeline" }, [...found.events].reverse().map(timelineEvent)),
      ...found.offers.map((offer) => element("p", {}, `${text("offer")}: ${number(offer.salary)} ${offer.currency ?? ""} · ${offerPlace(offer)}`)));
  } catch (error) {
    place.textContent = error.message;
  }
}

const offerPlace = (offer) => offer.market_percentile === null ? label("offer", offer.status)
  : `${label("offer", offer.status)} · ${text("aboveMarket")} ${percent(offer.market_percentile)} (n = ${number(offer.n_compared)})`;

function timelineEvent(event) {
  const what = event.event_type === "status" ? label("state", event.asked_state ?? event.state ?? "none")
    : `${label("event", event.event_type)}${event.action ? `: ${label("happened", event.action)}` : ""}`;
  const said = [event.starts_at ? moment(event.starts_at) : null, event.due_date ? day(event.due_date) : null, event.text].filter(Boolean);
  return element("li", { class: event.is_refused ? "refused" : null },
    element("time", { datetime: event.occurred_at }, day(event.occurred_at)), element("b", {}, what),
    said.length ? element("span", {}, said.join(" · ")) : null, event.is_refused ? element("span", { class: "quiet" }, text("refused")) : null);
}
