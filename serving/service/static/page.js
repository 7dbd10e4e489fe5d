// Ties the page together: which view the address names, language, theme, token, and the state of the service.

import { Problem, currentToken, get, onTokenNeeded, setToken } from "./api.js";
import { element } from "./dom.js";
import { feedView } from "./feed.js";
import { loadNames } from "./names.js";
import { generationView, marketView, metricsView, trendingView } from "./overviews.js";
import { age, language, otherLanguage, switchLanguage, text } from "./texts.js";

const VIEWS = { feed: feedView, trending: trendingView, market: marketView, metrics: metricsView, generation: generationView };
const THEME = "jobfeed-theme";
const THEMES = ["auto", "light", "dark"];
const STATE_EVERY_MS = 15000;
const find = (id) => document.getElementById(id);

let shown = 0;

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
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${text(view)} · jobfeed`;
  const { head, load } = VIEWS[view](state, go);
  const place = element("div", { class: "content" }, element("p", { class: "empty" }, text("loading")));
  find("main").replaceChildren(...(head ? [head, place] : [place]));
  find("main").dataset.state = "loading";
  try {
    await loadNames();
    const parts = await load();
    if (mine !== shown) return;
    place.replaceChildren(...parts);
    find("main").dataset.state = "loaded";
    find("announcer").textContent = `${text(view)}: ${text("loaded")}`;
  } catch (error) {
    if (mine !== shown) return;
    place.replaceChildren(failure(error));
    find("main").dataset.state = "failed";
  }
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
  find("language").setAttribute("aria-label", otherLanguage() === "ru" ? "Русский" : "English");
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
