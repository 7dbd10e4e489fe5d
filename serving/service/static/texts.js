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
    plan: "Learn next", opens: "more jobs:", openNow: "jobs within reach fit now", noPlan: "No skill opens more jobs.", learned: "Learned",
    compatibility: "Compatibility", newJobs: "New jobs", byWeek: "By week",
    missing: "missing", has: "has", coverage: "covered", hours: "h", asText: "As text",
    verdict_apply_now: "apply now", verdict_learn_first: "learn first", verdict_reconsider: "reconsider",
    window: "Window", area: "Area", score: "score", noTrending: "Nothing is trending there.",
    dimension: "Dimension", value: "Value", week: "Week", openJobs: "Open jobs", medianPay: "Median pay, $ a month",
    change: "Change", skill: "Skill", share: "Share", demand: "Demand for skills", trends: "Trends",
    metric: "Metric", surface: "Surface", interval: "Interval", n: "n", noMetrics: "No metrics in this generation.",
    served: "Served generation", asOf: "As of", created: "Created", parent: "Parent", version: "Code version",
    tables: "Tables", table: "Table", rows: "Rows", size: "Size", marks: "High-water marks", state: "State",
    ready: "ready", stale: "stale", "not ready": "not ready", old: "old",
    dimension_skill: "skill", dimension_role: "role", dimension_company: "company", dimension_city: "city", dimension_salary: "salary",
    dimension_career_level: "level", dimension_keyword: "word", dimension_salary_tolerance: "accepted pay, share of the wanted",
    dimension_distance_tolerance: "accepted distance, km",
    level_intern: "intern", level_junior: "junior", level_middle: "mid-level", level_senior: "senior", level_lead: "lead", level_executive: "executive",
    priority_critical: "critical", priority_high: "high", priority_medium: "medium", priority_low: "low",
    surface_all: "all", surface_feed: "feed", surface_search: "search", surface_digest: "digest", surface_similar: "similar jobs",
    surface_trending: "trending", surface_external: "elsewhere", every: "all",
    window_24h: "24 hours", window_7d: "7 days",
    metric_ctr: "click rate", metric_apply_rate: "apply rate", metric_save_rate: "save rate", metric_dismiss_rate: "dismiss rate",
    metric_dwell_seconds_mean: "mean dwell, seconds", metric_match_precision: "precision of matches", metric_match_recall: "recall of matches",
    metric_match_f1: "F1 of matches", metric_sample_ratio_p_value: "evenness of the split, p", metric_ctr_difference: "click rate, difference",
    metric_apply_rate_difference: "apply rate, difference", metric_snips_ctr: "click rate, SNIPS", metric_snips_apply_rate: "apply rate, SNIPS",
    metric_doubly_robust_ctr: "click rate, doubly robust", metric_doubly_robust_apply_rate: "apply rate, doubly robust",
    component_location: "location", component_tags: "tags", component_engagement: "engagement", component_recency: "recency",
    component_poster_quality: "poster quality", component_collaborative: "collaborative", component_content: "content",
    component_skills: "skills", component_experience: "experience", component_salary: "salary", component_location_match: "location match",
    component_culture: "culture", component_growth: "growth", component_neighbours: "neighbours", component_also_applied: "also applied",
    component_affinity: "affinity", component_trending: "trending",
    applications: "Applications", calendar: "Calendar", skills: "Skills", companies: "Companies",
    welcome: "Jobs for each user, explained", welcomeAbout: "Whose page do you want to see? It shows the feed with its reasons, applications, calendar and skills.",
    usersToTry: "Users to begin with", bestMatch: "First in the feed", changed_feed: "The feed has changed.", changed_digest: "A new digest is ready.",
    changed_applications: "The applications have changed.",
    board: "Board", funnel: "How far applications come", funnelTable: "Steps of applications", noApplications: "No applications.", nothingHere: "Nothing here.", timeline: "Timeline",
    silent: "no news", since: "since", offer: "Offer", aboveMarket: "pays more than", refused: "not allowed, left out",
    step: "Step", reached: "Reached", ofBefore: "Of the step before", ofAll: "Of all", medianDays: "Days to it, median",
    column_saved: "Saved", column_applied: "Applied", column_review: "In review", column_interview: "Interview", column_offer: "Offer", column_closed: "Closed",
    state_saved: "saved", state_preparing: "preparing", state_applied: "applied", state_acknowledged: "seen by the employer", state_screening: "screening",
    state_assessment: "assessment", state_interview: "interview", state_final_interview: "final interview", state_offer: "offer",
    state_negotiation: "negotiation", state_accepted: "accepted", state_declined: "declined", state_rejected: "rejected", state_withdrawn: "withdrawn", state_none: "noted",
    action_interview: "Interview", action_deadline: "Deadline", action_offer_deadline: "Answer to the offer", action_reminder: "Reminder", action_follow_up: "Follow-up",
    event_interview: "interview", event_offer: "offer", event_note: "note", event_deadline: "deadline", event_reminder: "reminder", event_reply: "reply", event_follow_up: "follow-up",
    happened_scheduled: "planned", happened_rescheduled: "moved", happened_completed: "took place", happened_cancelled: "cancelled", happened_received: "received",
    happened_countered: "negotiated", happened_accepted: "accepted", happened_declined: "declined", happened_expired: "expired", happened_sent: "sent", happened_skipped: "skipped",
    offer_received: "received", offer_countered: "negotiated", offer_accepted: "accepted", offer_declined: "declined", offer_expired: "expired",
    monthBefore: "Month before", monthAfter: "Month after", agenda: "This month", showCancelled: "Cancelled too", followUps: "Drafts to send", due: "due", nothingPlanned: "Nothing is planned.", cancelled: "cancelled",
    calendarAbout: "Calendar programs can subscribe to /v1/users/…/calendar.ics; a token of the calendar only opens it to them.",
    asked: "Asked for in", priority: "Priority", toLearn: "To learn", partial: "partly",
    company: "Company", companyHint: "name or id", optional: "optional", compareWith: "Compare with", compare: "compare", noCompanies: "No company is known.",
    hiringMost: "Companies that hire most", atAGlance: "At a glance", newJobsByWeek: "New jobs by week", asTable: "As a table", roles: "Roles", places: "Places",
    conditions: "Conditions", fourWeekChange: "New jobs, last four weeks against the four before", againstMarket: "Pay against the market",
    answers: "Applications answered in 30 days", answerDays: "Days to the first answer, median", reposts: "Jobs posted again", completeness: "How much is known",
    isNew: "new", similarCompanies: "Similar companies", facts: "Facts", fact: "Fact", source: "Source", news: "News", both: "Both", only: "Only", seconds: "s",
    format_remote: "remote", format_hybrid: "hybrid", format_on_site: "on site",
    employment_full_time: "full time", employment_part_time: "part time", employment_project: "project", employment_internship: "internship", employment_contract: "contract",
    employment_temporary: "temporary", employment_volunteer: "volunteer", employment_shift: "shift", employment_freelance: "freelance",
    fact_headcount: "headcount", fact_founded: "founded", fact_github_repositories: "GitHub: public repositories", fact_github_stars: "GitHub: stars",
    fact_github_languages: "GitHub: languages (repositories)", fact_github_last_push: "GitHub: last push",
    runCounts: "What the run worked on", metric_n_users: "users", metric_n_jobs: "jobs", metric_n_open_jobs: "open jobs", metric_n_duplicate_jobs: "duplicates of other jobs",
    metric_n_interactions: "pairs of user and job", metric_n_recent_events: "events of the last four weeks",
    about_ctr: "Share of the shown jobs that were opened.", about_apply_rate: "Share of the shown jobs that were applied to.",
    about_save_rate: "Share of the shown jobs that were saved.", about_dismiss_rate: "Share of the shown jobs that were dismissed.",
    about_dwell_seconds_mean: "Mean time on an opened job.", about_match_precision: "Of the jobs called a match, the share that users acted on.",
    about_match_recall: "Of the jobs that users acted on, the share called a match.", about_match_f1: "Harmonic mean of precision and recall.",
    about_sample_ratio_p_value: "Below 0.001 the arms did not get their shares of users: the comparison is worthless.",
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
    aboutUser: "О пользователе", digest: "Подборка", noDigest: "Подборки нет.", preferences: "Усвоенные предпочтения",
    noPreferences: "Пока ничего.", skillGaps: "Недостающие навыки", noGaps: "Желаемой роли нет, или всего хватает.",
    plan: "Чему учиться", opens: "вакансий больше на", openNow: "доступных вакансий подходят уже сейчас", noPlan: "Новых вакансий ни один навык не откроет.", learned: "Изучено",
    compatibility: "Совместимость", newJobs: "Новые вакансии", byWeek: "По неделям",
    missing: "не хватает", has: "есть", coverage: "покрыто", hours: "ч", asText: "Текстом",
    verdict_apply_now: "откликаться", verdict_learn_first: "сначала подучиться", verdict_reconsider: "подумать ещё раз",
    window: "Окно", area: "Регион", score: "балл", noTrending: "Там ничего не набирает популярность.",
    dimension: "Измерение", value: "Значение", week: "Неделя", openJobs: "Открытых вакансий",
    medianPay: "Медиана оплаты, $ в месяц", change: "Изменение", skill: "Навык", share: "Доля",
    demand: "Спрос на навыки", trends: "Тренды", metric: "Метрика", surface: "Место показа", interval: "Интервал", n: "n",
    noMetrics: "В этом поколении метрик нет.", served: "Текущее поколение", asOf: "На момент", created: "Создано",
    parent: "Предыдущее", version: "Версия кода", tables: "Таблицы", table: "Таблица", rows: "Строк", size: "Размер",
    marks: "Отметки источников", state: "Состояние", ready: "готово", stale: "устарело", "not ready": "не готово", old: "назад",
    dimension_skill: "навык", dimension_role: "роль", dimension_company: "компания", dimension_city: "город", dimension_salary: "зарплата",
    dimension_career_level: "уровень", dimension_keyword: "слово", dimension_salary_tolerance: "приемлемая оплата, доля желаемой",
    dimension_distance_tolerance: "приемлемое расстояние, км",
    level_intern: "стажёр", level_junior: "начинающий", level_middle: "специалист", level_senior: "старший", level_lead: "ведущий", level_executive: "руководитель",
    priority_critical: "критично", priority_high: "важно", priority_medium: "желательно", priority_low: "не срочно",
    surface_all: "все", surface_feed: "лента", surface_search: "поиск", surface_digest: "подборка", surface_similar: "похожие вакансии",
    surface_trending: "в тренде", surface_external: "в другом месте", every: "все",
    window_24h: "24 часа", window_7d: "7 дней",
    metric_ctr: "доля кликов", metric_apply_rate: "доля откликов", metric_save_rate: "доля сохранений", metric_dismiss_rate: "доля отказов",
    metric_dwell_seconds_mean: "среднее время просмотра, секунды", metric_match_precision: "точность совпадений", metric_match_recall: "полнота совпадений",
    metric_match_f1: "мера F1 совпадений", metric_sample_ratio_p_value: "равномерность деления, p", metric_ctr_difference: "доля кликов, разница",
    metric_apply_rate_difference: "доля откликов, разница", metric_snips_ctr: "доля кликов, SNIPS", metric_snips_apply_rate: "доля откликов, SNIPS",
    metric_doubly_robust_ctr: "доля кликов, двойная оценка", metric_doubly_robust_apply_rate: "доля откликов, двойная оценка",
    component_location: "расстояние", component_tags: "темы", component_engagement: "популярность", component_recency: "новизна",
    component_poster_quality: "качество вакансий компании", component_collaborative: "выбор похожих людей", component_content: "содержание",
    component_skills: "навыки", component_experience: "опыт", component_salary: "зарплата", component_location_match: "место",
    component_culture: "культура", component_growth: "рост", component_neighbours: "соседи по интересам", component_also_applied: "тоже откликались",
    component_affinity: "предпочтения", component_trending: "в тренде",
    applications: "Отклики", calendar: "Календарь", skills: "Навыки", companies: "Компании",
    welcome: "Вакансии для каждого, с объяснением", welcomeAbout: "Чью страницу показать? На ней лента с причинами, отклики, календарь и навыки.",
    usersToTry: "С кого начать", bestMatch: "Первая в ленте", changed_feed: "Лента изменилась.", changed_digest: "Готова новая подборка.",
    changed_applications: "Отклики изменились.",
    board: "Доска", funnel: "Как далеко доходят отклики", funnelTable: "Шаги откликов", noApplications: "Откликов нет.", nothingHere: "Пусто.", timeline: "Ход событий",
    silent: "нет новостей", since: "с", offer: "Предложение", aboveMarket: "выше, чем у", refused: "переход не допускается, не учтён",
    step: "Шаг", reached: "Дошли", ofBefore: "От предыдущего шага", ofAll: "От всех", medianDays: "Дней до него, медиана",
    column_saved: "Сохранены", column_applied: "Отклик", column_review: "На рассмотрении", column_interview: "Собеседование", column_offer: "Предложение", column_closed: "Завершены",
    state_saved: "сохранена", state_preparing: "готовится", state_applied: "отклик отправлен", state_acknowledged: "просмотрен работодателем", state_screening: "первичный отбор",
    state_assessment: "тестовое задание", state_interview: "собеседование", state_final_interview: "финальное собеседование", state_offer: "предложение",
    state_negotiation: "переговоры", state_accepted: "принято", state_declined: "отклонено", state_rejected: "отказ", state_withdrawn: "отозван", state_none: "заметка",
    action_interview: "Собеседование", action_deadline: "Крайний срок", action_offer_deadline: "Ответ на предложение", action_reminder: "Напоминание", action_follow_up: "Напомнить о себе",
    event_interview: "собеседование", event_offer: "предложение", event_note: "заметка", event_deadline: "крайний срок", event_reminder: "напоминание", event_reply: "ответ", event_follow_up: "письмо вслед",
    happened_scheduled: "назначено", happened_rescheduled: "перенесено", happened_completed: "прошло", happened_cancelled: "отменено", happened_received: "получено",
    happened_countered: "обсуждается", happened_accepted: "принято", happened_declined: "отклонено", happened_expired: "истекло", happened_sent: "отправлено", happened_skipped: "пропущено",
    offer_received: "получено", offer_countered: "обсуждается", offer_accepted: "принято", offer_declined: "отклонено", offer_expired: "истекло",
    monthBefore: "Предыдущий месяц", monthAfter: "Следующий месяц", agenda: "В этом месяце", showCancelled: "И отменённое", followUps: "Черновики писем", due: "пора", nothingPlanned: "Ничего не запланировано.", cancelled: "отменено",
    calendarAbout: "Программы-календари могут подписаться по адресу из описания сервиса; им нужен токен календаря.",
    asked: "Требуется в", priority: "Важность", toLearn: "Изучать", partial: "частично",
    company: "Компания", companyHint: "название или идентификатор", optional: "необязательно", compareWith: "Сравнить с", compare: "сравнить", noCompanies: "Ни одной компании нет.",
    hiringMost: "Больше всех нанимают", atAGlance: "Коротко", newJobsByWeek: "Новые вакансии по неделям", asTable: "Таблицей", roles: "Роли", places: "Города",
    conditions: "Условия", fourWeekChange: "Новых вакансий за четыре недели против прежних четырёх", againstMarket: "Оплата против рынка",
    answers: "Отвечено на отклики за 30 дней", answerDays: "Дней до первого ответа, медиана", reposts: "Вакансий повторно", completeness: "Сколько известно",
    isNew: "новое", similarCompanies: "Похожие компании", facts: "Факты", fact: "Факт", source: "Источник", news: "Новости", both: "Обе", only: "Только", seconds: "с",
    format_remote: "удалённо", format_hybrid: "частично удалённо", format_on_site: "на месте",
    employment_full_time: "полная занятость", employment_part_time: "частичная занятость", employment_project: "проект", employment_internship: "стажировка", employment_contract: "договор",
    employment_temporary: "временная", employment_volunteer: "волонтёрство", employment_shift: "вахта", employment_freelance: "фриланс",
    fact_headcount: "число сотрудников", fact_founded: "год основания", fact_github_repositories: "GitHub: открытых репозиториев", fact_github_stars: "GitHub: звёзд",
    fact_github_languages: "GitHub: языки (репозиториев)", fact_github_last_push: "GitHub: последнее изменение",
    runCounts: "Над чем работал запуск", metric_n_users: "пользователей", metric_n_jobs: "вакансий", metric_n_open_jobs: "открытых вакансий", metric_n_duplicate_jobs: "повторов других вакансий",
    metric_n_interactions: "пар пользователя и вакансии", metric_n_recent_events: "событий за четыре недели",
    about_ctr: "Доля показанных вакансий, которые открыли.", about_apply_rate: "Доля показанных вакансий, на которые откликнулись.",
    about_save_rate: "Доля показанных вакансий, которые сохранили.", about_dismiss_rate: "Доля показанных вакансий, которые скрыли.",
    about_dwell_seconds_mean: "Среднее время на открытой вакансии.", about_match_precision: "Из названных подходящими — доля тех, с которыми что-то сделали.",
    about_match_recall: "Из тех, с которыми что-то сделали, — доля названных подходящими.", about_match_f1: "Среднее гармоническое точности и полноты.",
    about_sample_ratio_p_value: "Ниже 0,001 группы получили не свои доли пользователей: сравнение ничего не стоит.",
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

// The words of a code such as `apply_rate` of a kind such as `metric`; without any, the code in words.
export const label = (kind, code) => TEXTS[current][`${kind}_${code}`] ?? String(code).replaceAll("_", " ");
export const text = (name) => TEXTS[current][name] ?? TEXTS.en[name] ?? name;
export const number = (value, digits = 0) => value === null || value === undefined ? "–"
  : value.toLocaleString(current, { maximumFractionDigits: digits });
export const percent = (value, digits = 0) => value === null || value === undefined ? "–"
  : value.toLocaleString(current, { style: "percent", maximumFractionDigits: digits });
export const signedPercent = (value, digits = 0) => value === null || value === undefined ? "–"
  : value.toLocaleString(current, { style: "percent", maximumFractionDigits: digits, signDisplay: "exceptZero" });
export const moment = (value) => value ? new Date(value).toLocaleString(current, { dateStyle: "medium", timeStyle: "short" }) : "–";
// A day without a time is that day wherever the reader is; Date would take it for midnight in UTC.
const instant = (value) => new Date(/^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00` : value);
export const day = (value) => value ? instant(value).toLocaleDateString(current, { dateStyle: "medium" }) : "–";
export const shortDay = (value) => instant(value).toLocaleDateString(current, { day: "numeric", month: "short" });
export const wholeDay = (date) => date.toLocaleDateString(current, { weekday: "short", day: "numeric", month: "long" });
export const clock = (date) => date.toLocaleTimeString(current, { hour: "2-digit", minute: "2-digit" });
export const weekday = (date) => date.toLocaleDateString(current, { weekday: "short" });
export const monthName = (date) => date.toLocaleDateString(current, { month: "long", year: "numeric" });

export function languageName(code) {
  try {
    return new Intl.DisplayNames([current], { type: "language" }).of(code) ?? code;
  } catch {
    return code;
  }
}

export const bytes = (value) => {
  const [amount, unit] = value > 1e9 ? [value / 1e9, "gigabyte"] : value > 1e6 ? [value / 1e6, "megabyte"] : [value / 1e3, "kilobyte"];
  return amount.toLocaleString(current, { style: "unit", unit, maximumFractionDigits: 1 });
};

export function age(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const [amount, unit] = seconds >= 172800 ? [seconds / 86400, "day"] : seconds >= 7200 ? [seconds / 3600, "hour"] : [seconds / 60, "minute"];
  return amount.toLocaleString(current, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 });
}
