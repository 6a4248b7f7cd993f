// The Explain view: a question, which is in the URL, its answer and the reasons, and a map of
// clients and records.

import { get } from "./api.js";
import { combobox } from "./combobox.js";
import { h } from "./dom.js";
import * as explanation from "./explanation.js";
import { count } from "./format.js";
import { map } from "./map.js";
import * as suggestions from "./suggestions.js";
import { TYPES } from "./zones.js";

/** Requests at once, and locations in all, of a comparison. */
const AT_ONCE = 4;
const MOST_LOCATIONS = 60;
/** Names that are offered before the first question. */
const MOST_NAMES = 12;

const EMPTY = { name: "", type: "A", from: "", resolver: "", subnet: "", as_if: "", seed: "" };

let form = { ...EMPTY };
/** The question of the URL; null without one. */
let question = null;
let answer = null;
let error = null;
let places = null;
let offered = null;
let comparison = null;
let latest = 0;

export function enter(page, { parameters }) {
  latest += 1;
  [answer, error, comparison] = [null, null, null];
  suggestions.reset();
  form = { ...EMPTY };
  const fields = document.getElementById("explain-form")?.elements;
  for (const name of Object.keys(form)) {
    if (parameters.has(name)) form[name] = parameters.get(name);
    // Drawing does not change a focused field, but going back must.
    if (fields?.[name]) fields[name].value = form[name];
  }
  question = form.name ? { ...form, seed: form.seed || newSeed() } : null;
  if (question) history.replaceState(history.state, "", hashOf(question));
  readPlaces(page);
  if (question) ask(page);
  else offerNames(page);
}

/** The link of this view in the navigation leads back to the last question. */
export const address = () => (question ? hashOf(question) : "#/explain");

function hashOf(asked) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(asked)) if (value.trim()) parameters.set(name, value.trim());
  return `#/explain?${parameters}`;
}

/** The URL has the seed, so that a reload or a shared link shows the same random draw. */
const newSeed = () => String(Math.floor(Math.random() * 2 ** 32));

async function readPlaces(page) {
  places = await get("v1/places", { name: question?.name }).catch(() => places);
  page.draw();
}

async function offerNames(page) {
  offered = await suggestions.names("", MOST_NAMES).catch(() => []);
  page.draw();
}

/** Reads the answer to the same question again, since health may have changed. */
export async function refresh() {
  if (!question || !answer) return;
  const mine = (latest += 1);
  const next = await request(question).catch(() => null);
  if (next && mine === latest) answer = next;
}

function request({ as_if: assumptions, ...asked }) {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(asked)) if (value) parameters.set(key, value.trim());
  for (const one of assumptions.split(/[\s,]+/).filter(Boolean)) parameters.append("as_if", one);
  return get(`v1/explain?${parameters}`);
}

async function ask(page) {
  const mine = (latest += 1);
  try {
    const next = await request(question);
    if (mine !== latest) return;
    [answer, error] = [next, null];
  } catch (failure) {
    if (mine !== latest) return;
    [answer, error] = [null, failure.known?.length ? `${failure.message} Known: ${failure.known.slice(0, 20).join(", ")}` : failure.message];
  }
  page.draw();
}

/**
 * Asks what the form says, with a new random draw. A repeated question replaces its entry in the
 * history.
 */
function submit(change = {}) {
  form = { ...form, ...change };
  if (!form.name.trim()) return document.getElementById("explain-name").focus();
  const isRepeated = question && hashOf({ ...form, seed: "" }) === hashOf({ ...question, seed: "" });
  const next = hashOf({ ...form, seed: newSeed() });
  if (isRepeated) location.replace(next);
  else location.hash = next;
}

const askFrom = (client) => submit({ from: client.from, resolver: "", subnet: "" });

export function render(page) {
  return [
    h("h1", null, "Explain"),
    questionForm(page),
    h("div.answer-and-map", null,
      h("div.answer-column", null, question ? answerColumn() : startColumn()),
      h("aside", { "aria-labelledby": "e-map" }, h("h2", { id: "e-map" }, "Locations"), locations(page))),
    comparison && h("section", { "aria-labelledby": "e-compare" }, h("h2", { id: "e-compare" }, "Answers by location"),
      explanation.comparison(comparison)),
    answer && explanation.reasons(answer),
  ];
}

function answerColumn() {
  return h("section", { "aria-labelledby": "e-answer" }, h("h2", { id: "e-answer" }, "Answer"),
    answer ? explanation.summary(answer) : error ? h("p.error", { role: "alert" }, error) : h("p.quiet", null, "Reading …"));
}

/** Before the first question: names to choose from. */
function startColumn() {
  return h("section", { "aria-labelledby": "e-start" }, h("h2", { id: "e-start" }, "Why does a name get its answer?"),
    h("p", null, "Enter a name, or choose one of these:"),
    !offered ? h("p.quiet", null, "Reading …") : !offered.length ? h("p.quiet", null, "No names: the zones have no records, or are too large to list.")
      : h("ul.offered", null, offered.map(({ value, type, note }) => h("li", { key: `${value} ${type}` },
        h("a.words", { href: hashOf({ name: value, type }) }, value), h("span.quiet", null, ` ${note}`)))));
}

function questionForm(page) {
  const field = (name) => ({ name, value: form[name], oninput: (event) => { form[name] = event.target.value; } });
  const text = (name) => ({ ...field(name), spellcheck: "false", autocapitalize: "none", autocomplete: "off" });
  const hasDetails = Boolean(question && (question.resolver || question.subnet || question.as_if));
  return h("form.question", { id: "explain-form", onsubmit: (event) => { event.preventDefault(); submit(); } },
    combobox(page, { id: "explain-name", label: "Name", name: "name", value: form.name, required: true, placeholder: "www.example.com",
      suggest: (part) => suggestions.names(part), input: (value) => { form.name = value; },
      pick: ({ value, type }) => submit({ name: value, type: TYPES.includes(type) ? type : form.type }) }),
    h("label.type-field", null, "Type", h("select", { name: "type", value: form.type, onchange: (event) => { form.type = event.target.value; } },
      TYPES.map((type) => h("option", { value: type, selected: type === form.type }, type)))),
    combobox(page, { id: "explain-from", label: "Client address", name: "from", value: form.from, placeholder: "127.0.0.1",
      suggest: (part) => suggestions.locations(places?.clients ?? [], part), input: (value) => { form.from = value; },
      pick: ({ client }) => askFrom(client) }),
    h("button", { type: "submit" }, "Explain"),
    h("details.wider", { key: `details ${hasDetails}`, open: hasDetails }, h("summary", null, "Resolver, client subnet, what-if"),
      h("div.inner", null,
        h("label", null, "Resolver address", h("input", { ...text("resolver"), placeholder: "same as the client" })),
        h("label", null, "Client subnet (EDNS)", h("input", { ...text("subnet"), placeholder: "203.0.113.0/24" })),
        h("label", null, "As if", h("input", { ...text("as_if"), placeholder: "app-blue=down" })))));
}

function locations(page) {
  if (!places) return h("p.quiet", null, "Reading …");
  const clients = places.clients.filter((client) => client.latitude !== null);
  const { records } = places;
  const chosen = chosenClient(clients);
  const lines = comparison ? comparison.flatMap((one) => lineOf(one.client, one.answer, records)) : lineOf(chosen, answer, records);
  return [
    map({ clients, records, lines, chosen: chosen?.network, pick: askFrom,
      summary: `Map: ${count(clients.length, "client location")}, ${count(records.length, "record location")}` }),
    !clients.length && h("p.quiet", null, "The settings have no network with a location ([[location.network]], [[vpc]])."),
    places.left_out.length > 0 && h("p.quiet", null, `Without a name, these zones are too large or cannot be read: ${places.left_out.join(", ")}.`),
    answer && places.clients.length > 0 && h("div.actions", null, h("button.quiet.small", { type: "button", onclick: () => compare(page) }, "Compare all locations")),
  ];
}

function chosenClient(clients) {
  const known = question && clients.find((client) => client.from === question.from);
  if (known) return known;
  // The server knows a location for other clients too, for example from a database.
  const { latitude, longitude } = answer?.client ?? {};
  return latitude === undefined || latitude === null ? null : { latitude, longitude, network: "the client" };
}

/** The line from a client to the location of the record that answers it, if both have one. */
function lineOf(client, explained, records) {
  if (!client || !explained || client.latitude === null) return [];
  const chosen = explained.steps.filter((step) => step.step === "group")
    .flatMap((step) => step.candidates.filter((one) => one.outcome === "chosen").map((one) => ({ name: step.name, type: step.type, id: one.set_identifier })));
  const place = chosen.map((one) => records.find((record) => record.records.some((known) =>
    known.name === one.name && known.type === one.type && (known.set_identifier ?? undefined) === one.id))).filter(Boolean).at(-1);
  return place ? [{ key: client.network, from: client, to: place }] : [];
}

/** Asks the same question as a client of every location. */
async function compare(page) {
  comparison = places.clients.slice(0, MOST_LOCATIONS).map((client) => ({ client, answer: null, error: null }));
  page.draw();
  const mine = comparison;
  const queue = [...mine];
  const work = async () => {
    for (let one = queue.shift(); one && mine === comparison; one = queue.shift()) {
      try {
        one.answer = await request({ ...question, from: one.client.from, resolver: "", subnet: "" });
      } catch (failure) {
        one.error = failure.message;
      }
      page.draw();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
