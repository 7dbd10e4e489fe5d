// Names of skills, roles, towns and countries in the language of the page, as the service has them.

import { get } from "./api.js";
import { language } from "./texts.js";

let loaded = { language: null, names: {} };

// Without them, names are shown as the tables have them.
export async function loadNames() {
  if (loaded.language === language()) return;
  const asked = language();
  const found = await get("/v1/names", { lang: asked }).catch(() => null);
  if (found) loaded = { language: asked, names: found.names };
}

export const nameOf = (kind, value) => loaded.names[kind]?.[value] ?? String(value).replaceAll("_", " ");
