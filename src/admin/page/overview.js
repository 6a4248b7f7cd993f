// The server at a glance: what is wrong, what is steered, what happened last.

import { get } from "./api.js";
import { table as checksTable } from "./checks.js";
import { h } from "./dom.js";
import { clock, count, since, span, time } from "./format.js";
import { list as overridesList } from "./overrides.js";
import { list as transitionsList } from "./timeline.js";

/** More unhealthy checks than this are a list of their own. */
const NAMED = 10;
const LATEST = 8;

let unhealthy = null;
let transitions = null;

export async function refresh() {
  [unhealthy, transitions] = await Promise.all([
    get("v1/health", { state: "unhealthy", limit: NAMED }),
    get("v1/transitions", { limit: LATEST }),
  ]).catch(() => [unhealthy, transitions]);
}

export function enter(page) {
  refresh().then(page.draw);
}

export function render(page) {
  const { server } = page;
  if (!server) return h("p.quiet", null, page.connection === "lost" ? "The server cannot be reached." : "Reading …");
  return [
    h("h1.hidden", null, "Overview"),
    faults(server),
    connectivity(unhealthy?.connectivity),
    figures(server),
    h("section", { "aria-labelledby": "o-unhealthy" },
      h("h2", { id: "o-unhealthy" }, "Unhealthy now"),
      unhealthyChecks(server)),
    h("section", { "aria-labelledby": "o-overrides" },
      h("h2", { id: "o-overrides" }, "Overridden"),
      overridesList(page, unhealthy?.overrides ?? [], unhealthy ? "No health check is overridden." : "Reading …")),
    returning(unhealthy?.returning ?? []),
    h("section", { "aria-labelledby": "o-transitions" },
      h("h2", { id: "o-transitions" }, "Last transitions"),
      transitionsList(transitions?.transitions ?? [], transitions ? "Nothing has changed yet." : "Reading …"),
      h("p.more", null, h("a", { href: "#/timeline" }, "Time line"))),
    serverFacts(server),
  ];
}

function faults({ last_load: load }) {
  if (!load.errors && !load.refused && !load.frozen.length && !load.deferred.length && !load.needs_restart.length) return null;
  const lines = [
    load.refused && `Nothing was reloaded at ${clock(load.at)}; everything is served as before.`,
    ...load.frozen.map((path) => `${path} is broken: its last good version is served.`),
    ...load.left_out.map((path) => `${path} is not served.`),
    ...load.deferred.map(({ file, reason }) => `${file} is not taken yet: ${reason}.`),
    ...load.unavailable.map(({ file, zone }) => `${file} is broken and no usable copy of it is kept${zone ? `: every query for ${zone} is answered with SERVFAIL` : ""}.`),
    ...load.needs_restart.map((setting) => `${setting} has changed: that needs a restart.`),
  ].filter(Boolean);
  return h("section.alarm", { "aria-labelledby": "o-faults" },
    h("h2", { id: "o-faults" }, h("span", { "aria-hidden": "true" }, "⚠ "), "Errors in the files"),
    lines.map((line) => h("p", null, line)),
    (load.refused || load.faults.length > 0) &&
      h("details", null, h("summary", null, "What is wrong"),
        h("pre", { tabindex: "0" }, load.faults.map(inOneLine).join("\n") || load.refused)));
}

/** As editors know it: `file:line:column: error: message`. The line itself is in the log. */
function inOneLine({ severity, path, line, column, message, hint }) {
  const place = line ? `${path}:${line}:${column}` : path;
  return `${place}: ${severity}: ${message}${hint ? `\n  hint: ${hint}` : ""}`;
}

/** All sentinels are unhealthy: the server is isolated, and the status of other checks does not change. */
function connectivity(known) {
  if (!known?.isolated_since) return null;
  return h("section.alarm", { "aria-labelledby": "o-connectivity" },
    h("h2", { id: "o-connectivity" }, h("span", { "aria-hidden": "true" }, "⚠ "), "This server is isolated"),
    h("p", null, "Since ", time(known.isolated_since), ` (${since(known.isolated_since)}): all sentinels are unhealthy (${known.sentinels.join(", ")}). Results of other checks are ignored until one of them recovers.`));
}

/** Records that recovered and have not all of their share yet. */
function returning(records) {
  if (!records.length) return null;
  return h("section", { "aria-labelledby": "o-returning" },
    h("h2", { id: "o-returning" }, "Coming back"),
    h("ul.timeline", null, records.slice(0, NAMED).map((one) => h("li", { key: one.record },
      h("div.words", null, h("code", null, one.record)),
      h("div", null, one.stage === "failback_delay" ? "waits for its failback" : `has ${one.share_percent} % of its weight`, h("span.quiet", null, `, until ${clock(one.until)}`))))),
    records.length > NAMED && h("p.more.quiet", null, `and ${count(records.length - NAMED, "more record")}`));
}

function figures({ checks, zones, records, ready, started }) {
  const good = checks.all - checks.unhealthy;
  return h("dl.figures", { "aria-label": "Figures" },
    figure("Answers", ready ? "yes" : "not yet", ready ? `for ${since(started)}` : "", ready ? "" : "warn"),
    figure("Zones", zones.toLocaleString("en-GB"), count(records, "record set"), "", "#/zones"),
    figure("Healthy", `${good.toLocaleString("en-GB")}`, `of ${count(checks.all, "check")}`, "", "#/checks"),
    figure("Unhealthy", checks.unhealthy.toLocaleString("en-GB"),
      checks.unhealthy ? "see below" : "all is well", checks.unhealthy ? "bad" : "good", "#/checks?state=unhealthy"),
    figure("Overridden", checks.overridden.toLocaleString("en-GB"), "by overrides", checks.overridden ? "warn" : "", "#/overrides"));
}

function figure(name, value, more, kind = "", href = null) {
  return h("div.figure", { class: kind }, h("dt", null, href ? h("a", { href }, name) : name), h("dd", null, value), h("dd.quiet", null, more));
}

function unhealthyChecks({ checks }) {
  if (!unhealthy) return h("p.quiet", null, "Reading …");
  if (!unhealthy.checks.length) return h("p.quiet", null, checks.all ? "No check is unhealthy." : "There are no health checks.");
  const more = unhealthy.matching - unhealthy.checks.length;
  return [
    checksTable(unhealthy.checks),
    more > 0 && h("p.more", null, h("a", { href: "#/checks?state=unhealthy" }, `${count(more, "more unhealthy check")}`)),
  ];
}

function serverFacts(server) {
  const { longest_failover: longest } = server;
  return h("section", { "aria-labelledby": "o-server" },
    h("h2", { id: "o-server" }, "Server"),
    h("dl.facts", null,
      fact("Version", server.version),
      fact("Running since", time(server.started), ` (${since(server.started)})`),
      fact("Answers on", server.listening.length ? server.listening.join(", ") : "nothing yet", server.listening.length ? " over UDP and TCP" : ""),
      fact("Files read", time(server.last_load.at), server.last_load.errors ? `, ${count(server.last_load.errors, "error")}` : ", without errors"),
      longest && fact("Longest failover", span(longest.seconds * 1000), " for ", h("a", { href: `#/checks/${encodeURIComponent(longest.check)}` }, longest.check),
        ", plus the TTL that resolvers keep an answer for"),
      fact("Changes", { programs: "read-only here; by commands on this machine. [admin] token_file in the settings opens them here.",
        token: "with the admin token", none: "refused: reachable from other machines without [admin] token_file" }[server.changes])));
}

function fact(name, ...values) {
  return h("div", null, h("dt", null, name), h("dd", null, values));
}
