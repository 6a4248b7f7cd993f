// Health checks: a searchable list, and the details of one check.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, clock, count, duration, milliseconds, serverNow, since, time } from "./format.js";
import { list as transitionsList } from "./timeline.js";

/** Checks per request. */
const PAGE = 50;
/** Pause in typing after which the list is read. */
const TYPING_MS = 200;

let listing = null;
let query = { q: "", state: "", offset: 0 };
let name = null;
let detail = null;
let error = null;
let typing = 0;

export function enter(page, { rest, parameters }) {
  name = rest[0] ?? null;
  detail = null;
  if (!name) {
    const state = parameters.get("state") ?? "";
    query = { q: parameters.get("q") ?? query.q, state: state || (parameters.has("q") ? "" : state), offset: 0 };
  }
  reload(page);
}

export async function refresh() {
  try {
    if (name) detail = await get("v1/health", { name, history: 1 });
    else listing = await get("v1/health", { ...query, limit: PAGE });
    error = null;
  } catch (failure) {
    error = failure.message;
  }
}

async function reload(page) {
  await refresh();
  page.draw();
}

export function render(page) {
  return name ? details() : all(page);
}

function all(page) {
  return [
    h("h1", null, "Health checks"),
    h("form.filter", { role: "search", "aria-label": "Find health checks", onsubmit: (event) => event.preventDefault() },
      h("label", null, "Name ", h("input", { type: "search", value: query.q, placeholder: "part of a name", spellcheck: "false",
        oninput: (event) => change(page, { q: event.target.value }, TYPING_MS) })),
      h("label", null, "Status ", h("select", { value: query.state, onchange: (event) => change(page, { state: event.target.value }, 0) },
        [["", "all"], ["unhealthy", "unhealthy"], ["healthy", "healthy"], ["overridden", "overridden"], ["pending", "no result yet"]]
          .map(([value, text]) => h("option", { value, selected: value === query.state }, text))))),
    error && h("p.error", { role: "alert" }, error),
    listing && [
      h("p.quiet", { role: "status" }, matching()),
      listing.checks.length > 0 && table(listing.checks),
      pager(page),
    ],
  ];
}

function change(page, part, delay) {
  query = { ...query, offset: 0, ...part };
  clearTimeout(typing);
  typing = setTimeout(() => reload(page), delay);
}

function matching() {
  const { counts, matching: total } = listing;
  if (!counts.all) return "There are no health checks.";
  return total === counts.all ? count(total, "health check") : `${total.toLocaleString("en-GB")} of ${count(counts.all, "health check")}`;
}

function pager(page) {
  const { offset } = query;
  if (listing.matching <= PAGE) return null;
  const to = Math.min(offset + PAGE, listing.matching);
  const go = (next) => () => change(page, { offset: next }, 0);
  return h("nav.pager", { "aria-label": "Pages of the list" },
    h("button.quiet", { type: "button", disabled: offset === 0, onclick: go(Math.max(0, offset - PAGE)) }, "Previous"),
    h("span", null, `${offset + 1} – ${to} of ${listing.matching.toLocaleString("en-GB")}`),
    h("button.quiet", { type: "button", disabled: to >= listing.matching, onclick: go(offset + PAGE) }, "Next"));
}

export const statusOf = (check) => (check.pending && check.status === "healthy" && !check.overridden ? "pending" : check.status);

export function table(checks) {
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Health checks" },
    h("table.stack.numbers-last", null,
      h("thead", null, h("tr", null, ["Health check", "Status", "Since", "Last result", "Latency"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, checks.map(row))));
}

function row(check) {
  const { last_result: last } = check;
  return h("tr", { key: check.name },
    h("th", { scope: "row" }, link(check.name), h("div.quiet.clip", { title: check.endpoint }, check.endpoint)),
    h("td", { "data-label": "Status" }, badge(statusOf(check)), overrideNote(check)),
    h("td.nowrap", { "data-label": "Since" }, check.pending ? "–" : since(check.since)),
    h("td.words", { "data-label": "Last result" }, lastResult(check)),
    h("td.number", { "data-label": "Latency" }, last ? milliseconds(last.total_ms) : "–"));
}

/** The last result; for a check without probes, what sets its status. */
function lastResult({ last_result: last, type, endpoint }) {
  if (last) return last.status;
  return { calculated: endpoint, manual: "set in its file" }[type] ?? "–";
}

export function link(check) {
  return h("a", { href: `#/checks/${encodeURIComponent(check)}` }, check);
}

const OVERRIDDEN = { up: "overridden to up", down: "overridden to down", drain: "draining" };

function overrideNote({ overridden, status, without_overrides: without }) {
  if (!overridden) return null;
  const otherwise = without === status ? "" : `, otherwise ${without}`;
  return h("span.note", { title: overridden.reason }, ` ${OVERRIDDEN[overridden.action] ?? overridden.action} by ${overridden.author}${otherwise}`);
}

function details() {
  const back = h("p.back", null, h("a", { href: "#/checks" }, "← All health checks"));
  if (error) return [back, h("p.error", { role: "alert" }, error)];
  if (!detail) return [back, h("h1", null, name), h("p.quiet", null, "Reading …")];
  const check = detail.checks.find((known) => known.name === name);
  if (!check) return [back, h("h1", null, name), h("p.error", { role: "alert" }, "There is no health check with this name.")];
  return [
    back,
    h("h1", null, check.name, " ", badge(statusOf(check))),
    facts(check),
    opinions(check),
    h("section", { "aria-labelledby": "c-latency" }, h("h2", { id: "c-latency" }, "Latency"), plot(check)),
    h("section", { "aria-labelledby": "c-transitions" },
      h("h2", { id: "c-transitions" }, "Transitions"),
      transitionsList(check.transitions?.map((past) => ({ ...past, check: check.name })) ?? [], "No transition yet.", { named: false })),
    h("section", { "aria-labelledby": "c-results" }, h("h2", { id: "c-results" }, "Results"), results(check)),
    h("section", { "aria-labelledby": "c-records" }, h("h2", { id: "c-records" }, "Records that use this check"), records(check)),
  ];
}

function facts(check) {
  const { last_result: last, overridden } = check;
  const item = (term, ...values) => h("div", null, h("dt", null, term), h("dd", null, values));
  return h("dl.facts", null,
    item("Endpoint", check.endpoint, h("span.quiet", null, ` (${check.type}${check.inverted ? ", inverted" : ""}${check.disabled ? ", disabled" : ""})`)),
    item("Status", check.status, check.pending ? "" : [" since ", time(check.since), ` (${since(check.since)})`]),
    overridden && item("Override", `${OVERRIDDEN[overridden.action] ?? overridden.action} by ${overridden.author} since `, time(overridden.from), overridden.until ? [" until ", time(overridden.until)] : " until cleared",
      overridden.reason && `: ${overridden.reason}`, overridden.drain && `; ${overridden.drain.left_percent} % of the weight remains`, `. Without it: ${check.without_overrides}.`),
    last && item("Last result", last.status, h("span.quiet", null, " at ", time(last.at), last.restored ? ", before the server restarted" : "")),
    last && item("Duration", milliseconds(last.total_ms), h("span.quiet", null, steps(last))),
    check.agreement && item("Agreement", check.agreement.text),
    item("Next", next(check)));
}

/** What each node of the cluster says; nothing without a cluster. */
function opinions({ opinions: rows }) {
  if (!rows?.length) return null;
  return h("section", { "aria-labelledby": "c-opinions" },
    h("h2", { id: "c-opinions" }, "Opinions of the nodes"),
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Opinions of the nodes" },
      h("table.stack", null,
        h("thead", null, h("tr", null, ["Node", "Region", "Address", "Status", "Last result"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", null, rows.map((row) => h("tr", { key: row.node },
          h("th", { scope: "row" }, row.node, row.this_node && h("span.quiet", null, " (this node)")),
          h("td", { "data-label": "Region" }, row.region ?? "–"),
          h("td", { "data-label": "Address" }, row.address ?? "–"),
          h("td", { "data-label": "Status" }, badge(row.status), !row.counts && h("span.note", null, " does not count")),
          h("td.words", { "data-label": "Last result" }, row.reason || "–", h("span.quiet", null, ` ${since(row.checked)} ago`))))))));
}

function steps(last) {
  const parts = [["connect", last.connect_ms], ["TLS", last.tls_handshake_ms], ["first byte", last.first_byte_ms]]
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([step, value]) => `${step} ${milliseconds(value)}`);
  return parts.length ? ` (${parts.join(", ")})` : "";
}

function next(check) {
  const { next: upcoming } = check;
  if (check.disabled) return "no probe: the check is disabled";
  if (!upcoming) return { calculated: "changes when a child check changes", manual: "changes when its file changes" }[check.type] ?? "–";
  const wait = upcoming.probe_at ? Date.parse(upcoming.probe_at) - serverNow() : 0;
  const when = wait > 500 ? `next probe in ${duration(wait)}` : "next probe now";
  const kind = upcoming.passes ? ["pass", "passes"] : ["failure", "failures"];
  const override = check.overridden ? ", once the override has ended" : "";
  const verb = upcoming.results_needed === 1 ? "makes" : "make";
  const effect = upcoming.opinion_only ? `this node consider it ${upcoming.then}` : `it ${upcoming.then}`;
  return `${when}; ${count(upcoming.results_needed, ...kind)} in a row ${verb} ${effect}${override}, at ${clock(upcoming.earliest)} at the earliest`;
}

function results({ results: rows }) {
  if (!rows?.length) return h("p.quiet", null, "No results yet.");
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Table of results" },
    h("table.stack.numbers-last", null,
      h("thead", null, h("tr", null, ["Result", "Count", "First", "Last", "Slowest"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, rows.map((run) => h("tr", { key: run.first },
        h("th.words", { scope: "row" }, h(`span.sign.${run.passed ? "healthy" : "unhealthy"}`, { "aria-hidden": "true" }, run.passed ? "✓" : "✕"),
          h("span.hidden", null, run.passed ? "passed: " : "failed: "), " ", run.status),
        h("td", { "data-label": "Count" }, `${run.count.toLocaleString("en-GB")} ×`),
        h("td", { "data-label": "First" }, time(run.first)),
        h("td", { "data-label": "Last" }, time(run.last)),
        h("td.number", { "data-label": "Slowest" }, milliseconds(run.slowest_ms)))))));
}

function records({ records: names }) {
  if (!names.length) return h("p.quiet", null, "No record uses this check directly.");
  const shown = names.slice(0, 100);
  return [
    h("ul.plain", null, shown.map((record) => h("li", { key: record }, h("code", null, record)))),
    names.length > shown.length && h("p.quiet", null, `and ${count(names.length - shown.length, "more record")}`),
  ];
}

/** Probes in the plot; the server keeps this many. */
const COLUMNS = 60;

/**
 * One column per probe, its height is the latency. Failures also have a sign, not only a colour.
 */
function plot({ recent, type }) {
  if (!recent?.length) {
    return h("p.quiet", null, ["calculated", "manual"].includes(type) ? "This check sends no probes." : "No probe since the server started.");
  }
  const shown = recent.slice(-COLUMNS);
  const sorted = shown.map((sample) => sample.total_ms).sort((one, other) => one - other);
  const slowest = Math.max(sorted.at(-1), 0.001);
  const failures = shown.filter((sample) => !sample.passed).length;
  const summary = `The last ${count(shown.length, "probe")}: median ${milliseconds(sorted[Math.floor(sorted.length / 2)])}, ` +
    `slowest ${milliseconds(sorted.at(-1))}, ${failures ? count(failures, "failure") : "no failures"}`;
  const column = (sample) => h(`div.column.${sample.passed ? "pass" : "fail"}`,
    { key: sample.at, title: `${clock(sample.at)}: ${milliseconds(sample.total_ms)}${sample.passed ? "" : ", failed"}` },
    h("div.rod", { style: { height: `${Math.max(2, (sample.total_ms / slowest) * 100)}%` } }));
  return h("figure.plot", null,
    h("div.scale", { "aria-hidden": "true" }, milliseconds(slowest)),
    h("div.columns", { role: "img", "aria-label": summary },
      Array.from({ length: COLUMNS - shown.length }, (_, index) => h("div.column", { key: `empty ${index}` })),
      shown.map(column)),
    h("figcaption.quiet", null, h("span", null, clock(shown[0].at)), h("span", null, summary), h("span", null, clock(shown.at(-1).at))));
}
