// What the page says, in both languages, and how numbers and dates are written.

const TEXTS = {
  en: {
    skip: "Skip to content", feed: "Feed", trending: "Trending", market: "Market", metrics: "Metrics",
    generation: "Generation", api: "API", token: "Token", save: "Save", cancel: "Cancel",
    tokenTitle: "A token is needed", tokenAbout: "It is kept in this tab only. Leave it empty to forget it.",
    theme_auto: "Theme: system", theme_light: "Theme: light", theme_dark: "Theme: dark",
    user: "User", userHint: "user id", show: "Show", hideSeen: "Hide seen", minMatch: "Match from", jobs: "jobs",
    emptyFeed: "Whose feed? Enter a user id. One that is not known gets the fallback feed.",
    noItems: "Nothing passes these filters.", loading: "Loading…", loaded: "Loaded", failed: "That did not work",
    request: "Request", retry: "Try again", again: "More",
    source_personal: "personal feed", source_profile: "by profile, no history yet", source_segment: "feed of the segment",
    source_global: "unknown user: feed for everyone", computed: "computed", recipe: "recipe", arm: "arm",
    match: "match", confidence: "confidence", seen: "seen", explored: "exploration", propensity: "drawn with",
    why: "Why and how", componentsOf: "Components: value × weight", componentNone: "Component values are kept for the first 20 items.",
    unknown: "unknown", similar: "Similar jobs", noSimilar: "None known.", published: "published",
    aboutUser: "About this user", digest: "Digest", noDigest: "No digest.", preferences: "Learned preferences",
    noPreferences: "Nothing learned yet.", skillGaps: "Skill gaps", noGaps: "No wanted role, or nothing missing.",
    missing: "missing", has: "has", coverage: "covered", hours: "h", asText: "As text",
    verdict_apply_now: "apply now", verdict_learn_first: "learn first", verdict_reconsider: "reconsider",
    window: "Window", area: "Area", score: "score", noTrending: "Nothing is trending there.",
    dimension: "Dimension", value: "Value", week: "Week", openJobs: "Open jobs", medianPay: "Median pay, USD a month",
    change: "Change", skill: "Skill", share: "Share", demand: "Demand for skills", trends: "Trends",
    metric: "Metric", surface: "Surface", interval: "Interval", n: "n", noMetrics: "No metrics in this generation.",
    served: "Served generation", asOf: "As of", created: "Created", parent: "Parent", version: "Code version",
    tables: "Tables", table: "Table", rows: "Rows", size: "Size", marks: "High-water marks", state: "State",
    ready: "ready", stale: "stale", "not ready": "not ready", old: "old",
  },
  ru: {
    skip: "К содержанию", feed: "Лента", trending: "В тренде", market: "Рынок", metrics: "Метрики",
    generation: "Поколение", api: "API", token: "Токен", save: "Сохранить", cancel: "Отмена",
    tokenTitle: "Нужен токен", tokenAbout: "Он хранится только в этой вкладке. Оставьте пустым, чтобы забыть его.",
    theme_auto: "Тема: системная", theme_light: "Тема: светлая", theme_dark: "Тема: тёмная",
    user: "Пользователь", userHint: "идентификатор", show: "Показать", hideSeen: "Скрыть просмотренные",
    minMatch: "Совпадение от", jobs: "вакансий",
    emptyFeed: "Чья лента? Введите идентификатор пользователя. Неизвестный получит запасную ленту.",
    noItems: "Под эти условия ничего не подходит.", loading: "Загрузка…", loaded: "Загружено", failed: "Не получилось",
    request: "Запрос", retry: "Повторить", again: "Ещё",
    source_personal: "личная лента", source_profile: "по профилю, истории ещё нет", source_segment: "лента сегмента",
    source_global: "неизвестный пользователь: общая лента", computed: "вычислена", recipe: "рецепт", arm: "группа",
    match: "совпадение", confidence: "уверенность", seen: "просмотрена", explored: "разведка", propensity: "вероятность показа",
    why: "Почему и как", componentsOf: "Компоненты: значение × вес", componentNone: "Компоненты хранятся для первых 20 вакансий.",
    unknown: "неизвестно", similar: "Похожие вакансии", noSimilar: "Нет.", published: "опубликована",
    aboutUser: "О пользователе", digest: "Дайджест", noDigest: "Дайджеста нет.", preferences: "Усвоенные предпочтения",
    noPreferences: "Пока ничего.", skillGaps: "Недостающие навыки", noGaps: "Желаемой роли нет, или всего хватает.",
    missing: "не хватает", has: "есть", coverage: "покрыто", hours: "ч", asText: "Текстом",
    verdict_apply_now: "откликаться", verdict_learn_first: "сначала подучиться", verdict_reconsider: "подумать ещё раз",
    window: "Окно", area: "Регион", score: "балл", noTrending: "Там ничего не набирает популярность.",
    dimension: "Измерение", value: "Значение", week: "Неделя", openJobs: "Открытых вакансий",
    medianPay: "Медиана оплаты, USD в месяц", change: "Изменение", skill: "Навык", share: "Доля",
    demand: "Спрос на навыки", trends: "Тренды", metric: "Метрика", surface: "Место показа", interval: "Интервал", n: "n",
    noMetrics: "В этом поколении метрик нет.", served: "Текущее поколение", asOf: "На момент", created: "Создано",
    parent: "Предыдущее", version: "Версия кода", tables: "Таблицы", table: "Таблица", rows: "Строк", size: "Размер",
    marks: "Отметки источников", state: "Состояние", ready: "готово", stale: "устарело", "not ready": "не готово", old: "назад",
  },
};

const LANGUAGE = "jobfeed-language";
const LANGUAGES = Object.keys(TEXTS);

let current = localStorage.getItem(LANGUAGE)
  ?? (navigator.languages.some((each) => each.startsWith("ru")) ? "ru" : "en");

export const language = () => current;
export const otherLanguage = () => LANGUAGES.find((each) => each !== current);

export function switchLanguage() {
  current = otherLanguage();
  localStorage.setItem(LANGUAGE, current);
}

export const text = (name) => TEXTS[current][name] ?? TEXTS.en[name] ?? name;
export const number = (value, digits = 0) => value === null || value === undefined ? "–"
  : value.toLocaleString(current, { maximumFractionDigits: digits });
export const percent = (value, digits = 0) => value === null || value === undefined ? "–"
  : value.toLocaleString(current, { style: "percent", maximumFractionDigits: digits });
export const moment = (value) => value ? new Date(value).toLocaleString(current, { dateStyle: "medium", timeStyle: "short" }) : "–";
export const day = (value) => value ? new Date(value).toLocaleDateString(current, { dateStyle: "medium" }) : "–";
export const bytes = (value) => value > 1e9 ? `${number(value / 1e9, 1)} GB` : value > 1e6 ? `${number(value / 1e6, 1)} MB` : `${number(value / 1e3, 1)} kB`;

export function age(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const [amount, unit] = seconds >= 172800 ? [seconds / 86400, "day"] : seconds >= 7200 ? [seconds / 3600, "hour"] : [seconds / 60, "minute"];
  return amount.toLocaleString(current, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 });
}

export function salary(job) {
  if (job.salary_min === null && job.salary_max === null) return "";
  const low = job.salary_min === null ? "" : number(job.salary_min);
  const high = job.salary_max === null ? "" : number(job.salary_max);
  const range = low && high && low !== high ? `${low} – ${high}` : low && !high ? `≥ ${low}` : !low ? `≤ ${high}` : low;
  return `${range} ${job.salary_currency ?? ""}${job.salary_period ? ` / ${job.salary_period}` : ""}`;
}
