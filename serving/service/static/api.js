// Asks the service. The token stays in this tab; an answer of 401 asks for one and tries again once.

const TOKEN = "jobfeed-token";

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.requestId = body.request_id;
  }
}

let askForToken = async () => false;

export function onTokenNeeded(ask) { askForToken = ask; }
export function currentToken() { return sessionStorage.getItem(TOKEN) ?? ""; }
export function setToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

export async function get(path, parameters = {}) {
  const response = await ask(path, parameters);
  const body = await readBody(response);
  if (!response.ok && path !== "/readyz") throw new Problem(response.status, body);
  return body;
}

export async function getText(path, parameters = {}) {
  const response = await ask(path, parameters);
  if (!response.ok) throw new Problem(response.status, await readBody(response));
  return response.text();
}

async function ask(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  const url = query ? `${path}?${query}` : path;
  const response = await send(url);
  return response.status === 401 && await askForToken() ? send(url) : response;
}

export const user = (userId, what) => `/v1/users/${encodeURIComponent(userId)}/${what}`;
export const company = (companyId, other = null) => `/v1/companies/${encodeURIComponent(companyId)}${other ? `/compare/${encodeURIComponent(other)}` : ""}`;
export const job = (jobId, what = "") => `/v1/jobs/${encodeURIComponent(jobId)}${what}`;

// For what may well not be there: null instead of 404.
export async function getOrNull(path, parameters = {}) {
  try {
    return await get(path, parameters);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

function send(url) {
  const token = currentToken();
  return fetch(url, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

async function readBody(response) {
  try {
    return await response.json();
  } catch {
    return { title: response.statusText };
  }
}
