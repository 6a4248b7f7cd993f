// Why a name is answered as it is, asked as if from a place; and what each configured place gets.

import { get } from "./api.js";
import { h } from "./dom.js";
import { badge, count, percent } from "./format.js";
import { map } from "./map.js";

const TYPES = ["A", "AAAA", "CNAME", "MX", "TXT", "SRV", "NS", "CAA", "PTR", "HTTPS", "SVCB"];
/** Places that are asked from at once, and in all. */
const AT_ONCE = 4;
const MOST_PLACES = 60;

let form = fresh();
let asked = null;
let answer = null;
let error = null;
let places = null;
let everywhere = null;
let turn = 0;

function fresh() {
  return { name: "", type: "A", from: "", resolver: "", subnet: "", as_if: "" };
}

export function enter(page, { parameters }) {
  if (parameters.has("name")) {
    form = fresh();
    for (const name of Object.keys(form)) if (parameters.has(name)) form[name] = parameters.get(name);
    asked = { ...form };
    answer = null;
    everywhere = null;
  }
  readPlaces(page);
  if (asked) ask(page);
}

async function readPlaces(page) {
  places = await get("v1/places", { name: asked?.name }).catch(() => places);
  page.draw();
}

/** Health changed, or some seconds have passed: the same question, the same dice. */
export async function refresh() {
  if (!asked || !answer) return;
  const mine = (turn += 1);
  const next = await explain({ ...asked, seed: answer.question.seed }).catch(() => null);
  if (next && mine === turn) answer = next;
}

function explain({ name, type, from, resolver, subnet, as_if: supposed, seed }) {
  const parameters = new URLSearchParams({ name, type });
  for (const [key, value] of Object.entries({ from, resolver, subnet, seed })) if (value) parameters.set(key, value);
  for (const one of supposed.split(/[\s,]+/).filter(Boolean)) parameters.append("as_if", one);
  return get(`v1/explain?${parameters}`);
}

async function ask(page) {
  const mine = (turn += 1);
  try {
    const next = await explain(asked);
    if (mine !== turn) return;
    [answer, error] = [next, null];
  } catch (refused) {
    if (mine !== turn) return;
    [answer, error] = [null, refused.known?.length ? `${refused.message} There is: ${refused.known.slice(0, 20).join(", ")}` : refused.message];
  }
  page.draw();
}

function go(part) {
  form = { ...form, ...part };
  error = null;
  if (!form.name.trim()) return;
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) if (value.trim()) parameters.set(name, value.trim());
  const next = `#/explain?${parameters}`;
  if (location.hash === next) window.dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = next;
}

function askFrom(client) {
  go({ from: client.from, resolver: "", subnet: "" });
  if (!form.name.trim()) document.querySelector("#explain-form input[name=name]").focus();
}

export function render(page) {
  return [
    h("h1", null, "Explain"),
    question(),
    error && h("p.wrong", { role: "alert" }, error),
    h("section", { "aria-labelledby": "e-map" }, h("h2", { id: "e-map" }, "Places"), world(page)),
    answer && [
      h("section", { "aria-labelledby": "e-answer" }, h("h2", { id: "e-answer" }, "Answer"), theAnswer(answer)),
      h("section", { "aria-labelledby": "e-why" }, h("h2", { id: "e-why" }, "Why"), why(answer)),
      answer.shares.length > 0 && h("section", { "aria-labelledby": "e-shares" }, h("h2", { id: "e-shares" }, "What such clients get"), shares(answer)),
    ],
  ];
}

function question() {
  const field = (name) => ({ name, value: form[name], spellcheck: "false", autocapitalize: "none", oninput: (event) => { form[name] = event.target.value; } });
  return h("form.question", { id: "explain-form", onsubmit: (event) => { event.preventDefault(); go({}); } },
    h("label.wide", null, "Name", h("input", { ...field("name"), required: true, placeholder: "app.lab.test" })),
    h("label", null, "Type", h("select", { name: "type", onchange: (event) => { form.type = event.target.value; } },
      TYPES.map((type) => h("option", { value: type, selected: type === form.type }, type)))),
    h("label.wide", null, "As if from (address)", h("input", { ...field("from"), placeholder: "127.0.0.1" })),
    h("button", { type: "submit" }, "Explain"),
    h("details.wider", null, h("summary", null, "Resolver, client subnet, what if"),
      h("div.inner", null,
        h("label", null, "Resolver's address", h("input", { ...field("resolver"), placeholder: "same as the client" })),
        h("label", null, "Client subnet (EDNS)", h("input", { ...field("subnet"), placeholder: "203.0.113.0/24" })),
        h("label", null, "As if", h("input", { ...field("as_if"), placeholder: "app-blue=down" })))));
}

function world(page) {
  if (!places) return h("p.quiet", null, "Reading …");
  const clients = places.clients.filter((client) => client.latitude !== null);
  const { records } = places;
  const ways = everywhere ? everywhere.flatMap(({ client, answer }) => wayOf(client, answer, records)) : wayOf(current(clients), answer, records);
  const chosen = current(clients)?.network;
  return [
    map({ clients, records, ways, chosen, pick: askFrom,
      words: `Map: ${count(clients.length, "place")} of clients, ${count(records.length, "place")} of records` }),
    !clients.length && h("p.quiet", null, "The settings put no network on the map ([[location.network]], [[vpc]])."),
    places.left_out.length > 0 && h("p.quiet", null, `Too large to be searched for places without a name, or no longer to be read back: ${places.left_out.join(", ")}.`),
    h("div.actions.wrap", null,
      places.clients.slice(0, 12).map((client) => h("button.quiet.small", { type: "button", key: client.network, "aria-pressed": client.network === chosen ? "true" : "false",
        onclick: () => askFrom(client) }, "from ", client.place || client.network, h("span.quiet", null, ` ${client.network}`))),
      asked && places.clients.length > 0 && h("button.small", { type: "button", key: "everywhere", onclick: () => askEverywhere(page) }, "Ask from every place")),
    everywhere && compare(),
  ];
}

const current = (clients) => clients.find((client) => client.from === asked?.from) ?? locatedClient();

/** A client that the server has put on the map, though no network of the settings was chosen. */
function locatedClient() {
  const { latitude, longitude } = answer?.client ?? {};
  return latitude === undefined || latitude === null ? null : { latitude, longitude, network: "the client" };
}

/** From a client to the place of the record that was chosen for it, when there is such a place. */
function wayOf(client, explanation, records) {
  if (!client || !explanation || client.latitude === null) return [];
  const chosen = explanation.steps.filter((step) => step.step === "group")
    .flatMap((step) => step.candidates.filter((one) => one.verdict === "chosen").map((one) => ({ name: step.name, type: step.type, id: one.set_identifier })));
  const place = chosen.map((one) => records.find((record) => record.records.some((known) =>
    known.name === one.name && known.type === one.type && (known.set_identifier ?? undefined) === one.id))).filter(Boolean).at(-1);
  return place ? [{ key: client.network, from: client, to: place }] : [];
}

async function askEverywhere(page) {
  const all = places.clients.slice(0, MOST_PLACES);
  everywhere = all.map((client) => ({ client, answer: null, error: null }));
  page.draw();
  const mine = everywhere;
  const queue = [...mine];
  const work = async () => {
    for (let one = queue.shift(); one && mine === everywhere; one = queue.shift()) {
      try {
        one.answer = await explain({ ...asked, from: one.client.from, resolver: "", subnet: "" });
      } catch (refused) {
        one.error = refused.message;
      }
      page.draw();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function compare() {
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Answers by place" },
    h("table.stack", null,
      h("thead", null, h("tr", null, ["Asked from", "Place", "Answer"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, everywhere.map(({ client, answer: explanation, error: refused }) => h("tr", { key: client.network },
        h("th", { scope: "row" }, client.network),
        h("td", { "data-label": "Place" }, client.place || "–", client.vpc ? ` (${client.vpc})` : ""),
        h("td.words", { "data-label": "Answer" }, refused ? h("span.wrong", null, refused) : explanation ? inShort(explanation) : "…"))))));
}

function inShort({ answer: said, shares: parts }) {
  const often = parts.filter((part) => part.share > 0);
  if (!often.length) return said.answer.map((record) => record.data).join(", ") || said.rcode;
  return often.map((part) => `${part.set_identifier ? `${part.set_identifier}: ` : ""}${part.values.join(", ")}${part.share < 1 ? ` (${percent(part.share)})` : ""}`).join("; ");
}

function theAnswer({ question: asks, client, answer: said, zone, vpc }) {
  const item = (term, ...values) => h("div", null, h("dt", null, term), h("dd", null, values));
  const good = said.rcode === "NOERROR" && said.answer.length > 0;
  return [
    h("p", null, badge(good ? "healthy" : "pending", good ? said.rcode : said.rcode === "NOERROR" ? "NODATA" : said.rcode),
      h("span.quiet", null, ` ${asks.name} ${asks.type}, asked by ${asks.resolver}${asks.subnet ? ` for ${asks.subnet}` : ""}${asks.as_if?.length ? `, as if ${asks.as_if.join(", ")}` : ""}`)),
    said.answer.length > 0 && h("pre", { tabindex: "0" }, said.answer.map(({ name, ttl, type, data }) => `${name} ${ttl} IN ${type} ${data}`).join("\n")),
    h("dl.facts.spaced", null,
      zone && item("Zone", zone.name, h("span.quiet", null, ` ${zone.private ? "private" : "public"}: ${zone.why}`)),
      vpc && item("VPC", `${vpc.id}, ${vpc.region}`),
      client && item("Client", client.network, h("span.quiet", null, ` by ${client.given_by}`), client.place ? `: ${client.place}` : ", nowhere", h("span.quiet", null, ` (${client.said_by})`)),
      item("TTL", said.ttl_why),
      item("ECS scope", `/${said.scope}`, h("span.quiet", null, ` ${said.scope_why}`))),
  ];
}

const VERDICTS = {
  chosen: ["healthy", "✓", "answers"],
  eligible: ["files", "○", "could answer"],
  behind: ["unchecked", "·", "behind another"],
  unhealthy: ["unhealthy", "✕", "unhealthy"],
  elsewhere: ["unchecked", "–", "not for this client"],
};

function why({ steps }) {
  return h("ol.steps", null, steps.map((step, index) => h("li", { key: `${index} ${step.step}`, class: step.step }, stepOf(step))));
}

function stepOf(step) {
  switch (step.step) {
    case "name":
      return h("p", null, h("strong.words", null, step.name), h("span.quiet", null, ` ${step.why}`));
    case "alias":
      return h("p", null, h("span", { "aria-hidden": "true" }, "→ "), "alias of ", h("strong.words", null, `${step.target} ${step.type}`), h("span.quiet", null, ` ${step.why}`));
    case "denial":
      return h("p", null, badge("pending", step.kind), ` ${step.why}`);
    default:
      return [
        h("p", null, h("strong.words", null, `${step.name} ${step.type}`), " ", h("span.policy", null, step.policy), h("span.quiet", null, ` ${step.rule}`)),
        h("ul.candidates", null, step.candidates.map(candidate)),
        h("p", null, step.why, step.draw && h("span.quiet", null, ` ${step.draw}`)),
      ];
  }
}

function candidate(one, index) {
  const [kind, sign, word] = VERDICTS[one.verdict] ?? ["unchecked", "·", one.verdict];
  return h("li", { key: one.set_identifier ?? index, class: one.verdict },
    h("div", null,
      h(`span.badge.${kind}`, null, h("span", { "aria-hidden": "true" }, sign), ` ${word}`), " ",
      one.set_identifier && h("strong.words", null, one.set_identifier), one.role && h("span.quiet", null, ` ${one.role}`),
      one.measure && h("span", null, ` · ${one.measure}`),
      one.share > 0 && one.share < 1 && h("span", null, ` · ${percent(one.share)}`)),
    h("div.quiet.words", null, one.why),
    h("div.words", null, one.alias ? `→ ${one.alias.target}` : (one.values ?? []).map((value) => h("code.value", { key: value }, value))),
    one.check && h("div.quiet", null, h("a", { href: `#/checks/${encodeURIComponent(one.check.name)}` }, one.check.name),
      ` ${one.check.as_if ? "supposed " : ""}${one.check.healthy ? "healthy" : "unhealthy"}${one.check.ago ? ` for ${one.check.ago}` : ""}`,
      one.check.last_result && `: ${one.check.last_result}`, one.check.overridden && `; ${one.check.overridden}`));
}

function shares({ shares: parts, shares_complete: complete }) {
  return [
    h("ul.shares", null, parts.map((part, index) => h("li", { key: `${part.name} ${part.set_identifier ?? index}` },
      h("div.words", null, part.set_identifier ? h("strong", null, part.set_identifier) : h("strong", null, part.name), h("span.quiet", null, ` ${part.values.join(", ")}`)),
      h("div.share", null, h("div.track", { "aria-hidden": "true" }, h("div.fill", { style: { width: `${part.share * 100}%` } })), h("span", null, percent(part.share)))))),
    !complete && h("p.quiet", null, "There are more groups than are followed here; these are the shares of those that were."),
  ];
}
