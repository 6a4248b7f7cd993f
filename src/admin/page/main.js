// The page: its parts, which one is shown, and what keeps it up to date.

import { get, lock, unlock } from "./api.js";
import * as checks from "./checks.js";
import { fill, h, say } from "./dom.js";
import * as explain from "./explain.js";
import * as live from "./live.js";
import * as overrides from "./overrides.js";
import * as overview from "./overview.js";
import * as timeline from "./timeline.js";
import * as zones from "./zones.js";

const PARTS = [
  { path: "", name: "Overview", part: overview },
  { path: "zones", name: "Zones", part: zones },
  { path: "checks", name: "Checks", part: checks },
  { path: "timeline", name: "Time line", part: timeline },
  { path: "explain", name: "Explain", part: explain },
  { path: "overrides", name: "Overrides", part: overrides },
];

/** How often what no event tells is read anew: figures, not states. */
const REFRESH_MS = 5000;

/** What all parts know. */
export const page = {
  server: null,
  connection: "connecting",
  mayChange: () => page.server?.may_change === true,
  /** Draws again, soon. */
  draw: schedule,
  /** Reads again what the shown part shows. */
  refresh,
};

let shown = PARTS[0];
let scheduled = false;
/** Whoever loads the page begins at its top. */
let isFirst = true;
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
  fill(main, shown.part.render(page));
  drawConnection();
  drawLock();
}

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [first, ...rest] = path.split("/").map(decodeURIComponent);
  const next = PARTS.find((part) => part.path === first) ?? PARTS[0];
  const changed = next !== shown;
  shown = next;
  document.title = `${next.name} – fiftythree`;
  fill(document.getElementById("nav"), PARTS.map(({ path, name }) =>
    h("li", { key: path }, h("a", { href: `#/${path}`, "aria-current": path === next.path ? "page" : null }, name))));
  document.querySelector("#nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (changed) main.replaceChildren();
  next.part.enter?.(page, { rest, parameters: new URLSearchParams(query) });
  draw();
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
    // The pill says that the connection is gone.
  }
}

async function refresh() {
  await Promise.all([readServer(), shown.part.refresh?.(page)]);
  schedule();
}

const CONNECTIONS = {
  connecting: ["○", "connecting …", ""],
  live: ["●", "live", "good"],
  lost: ["✕", "disconnected, trying again …", "bad"],
  stopping: ["✕", "the server stops", "bad"],
};

function drawConnection() {
  const [sign, words, kind] = CONNECTIONS[page.connection];
  const pill = document.getElementById("connection");
  pill.className = `pill ${kind}`;
  fill(pill, h("span", { "aria-hidden": "true" }, sign), " ", words);
  document.body.classList.toggle("stale", page.connection !== "live" && page.connection !== "connecting");
}

const dialog = document.getElementById("unlock");
const lockButton = document.getElementById("lock");

function drawLock() {
  const changes = page.server?.changes;
  lockButton.hidden = changes !== "token";
  fill(lockButton, page.mayChange() ? "Lock" : "Unlock", h("span.wide-only", null, " changes"));
}

lockButton.onclick = () => {
  if (!page.mayChange()) return dialog.showModal();
  lock();
  page.server.may_change = false;
  say("Changes are locked.");
  schedule();
};

document.getElementById("unlock-cancel").onclick = () => dialog.close();

document.getElementById("unlock-form").onsubmit = async (event) => {
  event.preventDefault();
  const input = document.getElementById("token");
  const wrong = document.getElementById("token-wrong");
  wrong.textContent = "";
  try {
    page.server = await unlock(input.value.trim());
    input.value = "";
    dialog.close();
    say("Changes are unlocked.");
    schedule();
  } catch (error) {
    wrong.textContent = error.message;
    input.select();
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
    // Where nothing may be stored, the choice lasts as long as the window.
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
// Ages go on between two readings.
setInterval(() => {
  if (!document.hidden) schedule();
}, 1000);

live.watch({
  happened(name, data) {
    timeline.happened(name, data);
    if (name === "transition") say(`${data.check} is ${data.to}: ${data.why}`);
    refresh();
  },
  connection(how) {
    page.connection = how;
    schedule();
  },
  missed: refresh,
});
