// What is planned for a user: interviews, follow-ups and deadlines, as a month and as a list.

import { get, getText, user as userPath } from "./api.js";
import { element, outerLink } from "./dom.js";
import { readCalendar } from "./ics.js";
import { clock, day, language, monthName, text, weekday, wholeDay } from "./texts.js";
import { chooseUser, remember, userForm } from "./users.js";

const WEEK = 7;
const SHOWN_IN_A_DAY = 3;
const OPEN_DRAFTS = 10;

export function calendarView(state, go) {
  const head = userForm("calendar", state, go);
  if (!state.user) return { head, load: chooseUser("calendar") };
  const load = async () => {
    const [calendar, { follow_ups: drafts }] = await Promise.all([
      getText(userPath(state.user, "calendar.ics"), { lang: language() }), get(userPath(state.user, "follow-ups"))]);
    const events = readCalendar(calendar).filter((each) => state.off || !each.isOff);
    remember(state.user);
    const month = monthOf(state.month, events);
    return [months(month, state, go), element("div", { class: "columns" }, grid(month, events), element("div", {}, agenda(month, events), followUps(drafts))),
      element("p", { class: "quiet" }, text("calendarAbout"))];
  };
  return { head, load, refreshes: ["applications", "interviews", "follow_ups"] };
}

// The stated month, else the one of the next event.
function monthOf(stated, events) {
  const [, year, month] = /^(\d{4})-(\d{2})$/.exec(stated ?? "") ?? [];
  if (year) return new Date(Number(year), Number(month) - 1, 1);
  const now = new Date();
  const next = events.find((each) => each.start >= now && !each.isOff) ?? events.at(-1);
  const about = next?.start ?? now;
  return new Date(about.getFullYear(), about.getMonth(), 1);
}

const named = (month) => `${month.getFullYear()}-${String(month.getMonth() + 1).padStart(2, "0")}`;

function months(month, state, go) {
  const shown = (by, off) => go("calendar", { user: state.user, off, month: named(new Date(month.getFullYear(), month.getMonth() + by, 1)) });
  const to = (by) => () => shown(by, state.off);
  const off = element("input", { type: "checkbox", id: "off", checked: Boolean(state.off), onChange: () => shown(0, off.checked ? "true" : "") });
  return element("div", { class: "months" },
    element("button", { type: "button", "aria-label": text("monthBefore"), onClick: to(-1) }, "‹"),
    element("h2", { id: "month" }, monthName(month)),
    element("button", { type: "button", "aria-label": text("monthAfter"), onClick: to(1) }, "›"),
    element("label", { class: "inline" }, off, text("showCancelled")));
}

const isSameDay = (one, other) => one.toDateString() === other.toDateString();

function grid(month, events) {
  const lead = (month.getDay() + WEEK - 1) % WEEK; // weeks begin on Monday
  const nDays = new Date(month.getFullYear(), month.getMonth() + 1, 0).getDate();
  const nWeeks = Math.ceil((lead + nDays) / WEEK);
  const date = (place) => new Date(month.getFullYear(), month.getMonth(), 1 - lead + place);
  const cell = (place) => {
    const here = date(place);
    const own = events.filter((each) => isSameDay(each.start, here));
    const kinds = [here.getMonth() === month.getMonth() ? "" : "outside", isSameDay(here, new Date()) ? "today" : ""].filter(Boolean);
    return element("td", { class: kinds.join(" ") || null }, element("span", { class: "date" }, String(here.getDate())),
      own.slice(0, SHOWN_IN_A_DAY).map((each) => element("span", { class: each.isOff ? "event off" : each.isDay ? "event day" : "event", title: each.summary }, each.summary)),
      own.length > SHOWN_IN_A_DAY ? element("span", { class: "quiet" }, `+${own.length - SHOWN_IN_A_DAY}`) : null);
  };
  const range = (n) => [...Array(n).keys()];
  return element("table", { class: "month", "aria-labelledby": "month" },
    element("thead", {}, element("tr", {}, range(WEEK).map((place) => element("th", { scope: "col" }, weekday(date(place)))))),
    element("tbody", {}, range(nWeeks).map((week) => element("tr", {}, range(WEEK).map((place) => cell(WEEK * week + place))))));
}

function agenda(month, events) {
  const own = events.filter((each) => each.start.getMonth() === month.getMonth() && each.start.getFullYear() === month.getFullYear());
  return element("section", { class: "box agenda", "aria-labelledby": "agenda" }, element("h2", { id: "agenda" }, text("agenda")),
    own.length ? element("ol", {}, own.map((each) => element("li", { class: each.isOff ? "off" : null },
      element("time", { datetime: each.start.toISOString() }, wholeDay(each.start), each.isDay ? null : `, ${clock(each.start)}`),
      outerLink(each.url, each.summary ?? ""), each.location ? element("span", { class: "quiet" }, each.location) : null,
      each.isOff ? element("span", { class: "quiet" }, text("cancelled")) : null)))
      : element("p", { class: "quiet" }, text("nothingPlanned")));
}

// Drafts that are open: the user sends them, not this page.
function followUps(drafts) {
  const open = drafts.filter((each) => each.status === "due").slice(0, OPEN_DRAFTS);
  if (!open.length) return null;
  return element("section", { class: "box drafts", "aria-labelledby": "drafts" }, element("h2", { id: "drafts" }, text("followUps")),
    open.map((each) => element("details", {},
      element("summary", {}, `${day(each.due_at)} · ${each.subject ?? each.template}`, each.is_due ? element("b", {}, ` · ${text("due")}`) : null),
      element("pre", { lang: each.language }, each.text ?? ""))));
}
