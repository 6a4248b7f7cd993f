// Zones, and the records of a zone as trees: name, routing policy, candidates, alias targets. The
// server searches and counts; the browser has one page of names at a time, so large zones work too.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, count, nameText, percent, since } from "./format.js";

const PAGE = 50;
const TYPING_MS = 200;
const POLICIES = ["simple", "weighted", "latency", "failover", "geolocation", "geoproximity", "multivalue answer", "IP-based"];
export const TYPES = ["A", "AAAA", "CNAME", "MX", "TXT", "SRV", "NS", "SOA", "CAA", "PTR", "NAPTR", "DS", "HTTPS", "SVCB", "SSHFP", "TLSA", "SPF"];
const STATES = [["", "all"], ["unhealthy", "unhealthy"], ["degraded", "degraded"], ["healthy", "healthy"], ["unchecked", "without health check"]];
const WHEN_ALL_UNHEALTHY = {
  all: "All records are unhealthy: the server answers as if all were healthy (fail-open).",
  none: "All records are unhealthy: the answer is empty.",
  last_healthy: "All records are unhealthy: the records that were healthy last still answer.",
};

let listing = null;
let listQuery = { q: "", offset: 0 };
let zone = null;
let records = null;
let query = fresh();
let error = null;
let typing = 0;
let latest = 0;

function fresh() {
  return { q: "", policy: "", type: "", state: "", offset: 0 };
}

export function enter(page, { rest, parameters }) {
  const next = rest[0] ?? null;
  if (next !== zone) {
    records = null;
    query = fresh();
  }
  zone = next;
  for (const name of ["q", "policy", "type", "state"]) if (parameters.has(name)) query[name] = parameters.get(name);
  reload(page);
}

export async function refresh() {
  const mine = (latest += 1);
  try {
    if (zone) {
      const answer = await get(`v1/zones/${encodeURIComponent(zone)}/records`, { ...query, limit: PAGE });
      // The response to a later request may have arrived first.
      if (mine === latest) records = answer;
    } else {
      const answer = await get("v1/zones", { ...listQuery, limit: PAGE });
      if (mine === latest) listing = answer;
    }
    error = null;
  } catch (failure) {
    error = failure.message;
  }
}

async function reload(page) {
  await refresh();
  page.draw();
}

function reloadLater(page, delay) {
  clearTimeout(typing);
  typing = setTimeout(() => reload(page), delay);
}

export function render(page) {
  return zone ? details(page) : all(page);
}

function all(page) {
  const change = (part, delay) => {
    listQuery = { ...listQuery, offset: 0, ...part };
    reloadLater(page, delay);
  };
  return [
    h("h1", null, "Zones"),
    h("form.filter", { role: "search", "aria-label": "Find zones", onsubmit: (event) => event.preventDefault() },
      h("label", null, "Name ", h("input", { type: "search", value: listQuery.q, placeholder: "part of a name", spellcheck: "false",
        oninput: (event) => change({ q: event.target.value }, TYPING_MS) }))),
    error && h("p.error", { role: "alert" }, error),
    !listing ? h("p.quiet", null, "Reading …") : [
      h("p.quiet", { role: "status" }, listing.matching ? count(listing.matching, "zone") : "No zones."),
      listing.zones.length > 0 && h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Zones" },
        h("table.stack", null,
          h("thead", null, h("tr", null, ["Zone", "Visible to", "Record sets", "Health checks"].map((text) => h("th", { scope: "col" }, text)))),
          h("tbody", null, listing.zones.map(row)))),
      pager(listQuery.offset, listing.matching, (offset) => change({ offset }, 0)),
    ],
  ];
}

function row(known) {
  const unhealthy = known.unhealthy_checks;
  const health = known.unavailable ? badge("unhealthy", "SERVFAIL: broken file, no last good copy")
    : !known.checks ? badge("unchecked", "none")
    : unhealthy ? badge("unhealthy", `${unhealthy.toLocaleString("en-GB")} of ${known.checks.toLocaleString("en-GB")} unhealthy`)
      : badge("healthy", known.checks === 1 ? "1 healthy" : `all ${known.checks.toLocaleString("en-GB")} healthy`);
  return h("tr", { key: known.id },
    h("th", { scope: "row" }, h("a", { href: `#/zones/${encodeURIComponent(known.id)}` }, known.name), known.comment && h("div.quiet.clip", null, known.comment)),
    h("td", { "data-label": "Visible to" }, known.vpcs.length ? known.vpcs.join(", ") : "all clients"),
    h("td", { "data-label": "Record sets" }, known.record_sets.toLocaleString("en-GB")),
    h("td", { "data-label": "Health checks" }, health));
}

export function pager(offset, matching, go) {
  if (matching <= PAGE) return null;
  const to = Math.min(offset + PAGE, matching);
  return h("nav.pager", { "aria-label": "Pages of the list" },
    h("button.quiet", { type: "button", disabled: offset === 0, onclick: () => go(Math.max(0, offset - PAGE)) }, "Previous"),
    h("span", null, `${(offset + 1).toLocaleString("en-GB")} – ${to.toLocaleString("en-GB")} of ${matching.toLocaleString("en-GB")}`),
    h("button.quiet", { type: "button", disabled: to >= matching, onclick: () => go(offset + PAGE) }, "Next"));
}

function details(page) {
  const back = h("p.back", null, h("a", { href: "#/zones" }, "← All zones"));
  if (error && !records) return [back, h("p.error", { role: "alert" }, error)];
  if (!records) return [back, h("p.quiet", null, "Reading …")];
  const change = (part, delay) => {
    query = { ...query, offset: 0, ...part };
    reloadLater(page, delay);
  };
  const choice = (name, label, options) => h("label", null, `${label} `,
    h("select", { onchange: (event) => change({ [name]: event.target.value }, 0) },
      options.map(([value, text]) => h("option", { value, selected: value === query[name] }, text))));
  const named = (names) => [["", "all"], ...names.map((name) => [name, name])];
  const private_ = records.vpcs.length ? `private, for ${records.vpcs.join(", ")}` : "public";
  return [
    back,
    h("h1", null, records.name),
    h("p.quiet", null, [records.comment, `${private_}, ${count(records.record_sets, "record set")}`].filter(Boolean).join(" · ")),
    h("form.filter", { role: "search", "aria-label": "Find records", onsubmit: (event) => event.preventDefault() },
      h("label", null, "Find ", h("input", { type: "search", value: query.q, placeholder: "name, set identifier or value", spellcheck: "false",
        oninput: (event) => change({ q: event.target.value }, TYPING_MS) })),
      choice("policy", "Policy", named(POLICIES)), choice("type", "Type", named(TYPES)), choice("state", "Health", STATES)),
    error && h("p.error", { role: "alert" }, error),
    h("p.quiet", { role: "status" }, records.matching ? count(records.matching, "name and type", "names and types") : "No records match."),
    h("ul.forest", null, records.groups.map((group) => h("li.root", { key: `${group.name} ${group.type}` }, tree(group, true)))),
    pager(query.offset, records.matching, (offset) => change({ offset }, 0)),
  ];
}

const GROUP_STATES = {
  healthy: ["healthy", "healthy"],
  degraded: ["pending", "degraded"],
  unhealthy: ["unhealthy", "unhealthy"],
};

/** A group with its records; `isRoot` if it is not shown as an alias target. */
function tree(group, isRoot) {
  const [kind, words] = GROUP_STATES[group.state] ?? [];
  const name = nameText(group.name);
  return [
    h("div.head", null,
      h("strong.name.words", null, name), h("span.type", null, group.type),
      group.policy !== "simple" && h("span.policy", null, group.policy),
      kind && badge(kind, words),
      isPlain(group) && h("span.plainly", null, answers(group.members[0])),
      isRoot && h("a.explain-link", { href: `#/explain?${new URLSearchParams({ name: name.replace(/(.)\.$/, "$1"), type: group.type })}` }, "Explain", h("span.hidden", null, ` ${name} ${group.type}`))),
    group.traffic_policy && h("p.quiet", null, `from ${group.traffic_policy}`),
    group.state === "unhealthy" && h("p.note", null, WHEN_ALL_UNHEALTHY[group.when_all_unhealthy]),
    !isPlain(group) && h("ul.members", { "aria-label": `Records of ${name} ${group.type}` }, group.members.map(member)),
    group.not_shown > 0 && h("p.quiet", null, `and ${count(group.not_shown, "more record set")}`),
  ];
}

/** A single record set without health: it is always the answer. */
function isPlain({ members, not_shown: more }) {
  const [only] = members;
  return members.length === 1 && more === 0 && only.set_identifier === null && !only.alias && !only.has_health;
}

function member(one, index) {
  const state = !one.has_health ? "unchecked" : one.usable ? (one.check?.pending ? "pending" : "healthy") : one.reserve ? "pending" : "unhealthy";
  return h("li.member", { key: one.set_identifier ?? `record ${index}`, class: state },
    h("div.identity", null,
      one.set_identifier && h("span.identifier.words", null, one.set_identifier),
      one.role && one.role.toLowerCase() !== one.set_identifier?.toLowerCase() && h("span.quiet", null, one.role)),
    h("div.answers", null, one.alias ? alias(one.alias) : answers(one)),
    h("div.health", null, health(one, state)),
    one.share !== null && one.set_identifier !== null ? share(one) : null,
    one.alias?.group && h("details.target", { open: true },
      h("summary", null, `Records of ${one.alias.target}`), h("div.branch", null, tree(one.alias.group, false))));
}

function answers({ values, value_count: all, ttl }) {
  return [
    values.map((value) => h("code.value", { key: value }, value)),
    all > values.length && h("span.quiet", null, `and ${count(all - values.length, "more value")}`),
    h("span.quiet.ttl", null, ` TTL ${ttl} s`),
  ];
}

function alias({ target, alias_target: resource, is_outside: isOutside, evaluate_target_health: evaluates, exists: isThere, group }) {
  return h("span", null,
    h("span", { "aria-hidden": "true" }, "→ "), h("span.hidden", null, "alias of "), h("span.words", null, target),
    resource && h("span.quiet", null, ` (alias target ${resource})`),
    h("span.quiet", null, evaluates ? " (evaluates target health)" : " (target health not evaluated)"),
    !isThere && h("span.error", null, isOutside && !resource ? " – no [[alias_target]] matches it" : " – no such record"),
    isThere && !group && h("span.quiet", null, " (not shown here; search for its name)"));
}

function health({ check, usable, reserve, part, has_health: hasHealth }, state) {
  const override = check?.overridden ? h("span.note", null, " overridden") : null;
  const own = check && [h("a", { href: `#/checks/${encodeURIComponent(check.name)}` }, check.name), " ",
    badge(check.pending ? "pending" : check.status, check.pending ? null : `${check.status} for ${since(check.since)}`), override];
  // The record's own check and the alias target both count, so the record can differ from its
  // check.
  const differs = hasHealth && (!check || (check.status === "healthy") !== usable);
  return [
    own,
    reserve && [" ", badge("pending", "draining or waiting for failback")],
    part !== null && [" ", badge("pending", `${percent(part)} of its weight`)],
    differs && !reserve && [check ? " " : null, badge(state, usable ? "usable" : "not usable")],
  ];
}

function share({ share: part, weight }) {
  const text = weight === null ? percent(part) : `${percent(part)} of the answers`;
  return h("div.share", null,
    h("div.track", { "aria-hidden": "true" }, h("div.fill", { style: { width: `${part * 100}%` } })),
    h("span", null, part === 0 ? "not in the answers" : part === 1 ? "in every answer" : text));
}
