// Whose data is shown: the form that asks, the users that were looked at, and those of the demo.

import { getOrNull, user as userPath } from "./api.js";
import { element } from "./dom.js";
import { language, text } from "./texts.js";

const RECENT = "jobfeed-recent-users";
const CURRENT = "jobfeed-user";
const DEMO = ["demo-python-almaty", "demo-designer-remote"];

export const recentUsers = () => JSON.parse(localStorage.getItem(RECENT) ?? "[]");
export const currentUser = () => sessionStorage.getItem(CURRENT) ?? "";

export function remember(userId) {
  localStorage.setItem(RECENT, JSON.stringify([userId, ...recentUsers().filter((each) => each !== userId)].slice(0, 12)));
  sessionStorage.setItem(CURRENT, userId);
}

// The form of a view of one user; `extras` are its other fields, `values` what they say when it is sent.
export function userForm(view, state, go, extras = [], values = () => ({})) {
  const input = element("input", {
    id: "user", name: "user", value: state.user ?? "", placeholder: text("userHint"), list: "recent", required: true,
    maxlength: 128, autocomplete: "off", spellcheck: "false",
  });
  return element("form", { class: "search", role: "search", onSubmit: () => go(view, { user: input.value.trim(), ...values() }) },
    element("label", { for: "user" }, text("user")), input,
    element("datalist", { id: "recent" }, recentUsers().map((value) => element("option", { value }))),
    ...extras, element("button", { class: "primary", type: "submit" }, text("show")));
}

// What a view of one user shows before one was chosen: users to choose from.
export function chooseUser(view) {
  const known = [...new Set([...DEMO, ...recentUsers()])];
  const list = element("ul", { class: "choices" });
  return async () => {
    const found = await Promise.all(known.map(async (userId) => {
      const feed = await getOrNull(userPath(userId, "feed"), { limit: 1, lang: language() }).catch(() => null);
      return feed && ["personal", "profile"].includes(feed.source) ? { userId, feed } : null;
    }));
    list.append(...found.filter(Boolean).map(({ userId, feed }) => choice(view, userId, feed)));
    return [element("section", { class: "welcome" }, element("h1", {}, text("welcome")), element("p", {}, text("welcomeAbout")),
      list.childElementCount ? [element("h2", {}, text("usersToTry")), list] : element("p", { class: "empty" }, text("emptyFeed")))];
  };
}

function choice(view, userId, feed) {
  const best = feed.items[0];
  return element("li", {}, element("a", { href: `#/${view}?user=${encodeURIComponent(userId)}` },
    element("b", {}, userId), element("span", { class: "quiet" }, text(`source_${feed.source}`)),
    best ? element("span", {}, `${text("bestMatch")}: ${best.job.title ?? best.job_id} (${best.match_percent} %)`) : null));
}
