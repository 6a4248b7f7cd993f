// Requests to the server this page comes from.

/** The admin token, in this window's memory alone. */
let token = null;

export class Refused extends Error {
  constructor(status, message, known) {
    super(message);
    this.status = status;
    this.known = known ?? [];
  }
}

async function ask(method, path, parameters = {}, body) {
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
  if (!response.ok) throw new Refused(response.status, answer.error ?? `the server says ${response.status}`, answer.known);
  return answer;
}

export const get = (path, parameters) => ask("GET", path, parameters);
export const post = (path, body) => ask("POST", path, {}, body);
export const remove = (path, parameters) => ask("DELETE", path, parameters);

/** Tries a token; it stays when the server takes it. */
export async function unlock(wanted) {
  const before = token;
  token = wanted;
  try {
    const server = await get("v1/status");
    if (!server.may_change) throw new Refused(401, "The server does not take this token.");
    return server;
  } catch (error) {
    token = before;
    throw error;
  }
}

export function lock() {
  token = null;
}
