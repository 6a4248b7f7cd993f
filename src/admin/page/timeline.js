// The timeline: transitions of all checks, and the other events, also from before a restart.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, count, duration, serverNow, since, time } from "./format.js";

const MOST = 200;
/** At most this many other events. */
const MOST_EVENTS = 100;

/** Of one change. */
const MOST_PARTS = 5;
const MOST_CHARACTERS = 200;

let answer = null;
let kind = "";
let events = [];

export async function refresh() {
  answer = await get("v1/transitions", { limit: MOST }).catch(() => answer);
  const history = await get("v1/history", { limit: MOST }).catch(() => null);
  if (history) events = history.events.filter(({ name }) => name !== "transition").map(({ name, event }) => ({ name, ...event }));
}

export function enter(page) {
  refresh().then(page.draw);
}

/** Gets every event, whichever view is shown. */
export function onEvent(name, data) {
  if (name === "transition") return;
  events.unshift({ name, ...data });
  events.length = Math.min(events.length, MOST_EVENTS);
}

export function render() {
  const transitions = answer?.transitions ?? [];
  const entries = [...transitions.map((one) => ({ name: "transition", ...one })), ...events]
    .filter((entry) => !kind || entry.name === kind)
    .sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
  return [
    h("h1", null, "Timeline"),
    strip(transitions),
    h("form.filter", { onsubmit: (event) => event.preventDefault(), "aria-label": "Filter" },
      h("label", null, "Show ", h("select", { value: kind, onchange: (event) => { kind = event.target.value; } },
        [["", "everything"], ["transition", "transitions"], ["override", "overrides"], ["reload", "reloads"], ["change", "changes"]]
          .map(([value, text]) => h("option", { value, selected: value === kind }, text))))),
    !answer ? h("p.quiet", null, "Reading …") : list(entries, "No events yet."),
    h("p.footnote", null, `The last ${MOST} transitions and other events, also from before a restart. Older ones: fiftythree history.`),
  ];
}

const WIDTH = 1000;
const RANGES = [["10 minutes", 600e3], ["hour", 3600e3], ["6 hours", 6 * 3600e3], ["day", 24 * 3600e3], ["week", 7 * 24 * 3600e3], ["30 days", 30 * 24 * 3600e3]];

/** Transitions over time: a line downwards for each to unhealthy, upwards for each to healthy. */
function strip(transitions) {
  if (!transitions.length) return null;
  const now = serverNow();
  const oldest = Math.min(...transitions.map((one) => Date.parse(one.at)));
  const [name, range] = RANGES.find(([, range]) => now - oldest <= range) ?? RANGES.at(-1);
  const shown = transitions.filter((one) => now - Date.parse(one.at) <= range);
  const down = shown.filter((one) => one.to === "unhealthy").length;
  const summary = `The last ${name}: ${count(down, "transition")} to unhealthy, ${shown.length - down} to healthy`;
  return h("figure.strip", null,
    h("svg", { viewBox: `0 0 ${WIDTH} 60`, preserveAspectRatio: "none", role: "img", "aria-label": summary },
      h("line.axis", { x1: 0, x2: WIDTH, y1: 30, y2: 30 }),
      shown.map((one) => {
        const x = WIDTH * (1 - (now - Date.parse(one.at)) / range);
        return h("line", { key: `${one.at}${one.check}`, class: one.to, x1: x, x2: x, y1: 30, y2: one.to === "healthy" ? 6 : 54 });
      })),
    h("figcaption.quiet", null, h("span", null, `${duration(range)} ago`), h("span", null, summary), h("span", null, "now")));
}

/** Entries, newest first. */
export function list(entries, empty, { named = true } = {}) {
  if (!entries.length) return h("p.quiet", null, empty);
  return h("ol.timeline", null, entries.map((entry) => h("li", { key: `${entry.at}|${entry.name ?? ""}|${entry.check ?? ""}|${entry.to ?? entry.change ?? ""}|${entry.object ?? ""}|${entry.change_id ?? ""}` },
    h("div.when", null, time(entry.at), h("span.quiet", null, `${since(entry.at)} ago`)),
    h("div.what", null, describe(entry, named)))));
}

/** A record set before and after. */
function part({ change, what, before, after }) {
  const texts = [before && `before: ${short(before)}`, after && `after: ${short(after)}`].filter(Boolean);
  return h("li", { key: `${change} ${what}` }, `${change} ${what}`, texts.map((text) => h("div.quiet.words", { key: text }, text)));
}

/** A text on one line. */
function short(text) {
  const line = text.trim().split("\n").filter((one) => !one.startsWith("[[")).join(", ");
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}

function describe(entry, named) {
  switch (entry.name) {
    case "override": {
      const { change, override: one } = entry;
      return [h("span.badge.override", null, h("span", { "aria-hidden": "true" }, "◆"), " override"), " ",
        h("strong", null, one.pattern), ` ${one.action}: ${change} (by ${one.author}${one.node ? ` on node ${one.node}` : ""})`, one.reason && h("div.quiet.words", null, one.reason)];
    }
    case "connectivity":
      return [h("span.badge.override", null, h("span", { "aria-hidden": "true" }, "⇅"), " connectivity"), " ", h("span.words", null, entry.text ?? "")];
    case "drain":
      return [h("span.badge.override", null, h("span", { "aria-hidden": "true" }, "↘"), " drain"), " ", h("span.words", null, entry.text ?? "")];
    case "change":
      return [h("span.badge.neutral", null, h("span", { "aria-hidden": "true" }, "✎"), " change"), " ",
        h("strong", null, entry.object), ` ${entry.operation} by ${entry.author}`, entry.comment && h("div.quiet.words", null, entry.comment),
        h("ul", null, entry.parts.slice(0, MOST_PARTS).map(part)),
        entry.parts.length + entry.more > MOST_PARTS && h("div.quiet", null, `and ${count(entry.parts.length + entry.more - MOST_PARTS, "more change")}`)];
    case "reload":
      return entry.refused
        ? [h("span.badge.unhealthy", null, h("span", { "aria-hidden": "true" }, "✕"), " reload rejected"), h("pre", null, entry.refused)]
        : [h("span.badge.neutral", null, h("span", { "aria-hidden": "true" }, "⟳"), " reloaded"), " ",
          h("span.words", null, entry.changes.join(", ") || "no change", entry.errors ? `; ${count(entry.errors, "error")} in the files` : "")];
    default:
      return [badge(entry.to), " ", named && h("a", { href: `#/checks/${encodeURIComponent(entry.check)}` }, entry.check),
        h("div.quiet.words", null, entry.why)];
  }
}
