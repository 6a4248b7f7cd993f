// What changed, over all checks: the transitions that the server remembers, and what people and files did since the page is open.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, count, serverNow, since, span, time } from "./format.js";

const MOST = 200;
/** Overrides and reloads are kept by this page alone, as long as it is open. */
const KEPT = 100;

let answer = null;
let kind = "";
const seen = [];

export async function refresh() {
  answer = await get("v1/transitions", { limit: MOST }).catch(() => answer);
}

export function enter(page) {
  refresh().then(page.draw);
}

/** Events come here whatever is shown. */
export function happened(name, data) {
  if (name === "transition") return;
  seen.unshift({ name, ...data });
  seen.length = Math.min(seen.length, KEPT);
}

export function render() {
  const transitions = answer?.transitions ?? [];
  const entries = [...transitions.map((one) => ({ name: "transition", ...one })), ...seen]
    .filter((entry) => !kind || entry.name === kind)
    .sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
  return [
    h("h1", null, "Time line"),
    strip(transitions),
    h("form.filter", { onsubmit: (event) => event.preventDefault(), "aria-label": "What to show" },
      h("label", null, "Show ", h("select", { value: kind, onchange: (event) => { kind = event.target.value; } },
        [["", "everything"], ["transition", "transitions"], ["override", "overrides"], ["reload", "reloads"]]
          .map(([value, text]) => h("option", { value, selected: value === kind }, text))))),
    !answer ? h("p.quiet", null, "Reading …") : list(entries, "Nothing has changed yet."),
    h("p.footnote", null, `The last ${MOST} transitions that the server remembers, across restarts too. Overrides and reloads since this page is open.`),
  ];
}

const WIDTH = 1000;
const SPANS = [["10 minutes", 600e3], ["hour", 3600e3], ["6 hours", 6 * 3600e3], ["day", 24 * 3600e3], ["week", 7 * 24 * 3600e3], ["30 days", 30 * 24 * 3600e3]];

/** A picture of when: downwards for what turned unhealthy, upwards for what turned healthy. */
function strip(transitions) {
  if (!transitions.length) return null;
  const now = serverNow();
  const oldest = Math.min(...transitions.map((one) => Date.parse(one.at)));
  const [name, range] = SPANS.find(([, range]) => now - oldest <= range) ?? SPANS.at(-1);
  const shown = transitions.filter((one) => now - Date.parse(one.at) <= range);
  const down = shown.filter((one) => one.to === "unhealthy").length;
  const words = `The last ${name}: ${count(down, "turn")} to unhealthy, ${count(shown.length - down, "turn")} to healthy`;
  return h("figure.strip", null,
    h("svg", { viewBox: `0 0 ${WIDTH} 60`, preserveAspectRatio: "none", role: "img", "aria-label": words },
      h("line.axis", { x1: 0, x2: WIDTH, y1: 30, y2: 30 }),
      shown.map((one) => {
        const x = WIDTH * (1 - (now - Date.parse(one.at)) / range);
        return h("line", { key: `${one.at}${one.check}`, class: one.to, x1: x, x2: x, y1: 30, y2: one.to === "healthy" ? 6 : 54 });
      })),
    h("figcaption.quiet", null, h("span", null, `${span(range)} ago`), h("span", null, words), h("span", null, "now")));
}

/** Entries, newest first. */
export function list(entries, nothing, { named = true } = {}) {
  if (!entries.length) return h("p.quiet", null, nothing);
  return h("ol.timeline", null, entries.map((entry) => h("li", { key: `${entry.at}|${entry.name ?? ""}|${entry.check ?? ""}|${entry.to ?? entry.did ?? ""}` },
    h("div.when", null, time(entry.at), h("span.quiet", null, `${since(entry.at)} ago`)),
    h("div.what", null, what(entry, named)))));
}

function what(entry, named) {
  switch (entry.name) {
    case "override": {
      const { did, override: one } = entry;
      return [h("span.badge.people", null, h("span", { "aria-hidden": "true" }, "◆"), " override"), " ",
        h("strong", null, one.pattern), ` ${one.action}: ${did} (by ${one.author})`, one.reason && h("div.quiet.words", null, one.reason)];
    }
    case "connectivity":
      return [h("span.badge.people", null, h("span", { "aria-hidden": "true" }, "⇅"), " connectivity"), " ", h("span.words", null, entry.words ?? "")];
    case "drain":
      return [h("span.badge.people", null, h("span", { "aria-hidden": "true" }, "↘"), " drain"), " ", h("span.words", null, entry.words ?? "")];
    case "reload":
      return entry.refused
        ? [h("span.badge.unhealthy", null, h("span", { "aria-hidden": "true" }, "✕"), " not reloaded"), h("pre", null, entry.refused)]
        : [h("span.badge.files", null, h("span", { "aria-hidden": "true" }, "⟳"), " reloaded"), " ",
          h("span.words", null, entry.changes.join(", ") || "no change", entry.errors ? `; ${count(entry.errors, "error")} in the files` : "")];
    default:
      return [badge(entry.to), " ", named && h("a", { href: `#/checks/${encodeURIComponent(entry.check)}` }, entry.check),
        h("div.quiet.words", null, entry.why)];
  }
}
