// Ties the page together: which view the address names, language, theme, token, and the state of the service.

import { Problem, currentToken, get, onTokenNeeded, setToken } from "./api.js";
import { applicationsView } from "./applications.js";
import { calendarView } from "./calendar.js";
import { companiesView } from "./companies.js";
import { element } from "./dom.js";
import { feedView } from "./feed.js";
import { Live } from "./live.js";
import { loadNames } from "./names.js";
import { generationView, marketView, metricsView, trendingView } from "./overviews.js";
import { skillsView } from "./skills.js";
import { age, language, otherLanguage, switchLanguage, text } from "./texts.js";
import { currentUser } from "./users.js";

const VIEWS = {
  feed: feedView, applications: applicationsView, calendar: calendarView, skills: skillsView, companies: companiesView,
  trending: trendingView, market: marketView, metrics: metricsView, generation: generationView,
};
const OF_USER = ["feed", "applications", "calendar", "skills"];
const THEME = "jobfeed-theme";
const THEMES = ["auto", "light", "dark"];
const STATE_EVERY_MS = 15000;
const find = (id) => document.getElementById(id);

let shown = 0;
let live = null;
let current = {}; // the view that is shown: its user, and which channels of the stream are about it

function address() {
  const [name, query] = location.hash.replace(/^#\//, "").split("?");
  return { view: name in VIEWS ? name : "feed", state: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

function go(view, state) {
  const given = Object.entries(state).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  const next = query ? `#/${view}?${query}` : `#/${view}`;
  if (location.hash === next) show();
  else location.hash = next;
}

async function show() {
  const mine = ++shown;
  const { view, state } = address();
  openMenu(false);
  find("notice").hidden = true;
  markView(view, state);
  document.title = [text(view), state.user, "jobfeed"].filter(Boolean).join(" · ");
  const { head, load, refreshes = [], announces = [] } = VIEWS[view](state, go);
  current = { user: state.user, refreshes, announces };
  live?.follow(OF_USER.includes(view) && state.user ? state.user : null);
  const place = element("div", { class: "content" }, element("p", { class: "empty" }, text("loading")));
  find("main").replaceChildren(...(head ? [head, place] : [place]));
  find("main").dataset.state = "loading";
  try {
    await loadNames();
    const parts = await load();
    if (mine !== shown) return;
    place.replaceChildren(...parts.filter(Boolean));
    if (!place.querySelector("h1")) place.prepend(element("h1", {}, [text(view), state.user].filter(Boolean).join(": ")));
    markView(view, state);
    find("main").dataset.state = "loaded";
    find("announcer").textContent = `${text(view)}: ${text("loaded")}`;
  } catch (error) {
    if (mine !== shown) return;
    place.replaceChildren(failure(error));
    find("main").dataset.state = "failed";
  }
}

// Links to the views of a user keep the user.
function markView(view, state) {
  const userId = state.user || currentUser();
  for (const link of document.querySelectorAll("nav [data-view]")) {
    const named = link.dataset.view;
    link.href = OF_USER.includes(named) && userId ? `#/${named}?user=${encodeURIComponent(userId)}` : `#/${named}`;
    if (named === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  find("menu").textContent = text(view);
}

function openMenu(isOpen) {
  find("menu").setAttribute("aria-expanded", String(isOpen));
  find("views").classList.toggle("open", isOpen);
}

// What the stream tells: views of applications are shown anew, a feed only when its reader wants it.
function onEvent({ channel, data }) {
  if (channel === "system") showState();
  const isAboutUser = !data?.user_id || data.user_id === current.user;
  const isMissed = channel === "system" && data?.event === "resync";
  if (current.user && isAboutUser && (current.refreshes.includes(channel) || (isMissed && current.refreshes.length))) refresh();
  else if (current.user && isAboutUser && current.announces.includes(channel)) {
    find("notice-text").textContent = text(`changed_${channel}`);
    find("notice").hidden = false;
  }
}

// Shows the view anew where it was scrolled to, unless something in it is open.
async function refresh() {
  if (find("main").querySelector("details[open], :focus")) {
    find("notice-text").textContent = text("changed_applications");
    find("notice").hidden = false;
    return;
  }
  const place = window.scrollY;
  await show();
  window.scrollTo(0, place);
}

function onLive(state) {
  find("state").dataset.live = state;
}

function failure(error) {
  const request = error instanceof Problem && error.requestId ? ` · ${text("request")} ${error.requestId}` : "";
  return element("div", { class: "failure", role: "alert" },
    element("p", {}, element("b", {}, text("failed")), `: ${error.message}${request}`),
    element("button", { type: "button", onClick: show }, text("retry")));
}

async function showState() {
  const chip = find("state");
  try {
    const readiness = await get("/readyz");
    chip.dataset.status = readiness.status;
    chip.textContent = readiness.generation ? `${text(readiness.status)} · ${age(readiness.age_seconds)}` : text(readiness.status);
    chip.title = [readiness.generation, ...readiness.reasons].filter(Boolean).join("\n");
  } catch (error) {
    chip.dataset.status = "not ready";
    chip.textContent = text("not ready");
    chip.title = error.message;
  }
}

function translate() {
  document.documentElement.lang = language();
  for (const place of document.querySelectorAll("[data-text]")) place.textContent = text(place.dataset.text);
  find("language").textContent = otherLanguage().toUpperCase();
  find("language").lang = otherLanguage();
  find("language").setAttribute("aria-label", otherLanguage() === "ru" ? "RU – Русский" : "EN – English");
  showTheme();
}

function showTheme() {
  const theme = localStorage.getItem(THEME) ?? "auto";
  document.documentElement.dataset.theme = theme;
  find("theme").textContent = { auto: "◐", light: "☀", dark: "☾" }[theme];
  find("theme").setAttribute("aria-label", text(`theme_${theme}`));
  find("theme").title = text(`theme_${theme}`);
}

let asking = null;

function askForToken() {
  asking ??= new Promise((resolve) => {
    const dialog = find("token-dialog");
    find("token-input").value = currentToken();
    dialog.returnValue = "cancel";
    dialog.addEventListener("close", () => {
      const isGiven = dialog.returnValue === "save";
      if (isGiven) setToken(find("token-input").value.trim());
      find("token-input").value = "";
      asking = null;
      resolve(isGiven);
    }, { once: true });
    dialog.showModal();
    find("token-input").focus();
  });
  return asking;
}

function start() {
  onTokenNeeded(askForToken);
  translate();
  const stream = document.querySelector("meta[name=jobfeed-stream]").content;
  if (stream) live = new Live(stream, onEvent, onLive);
  find("menu").addEventListener("click", () => openMenu(find("menu").getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && find("menu").getAttribute("aria-expanded") === "true") { openMenu(false); find("menu").focus(); } });
  find("notice-show").addEventListener("click", show);
  find("language").addEventListener("click", () => { switchLanguage(); translate(); showState(); show(); });
  find("theme").addEventListener("click", () => {
    const theme = localStorage.getItem(THEME) ?? "auto";
    localStorage.setItem(THEME, THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
    showTheme();
  });
  find("token").addEventListener("click", async () => { if (await askForToken()) show(); });
  find("token-input").addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); find("token-dialog").close("save"); }
  });
  window.addEventListener("hashchange", show);
  showState();
  setInterval(showState, STATE_EVERY_MS);
  show();
}

start();
