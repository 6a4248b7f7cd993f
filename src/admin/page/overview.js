// The server at a glance: errors, unhealthy checks, overrides and the last transitions.

import { get } from "./api.js";
import { table as checksTable } from "./checks.js";
import { h } from "./dom.js";
import { clock, count, duration, since, time } from "./format.js";
import { list as overridesList } from "./overrides.js";
import { list as transitionsList } from "./timeline.js";

/** Unhealthy checks and recovering records that are listed here. */
const MOST_LISTED = 10;
const LATEST = 8;

let unhealthy = null;
let transitions = null;

export async function refresh() {
  [unhealthy, transitions] = await Promise.all([
    get("v1/health", { state: "unhealthy", limit: MOST_LISTED }),
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
    fileErrors(server),
    isolation(unhealthy?.connectivity),
    server.cluster?.connected === false && nodes(server.cluster),
    counters(server),
    unhealthyChecks(server),
    overridden(page),
    recovering(unhealthy?.recovering ?? []),
    h("section", { "aria-labelledby": "o-transitions" },
      h("h2", { id: "o-transitions" }, "Last transitions"),
      transitionsList(transitions?.transitions ?? [], transitions ? "No transition yet." : "Reading …"),
      transitions?.transitions.length > 0 && h("p.more", null, h("a", { href: "#/timeline" }, "All transitions"))),
    server.cluster?.connected && nodes(server.cluster),
    serverFacts(server),
  ];
}

function fileErrors({ last_load: load }) {
  if (!load.errors && !load.refused && !load.frozen.length && !load.deferred.length && !load.needs_restart.length) return null;
  const isBroken = load.errors || load.refused || load.frozen.length > 0;
  const lines = [
    load.refused && `The reload at ${clock(load.at)} was rejected; the previous configuration is still served.`,
    ...load.frozen.map((path) => `${path} is broken: its last good copy is served.`),
    ...load.left_out.map((path) => `${path} is not served.`),
    ...load.deferred.map(({ file, reason }) => `${file} is deferred: ${reason}.`),
    ...load.unavailable.map(({ file, zone }) => `${file} is broken and has no last good copy${zone ? `: queries for ${zone} get SERVFAIL` : ""}.`),
    ...load.needs_restart.map((setting) => `${setting} has changed: restart the server to apply it.`),
  ].filter(Boolean);
  return h("section.alarm", { "aria-labelledby": "o-diagnostics" },
    h("h2", { id: "o-diagnostics" }, h("span", { "aria-hidden": "true" }, "⚠ "), isBroken ? "Errors in the files" : "Changes that are not applied yet"),
    lines.map((line) => h("p", null, line)),
    (load.refused || load.diagnostics.length > 0) &&
      h("details", null, h("summary", null, "Show the errors"),
        h("pre", { tabindex: "0" }, load.diagnostics.map(inOneLine).join("\n") || load.refused)));
}

/** The format that editors recognise: `file:line:column: error: message`. */
function inOneLine({ severity, path, line, column, message, hint }) {
  const place = line ? `${path}:${line}:${column}` : path;
  return `${place}: ${severity}: ${message}${hint ? `\n  hint: ${hint}` : ""}`;
}

/**
 * All sentinels are unhealthy: the server is isolated, and the status of other checks does not
 * change.
 */
function isolation(connectivity) {
  if (!connectivity?.isolated_since) return null;
  return h("section.alarm", { "aria-labelledby": "o-connectivity" },
    h("h2", { id: "o-connectivity" }, h("span", { "aria-hidden": "true" }, "⚠ "), "This server is isolated"),
    h("p", null, "Since ", time(connectivity.isolated_since), ` (${since(connectivity.isolated_since)}): all sentinels are unhealthy (${connectivity.sentinels.join(", ")}). Results of other checks are ignored until one of them recovers.`));
}

/** The nodes of the cluster. */
function nodes({ connected, reason, not_registered: refused, node: own, nodes: rows }) {
  const isGood = connected && !refused;
  return h(isGood ? "section" : "section.alarm", { "aria-labelledby": "o-nodes" },
    h("h2", { id: "o-nodes" }, !isGood && h("span", { "aria-hidden": "true" }, "⚠ "),
      connected ? refused ? "The other nodes do not count this one" : "Nodes" : "etcd is not reached"),
    connected && refused && h("p", null, `${refused}.`),
    !connected && h("p", null, `Answers go on as last changed; changes are refused${reason ? `: ${reason}` : ""}. The nodes as last known:`),
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Nodes" },
      h("table.stack", null,
        h("thead", null, h("tr", null, ["Node", "Region", "Addresses", "Version", "Running since", "Changes"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", null, rows.map((node) => h("tr", { key: node.name },
          h("th", { scope: "row" }, node.name, node.name === own && h("span.quiet", null, " (this node)")),
          h("td", { "data-label": "Region" }, node.region ?? "–"),
          h("td", { "data-label": "Addresses" }, node.addresses.join(", ") || "–"),
          h("td", { "data-label": "Version" }, node.version),
          h("td", { "data-label": "Running since" }, time(node.started)),
          h("td.words", { "data-label": "Changes" }, node.behind ? "is behind" : "has every change",
            node.differing_settings.length > 0 && h("span.note", null, ` settings differ: ${node.differing_settings.join(", ")}`))))))));
}

/** Records that recovered and do not have their full share yet. */
function recovering(records) {
  if (!records.length) return null;
  return h("section", { "aria-labelledby": "o-recovering" },
    h("h2", { id: "o-recovering" }, "Recovering records"),
    h("ul.timeline", null, records.slice(0, MOST_LISTED).map((one) => h("li", { key: one.record },
      h("div.words", null, h("code", null, one.record)),
      h("div", null, one.stage === "failback_delay" ? "waits for its failback delay" : `has ${one.share_percent} % of its weight`, h("span.quiet", null, `, until ${clock(one.until)}`))))),
    records.length > MOST_LISTED && h("p.more.quiet", null, `and ${count(records.length - MOST_LISTED, "more record")}`));
}

function counters({ checks, zones, records, ready, started }) {
    return h("dl.counters", { "aria-label": "Counters" },
    counter("Server", ready ? "ready" : "starting", ready ? `for ${since(started)}` : "no answers yet", ready ? "good" : "warn"),
    counter("Zones", zones.toLocaleString("en-GB"), count(records, "record set"), "", "#/zones"),
    counter("Healthy", (checks.all - checks.unhealthy).toLocaleString("en-GB"), `of ${count(checks.all, "health check")}`, "", "#/checks"),
    counter("Unhealthy", checks.unhealthy.toLocaleString("en-GB"),
      checks.pending ? `${checks.pending} without a result` : `of ${count(checks.all, "health check")}`, checks.unhealthy ? "bad" : "good", "#/checks?state=unhealthy"),
    counter("Overridden", checks.overridden.toLocaleString("en-GB"), "health checks", checks.overridden ? "warn" : "", "#/overrides"));
}

function counter(name, value, more, kind = "", href = null) {
  return h("div.counter", { class: kind }, h("dt", null, href ? h("a", { href }, name) : name), h("dd", null, value), h("dd.quiet", null, more));
}

/** The unhealthy checks, or one line that says that there are none. */
function unhealthyChecks({ checks }) {
  if (!unhealthy) return h("p.quiet", null, "Reading …");
  if (!unhealthy.checks.length) {
    return checks.all ? h("p.calm", null, h("span", { "aria-hidden": "true" }, "✓ "), checks.pending ? "No health check is unhealthy." : "All health checks are healthy.")
      : h("p.quiet.calm-none", null, "There are no health checks.");
  }
  const more = unhealthy.matching - unhealthy.checks.length;
  return h("section", { "aria-labelledby": "o-unhealthy" },
    h("h2", { id: "o-unhealthy" }, "Unhealthy"),
    checksTable(unhealthy.checks),
    more > 0 && h("p.more", null, h("a", { href: "#/checks?state=unhealthy" }, count(more, "more unhealthy health check"))));
}

function overridden(page) {
  if (!unhealthy?.overrides.length) return null;
  return h("section", { "aria-labelledby": "o-overrides" }, h("h2", { id: "o-overrides" }, "Overrides"), overridesList(page, unhealthy.overrides));
}

function serverFacts(server) {
  const { longest_failover: longest } = server;
  return h("section", { "aria-labelledby": "o-server" },
    h("h2", { id: "o-server" }, "Server"),
    h("dl.facts", null,
      fact("Version", server.version),
      fact("Running since", time(server.started), ` (${since(server.started)})`),
      fact("DNS", server.listening.length ? server.listening.join(", ") : "not yet", server.listening.length ? " over UDP and TCP" : ""),
      fact("Configuration", "read at ", time(server.last_load.at), server.last_load.errors ? `, ${count(server.last_load.errors, "error")}` : ", without errors"),
      longest && fact("Longest failover", duration(longest.seconds * 1000), " for ", h("a", { href: `#/checks/${encodeURIComponent(longest.check)}` }, longest.check),
        ", plus the TTL of the answer in resolvers' caches"),
      fact("Changes", { programs: "by commands on this machine; this page needs an admin token ([admin] token_file)",
        token: "with the admin token", none: "rejected: the admin side listens beyond loopback and has no token ([admin] token_file)" }[server.changes])));
}

function fact(name, ...values) {
  return h("div", null, h("dt", null, name), h("dd", null, values));
}
