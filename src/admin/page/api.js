// Requests to the server that this page comes from, and the admin token that they carry.

/** The key in sessionStorage: the token lasts as long as the tab, across reloads. */
const STORED = "admin-token";

let token = readStored();

function readStored() {
  try {
    return sessionStorage.getItem(STORED);
  } catch {
    return null;
  }
}

function setToken(value) {
  token = value;
  try {
    if (value === null) sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, value);
  } catch {
    // Without storage the token lasts until the page is reloaded.
  }
}

/**
 * Takes the token from a link such as `#token=…` or `#/overrides?token=…` and removes it from the
 * URL, so that it is not in bookmarks, the history or copied links. The rest of the hash stays.
 * Returns true if there was a token.
 */
export function takeTokenFromUrl() {
  const { hash, pathname, search } = location;
  const found = hash.match(/[#?&]token=([^&]*)/);
  if (!found) return false;
  const before = hash.slice(0, found.index + 1);
  const after = hash.slice(found.index + found[0].length).replace(/^&/, "");
  history.replaceState(history.state, "", pathname + search + (before + after).replace(/[#?&]$/, ""));
  // Not URLSearchParams: a token may contain a plus sign.
  let value = found[1];
  try {
    value = decodeURIComponent(value);
  } catch {
    // A stray percent sign; the server rejects it.
  }
  if (value) setToken(value);
  return value !== "";
}

/**
 * True if this page was opened with a token in its link. Runs before the page does anything else.
 */
export const openedWithToken = takeTokenFromUrl();

export class RequestError extends Error {
  constructor(status, message, known) {
    super(message);
    this.status = status;
    this.known = known ?? [];
  }
}

async function request(method, path, parameters = {}, body) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = query.toString();
  const response = await fetch(text ? `${path}?${text}` : path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new RequestError(response.status, answer.error ?? `the server responded with status ${response.status}`, answer.known);
  return answer;
}

export const get = (path, parameters) => request("GET", path, parameters);
export const post = (path, body) => request("POST", path, {}, body);
export const remove = (path, parameters) => request("DELETE", path, parameters);

export const hasToken = () => token !== null;

/** Tries a token and keeps it if the server accepts it. */
export async function unlock(candidate) {
  const before = token;
  token = candidate;
  try {
    const server = await get("v1/status");
    if (!server.may_change) throw new RequestError(401, "The server does not accept this token.");
    setToken(candidate);
    return server;
  } catch (error) {
    token = before;
    throw error;
  }
}

export function lock() {
  setToken(null);
}
