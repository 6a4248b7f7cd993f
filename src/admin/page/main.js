// The frame of the page: its views, which one is shown, the lock, the theme and the connection.

// First, because this module removes the token from the URL.
import { get, hasToken, lock, openedWithToken, takeTokenFromUrl, unlock } from "./api.js";
import * as checks from "./checks.js";
import { announce, fill, h } from "./dom.js";
import * as explain from "./explain.js";
import * as live from "./live.js";
import * as overrides from "./overrides.js";
import * as overview from "./overview.js";
import * as timeline from "./timeline.js";
import * as zones from "./zones.js";

const VIEWS = [
  { path: "", name: "Overview", view: overview },
  { path: "zones", name: "Zones", view: zones },
  { path: "checks", name: "Health", view: checks },
  { path: "timeline", name: "Timeline", view: timeline },
  { path: "explain", name: "Explain", view: explain },
  { path: "overrides", name: "Overrides", view: overrides },
];

/** How often values without events, such as latencies and shares, are read again. */
const REFRESH_MS = 5000;

/** What all views share. */
export const page = {
  server: null,
  connection: "connecting",
  mayChange: () => page.server?.may_change === true,
  /** Draws in the next frame. */
  draw: schedule,
  /** Reads again what the current view shows, then draws. */
  refresh,
};

let current = VIEWS[0];
let scheduled = false;
/** The first view is not focused, so that a loaded page starts at its top. */
let isFirst = true;
/** A token from a link that the server has not confirmed yet. */
let isTokenNew = openedWithToken;
const main = document.getElementById("main");

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

function draw() {
  fill(main, current.view.render(page));
  drawNavigation();
  drawConnection();
  drawLock();
}

function drawNavigation() {
  fill(document.getElementById("nav"), VIEWS.map(({ path, name, view }) =>
    h("li", { key: path }, h("a", { href: view.address?.() ?? `#/${path}`, "aria-current": path === current.path ? "page" : null }, name))));
}

function route() {
  if (takeTokenFromUrl()) {
    isTokenNew = true;
    refresh();
  }
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [first, ...rest] = path.split("/").map(decodeURIComponent);
  const next = VIEWS.find((view) => view.path === first) ?? VIEWS[0];
  const changed = next !== current;
  current = next;
  document.title = `${next.name} – fiftythree`;
  if (changed) main.replaceChildren();
  next.view.enter?.(page, { rest, parameters: new URLSearchParams(query) });
  draw();
  document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (changed && !isFirst) {
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  isFirst = false;
}

async function readServer() {
  try {
    page.server = await get("v1/status");
  } catch {
    // The connection indicator shows it.
    return;
  }
  if (hasToken()) confirmToken();
}

/** Discards a token that the server does not accept; if it came with a link, the dialog says so. */
function confirmToken() {
  if (page.mayChange()) {
    if (isTokenNew) announce("Changes are unlocked.");
  } else if (page.server.changes === "token") {
    lock();
    if (isTokenNew) openUnlock("The server does not accept the token of this link.");
  }
  isTokenNew = false;
}

async function refresh() {
  await Promise.all([readServer(), current.view.refresh?.(page)]);
  schedule();
}

const CONNECTIONS = {
  connecting: ["○", "connecting …", ""],
  live: ["●", "live", "good"],
  lost: ["✕", "disconnected, trying again …", "bad"],
  stopping: ["✕", "the server is stopping", "bad"],
};

function drawConnection() {
  const [sign, text, kind] = CONNECTIONS[page.connection];
  const pill = document.getElementById("connection");
  pill.className = `pill ${kind}`;
  fill(pill, h("span", { "aria-hidden": "true" }, sign), " ", text);
  document.body.classList.toggle("stale", page.connection !== "live" && page.connection !== "connecting");
}

const dialog = document.getElementById("unlock");
const lockButton = document.getElementById("lock");
const tokenField = document.getElementById("token");
const tokenError = document.getElementById("token-error");

function drawLock() {
  lockButton.hidden = page.server?.changes !== "token";
  fill(lockButton, page.mayChange() ? "Lock" : "Unlock", h("span.wide-only", null, " changes"));
}

function openUnlock(error = "") {
  tokenField.value = "";
  tokenError.textContent = error;
  if (!dialog.open) dialog.showModal();
  tokenField.focus();
}

lockButton.onclick = () => {
  if (!page.mayChange()) return openUnlock();
  lock();
  page.server.may_change = false;
  announce("Changes are locked.");
  schedule();
};

document.getElementById("unlock-cancel").onclick = () => dialog.close();
dialog.onclose = () => { tokenField.value = ""; };

document.getElementById("unlock-form").onsubmit = async (event) => {
  event.preventDefault();
  tokenError.textContent = "";
  try {
    page.server = await unlock(tokenField.value.trim());
    dialog.close();
    announce("Changes are unlocked.");
    schedule();
  } catch (error) {
    tokenError.textContent = error.message;
    tokenField.focus();
    tokenField.select();
  }
};

const theme = document.getElementById("theme");

function setTheme(value) {
  if (value) document.documentElement.dataset.theme = value;
  else delete document.documentElement.dataset.theme;
  theme.value = value;
}

theme.onchange = () => {
  setTheme(theme.value);
  try {
    localStorage.setItem("theme", theme.value);
  } catch {
    // Without storage the choice lasts until the page is reloaded.
  }
};

try {
  setTheme(localStorage.getItem("theme") ?? "");
} catch {
  setTheme("");
}

window.addEventListener("hashchange", route);
route();
refresh();
setInterval(() => {
  if (!document.hidden && page.connection === "live") refresh();
}, REFRESH_MS);
// Ages such as "5 s ago" change between two reads.
setInterval(() => {
  if (!document.hidden) schedule();
}, 1000);

live.watch({
  onEvent(name, data) {
    timeline.onEvent(name, data);
    if (name === "transition") announce(`${data.check} is ${data.to}: ${data.why}`);
    refresh();
  },
  onConnection(state) {
    page.connection = state;
    schedule();
  },
  onGap: refresh,
});
