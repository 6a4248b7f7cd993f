// Health checks: a list to search, and one check with all that is known of it.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, clock, count, milliseconds, serverNow, since, span, time } from "./format.js";
import { list as transitionsList } from "./timeline.js";

/** Checks at a time. */
const PAGE = 50;
/** After the last letter, until the server is asked. */
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
  } catch (refused) {
    error = refused.message;
  }
}

async function reload(page) {
  await refresh();
  page.draw();
}

export function render(page) {
  return name ? one(page) : all(page);
}

function all(page) {
  return [
    h("h1", null, "Health checks"),
    h("form.filter", { role: "search", "aria-label": "Find health checks", onsubmit: (event) => event.preventDefault() },
      h("label", null, "Name ", h("input", { type: "search", value: query.q, placeholder: "part of a name", spellcheck: "false",
        oninput: (event) => change(page, { q: event.target.value }, TYPING_MS) })),
      h("label", null, "State ", h("select", { value: query.state, onchange: (event) => change(page, { state: event.target.value }, 0) },
        [["", "all"], ["unhealthy", "unhealthy"], ["healthy", "healthy"], ["overridden", "overridden"], ["pending", "no result yet"]]
          .map(([value, text]) => h("option", { value, selected: value === query.state }, text))))),
    error && h("p.wrong", { role: "alert" }, error),
    listing && [
      h("p.quiet", { role: "status" }, matching()),
      listing.checks.length > 0 && table(listing.checks),
      pager(page),
    ],
  ];
}

function change(page, part, after) {
  query = { ...query, offset: 0, ...part };
  clearTimeout(typing);
  typing = setTimeout(() => reload(page), after);
}

function matching() {
  const { counts, matching: many } = listing;
  if (!counts.all) return "There are no health checks.";
  return many === counts.all ? count(many, "check") : `${many.toLocaleString("en-GB")} of ${count(counts.all, "check")}`;
}

function pager(page) {
  const { offset } = query;
  if (listing.matching <= PAGE) return null;
  const to = Math.min(offset + PAGE, listing.matching);
  const go = (next) => () => change(page, { offset: next }, 0);
  return h("nav.pager", { "aria-label": "Pages of the list" },
    h("button.quiet", { type: "button", disabled: offset === 0, onclick: go(Math.max(0, offset - PAGE)) }, "Before"),
    h("span", null, `${offset + 1} – ${to} of ${listing.matching.toLocaleString("en-GB")}`),
    h("button.quiet", { type: "button", disabled: to >= listing.matching, onclick: go(offset + PAGE) }, "After"));
}

export const stateOf = (check) => (check.pending && check.status === "healthy" && !check.overridden ? "pending" : check.status);

export function table(checks) {
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Health checks" },
    h("table.stack.figures-last", null,
      h("thead", null, h("tr", null, ["Check", "State", "Since", "Last result", "Latency"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, checks.map(row))));
}

function row(check) {
  const { last_result: last } = check;
  return h("tr", { key: check.name },
    h("th", { scope: "row" }, link(check.name), h("div.quiet.clip", { title: check.endpoint }, check.endpoint)),
    h("td", { "data-label": "State" }, badge(stateOf(check)), overrideNote(check)),
    h("td.nowrap", { "data-label": "Since" }, check.pending ? "–" : since(check.since)),
    h("td.words", { "data-label": "Last result" }, lastWords(check)),
    h("td.number", { "data-label": "Latency" }, last ? milliseconds(last.total_ms) : "–"));
}

/** What was seen last; of a check without results of its own, what decides instead. */
function lastWords({ last_result: last, type, endpoint }) {
  if (last) return last.status;
  return { calculated: endpoint, manual: "as its file says" }[type] ?? "–";
}

export function link(check) {
  return h("a", { href: `#/checks/${encodeURIComponent(check)}` }, check);
}

const OVERRIDDEN = { up: "overridden to up", down: "overridden to down", drain: "draining" };

function overrideNote({ overridden, status, without_overrides: without }) {
  if (!overridden) return null;
  const instead = without === status ? "" : `, else ${without}`;
  return h("span.note", { title: overridden.reason }, ` ${OVERRIDDEN[overridden.action] ?? overridden.action} by ${overridden.author}${instead}`);
}

function one() {
  const back = h("p.back", null, h("a", { href: "#/checks" }, "← All health checks"));
  if (error) return [back, h("p.wrong", { role: "alert" }, error)];
  if (!detail) return [back, h("h1", null, name), h("p.quiet", null, "Reading …")];
  const check = detail.checks.find((known) => known.name === name);
  if (!check) return [back, h("h1", null, name), h("p.wrong", { role: "alert" }, "There is no health check of this name.")];
  return [
    back,
    h("h1", null, check.name, " ", badge(stateOf(check))),
    facts(check),
    h("section", { "aria-labelledby": "c-latency" }, h("h2", { id: "c-latency" }, "Latency"), plot(check)),
    h("section", { "aria-labelledby": "c-transitions" },
      h("h2", { id: "c-transitions" }, "Transitions"),
      transitionsList(check.transitions?.map((past) => ({ ...past, check: check.name })) ?? [], "It has never changed.", { named: false })),
    h("section", { "aria-labelledby": "c-results" }, h("h2", { id: "c-results" }, "Results"), results(check)),
    h("section", { "aria-labelledby": "c-records" }, h("h2", { id: "c-records" }, "Records that use it"), records(check)),
  ];
}

function facts(check) {
  const { last_result: last, overridden } = check;
  const item = (term, ...values) => h("div", null, h("dt", null, term), h("dd", null, values));
  return h("dl.facts", null,
    item("Asks", check.endpoint, h("span.quiet", null, ` (${check.type}${check.inverted ? ", inverted" : ""}${check.disabled ? ", disabled" : ""})`)),
    item("State", check.status, check.pending ? "" : [" since ", time(check.since), ` (${since(check.since)})`]),
    overridden && item("Override", `${OVERRIDDEN[overridden.action] ?? overridden.action} by ${overridden.author} since `, time(overridden.from), overridden.until ? [" until ", time(overridden.until)] : " until cleared",
      overridden.reason && `: ${overridden.reason}`, overridden.drain && `; ${overridden.drain.left_percent} % of the weight is left`, `. Without it: ${check.without_overrides}.`),
    last && item("Last result", last.status, h("span.quiet", null, " at ", time(last.at), last.remembered ? ", before the restart" : "")),
    last && item("It took", milliseconds(last.total_ms), h("span.quiet", null, steps(last))),
    item("Next", next(check)));
}

function steps(last) {
  const parts = [["connect", last.connect_ms], ["TLS", last.tls_handshake_ms], ["first byte", last.first_byte_ms]]
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([step, value]) => `${step} ${milliseconds(value)}`);
  return parts.length ? ` (${parts.join(", ")})` : "";
}

function next(check) {
  const { next: coming } = check;
  if (check.disabled) return "nothing: it is disabled";
  if (!coming) return check.type === "calculated" ? "whenever one of its children changes" : check.type === "manual" ? "when its file says so" : "–";
  const wait = coming.probe_at ? Date.parse(coming.probe_at) - serverNow() : 0;
  const when = wait > 500 ? `asked again in ${span(wait)}` : "asked any moment";
  const kind = coming.passes ? ["pass", "passes"] : ["failure", "failures"];
  const override = check.overridden ? ", once the override is over" : "";
  return `${when}; ${count(coming.results_needed, ...kind)} in a row make it ${coming.then}${override}, at ${clock(coming.earliest)} at the earliest`;
}

function results({ results: rows }) {
  if (!rows?.length) return h("p.quiet", null, "There is no result yet.");
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Table of results" },
    h("table.stack.figures-last", null,
      h("thead", null, h("tr", null, ["What was seen", "How often", "From", "To", "Slowest"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, rows.map((run) => h("tr", { key: run.first },
        h("th.words", { scope: "row" }, h(`span.sign.${run.passed ? "healthy" : "unhealthy"}`, { "aria-hidden": "true" }, run.passed ? "✓" : "✕"),
          h("span.hidden", null, run.passed ? "passed: " : "failed: "), " ", run.status),
        h("td", { "data-label": "How often" }, `${run.count.toLocaleString("en-GB")} ×`),
        h("td", { "data-label": "From" }, time(run.first)),
        h("td", { "data-label": "To" }, time(run.last)),
        h("td.number", { "data-label": "Slowest" }, milliseconds(run.slowest_ms)))))));
}

function records({ records: names }) {
  if (!names.length) return h("p.quiet", null, "No record uses it by itself.");
  const some = names.slice(0, 100);
  return [
    h("ul.plain", null, some.map((record) => h("li", { key: record }, h("code", null, record)))),
    names.length > some.length && h("p.quiet", null, `and ${count(names.length - some.length, "more record")}`),
  ];
}

/** Probes in the plot, as many as the server keeps. */
const COLUMNS = 60;

/** The last probes: a column each, as high as it took; failures differ by sign, not by colour alone. */
function plot({ recent, type }) {
  if (!recent?.length) {
    return h("p.quiet", null, ["calculated", "manual"].includes(type) ? "It asks nobody." : "No probe has been seen since the server was started.");
  }
  const shown = recent.slice(-COLUMNS);
  const sorted = shown.map((sample) => sample.total_ms).sort((one, other) => one - other);
  const most = Math.max(sorted.at(-1), 0.001);
  const failures = shown.filter((sample) => !sample.passed).length;
  const words = `The last ${count(shown.length, "probe")}: median ${milliseconds(sorted[Math.floor(sorted.length / 2)])}, ` +
    `slowest ${milliseconds(sorted.at(-1))}, ${failures ? count(failures, "failure") : "no failure"}`;
  const column = (sample) => h(`div.column.${sample.passed ? "pass" : "fail"}`,
    { key: sample.at, title: `${clock(sample.at)}: ${milliseconds(sample.total_ms)}${sample.passed ? "" : ", failed"}` },
    h("div.rod", { style: { height: `${Math.max(2, (sample.total_ms / most) * 100)}%` } }));
  return h("figure.plot", null,
    h("div.scale", { "aria-hidden": "true" }, milliseconds(most)),
    h("div.columns", { role: "img", "aria-label": words },
      Array.from({ length: COLUMNS - shown.length }, (_, index) => h("div.column", { key: `empty ${index}` })),
      shown.map(column)),
    h("figcaption.quiet", null, h("span", null, clock(shown[0].at)), h("span", null, words), h("span", null, clock(shown.at(-1).at))));
}
