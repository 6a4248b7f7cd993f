// An explanation as elements: the answer, the steps that led to it, and the shares of each record.

import { h } from "./dom.js";
import { badge, nameText, percent } from "./format.js";

/** The answer, and in one line for each step why it is the answer. */
export function summary({ question, answer, steps, client }) {
  const { rcode } = answer;
  const isPositive = rcode === "NOERROR" && answer.answer.length > 0;
  const asked = [`asked by ${question.resolver}${question.subnet ? ` for ${question.subnet}` : ""}`, client?.location && `located in ${client.location}`,
    question.as_if?.length && `as if ${question.as_if.join(", ")}`];
  return [
    h("p", null, badge(isPositive ? "healthy" : "pending", rcode === "NOERROR" && !isPositive ? "NODATA" : rcode), " ",
      h("strong.words", null, `${nameText(question.name)} ${question.type}`)),
    answer.answer.length > 0 && h("pre", { tabindex: "0" }, answer.answer.map(({ name, ttl, type, data }) => `${nameText(name)} ${ttl} IN ${type} ${data}`).join("\n")),
    h("ul.because", null, steps.filter(({ step }) => step === "group" || step === "negative_answer").map((step, index) => h("li", { key: index },
      step.policy && step.policy !== "simple" && [h("span.policy", null, step.policy), " "], step.why))),
    h("p.quiet", null, asked.filter(Boolean).join(", ")),
  ];
}

/** The steps, the shares and the details, each a section. */
export function reasons(explained) {
  return [
    h("section", { "aria-labelledby": "e-why", key: "why" }, h("h2", { id: "e-why" }, "Why"),
      h("ol.steps", null, explained.steps.map((step, index) => h("li", { key: `${index} ${step.step}`, class: step.step }, describe(step))))),
    explained.shares.length > 0 && h("section", { "aria-labelledby": "e-shares", key: "shares" }, h("h2", { id: "e-shares" }, "Shares for clients like this"), shares(explained)),
    h("section", { "aria-labelledby": "e-details", key: "details" }, h("h2", { id: "e-details" }, "Details"), details(explained)),
  ];
}

const OUTCOMES = {
  chosen: ["healthy", "✓", "in the answer"],
  eligible: ["neutral", "○", "could answer"],
  not_preferred: ["unchecked", "·", "another record is preferred"],
  unhealthy: ["unhealthy", "✕", "unhealthy"],
  not_for_client: ["unchecked", "–", "not for this client"],
};

function describe(step) {
  switch (step.step) {
    case "name":
      return h("p", null, h("strong.words", null, nameText(step.name)), h("span.quiet", null, ` ${step.why.replace(/^it /, "")}`));
    case "alias":
      return h("p", null, h("span", { "aria-hidden": "true" }, "→ "), "alias of ", h("strong.words", null, `${step.target} ${step.type}`), h("span.quiet", null, ` ${step.why}`));
    case "negative_answer":
      return h("p", null, badge("pending", step.kind), ` ${step.why}`);
    default:
      return [
        h("p", null, h("strong.words", null, `${nameText(step.name)} ${step.type}`), " ", h("span.policy", null, step.policy), h("span.quiet", null, ` ${step.rule}`)),
        h("ul.candidates", null, step.candidates.map(candidate)),
        h("p", null, step.why, step.draw && h("span.quiet", null, ` ${step.draw}`)),
      ];
  }
}

function candidate(one, index) {
  const [kind, sign, text] = OUTCOMES[one.outcome] ?? ["unchecked", "·", one.outcome];
  const { check, last_change: change } = one;
  return h("li", { key: one.set_identifier ?? index, class: one.outcome },
    h("div", null,
      h(`span.badge.${kind}`, null, h("span", { "aria-hidden": "true" }, sign), ` ${text}`), " ",
      one.set_identifier && h("strong.words", null, one.set_identifier), one.role && h("span.quiet", null, ` ${one.role}`),
      one.measure && h("span", null, ` · ${one.measure}`),
      one.share > 0 && one.share < 1 && h("span", null, ` · ${percent(one.share)}`)),
    h("div.quiet.words", null, one.why),
    h("div.words.values", null, one.alias ? `→ ${one.alias.target}${one.alias.alias_target ? ` (alias target ${one.alias.alias_target})` : ""}` : (one.values ?? []).map((value) => h("code.value", { key: value }, value))),
    check && h("div.quiet", null, h("a", { href: `#/checks/${encodeURIComponent(check.name)}` }, check.name),
      ` ${check.as_if ? "assumed " : ""}${check.healthy ? "healthy" : "unhealthy"}${check.ago ? ` for ${check.ago}` : ""}`,
      check.agreement && `; ${check.agreement}`, check.last_result && `: ${check.last_result}`, check.overridden && `; ${check.overridden}`),
    change && h("div.quiet.words", null, h("time", { datetime: change.at, title: change.at }, `${change.change} ${change.ago} ago`),
      ` by ${change.author}: ${change.operation}`));
}

function shares({ shares: parts, shares_complete: isComplete }) {
  return [
    h("ul.shares", null, parts.map((part, index) => h("li", { key: `${part.name} ${part.set_identifier ?? index}` },
      h("div.words", null, h("strong", null, part.set_identifier ?? nameText(part.name)), h("span.quiet", null, ` ${part.values.join(", ")}`)),
      h("div.share", null, h("div.track", { "aria-hidden": "true" }, h("div.fill", { style: { width: `${part.share * 100}%` } })), h("span", null, percent(part.share)))))),
    !isComplete && h("p.quiet", null, "The name leads to more groups than are followed here; the shares cover those that were followed."),
  ];
}

function details({ answer, zone, vpc, client }) {
  const item = (term, ...values) => h("div", null, h("dt", null, term), h("dd", null, values));
  return h("dl.facts", null,
    zone && item("Zone", zone.name, h("span.quiet", null, ` ${zone.private ? "private" : "public"}: ${zone.why}`)),
    vpc && item("VPC", `${vpc.id}, ${vpc.region}`),
    client && item("Client", client.network, h("span.quiet", null, ` by ${client.address_source}`), client.location ? `: ${client.location}` : ": location unknown", h("span.quiet", null, ` (${client.location_source})`)),
    answer.ttl_why && item("TTL", answer.ttl_why),
    item("ECS scope", `/${answer.scope}`, h("span.quiet", null, ` ${answer.scope_why}`)));
}

/** The answers for several locations as a table. */
export function comparison(rows) {
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Answers by location" },
    h("table.stack", null,
      h("thead", null, h("tr", null, ["Client network", "Location", "Answer"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", null, rows.map(({ client, answer, error }) => h("tr", { key: client.network },
        h("th", { scope: "row" }, client.network),
        h("td", { "data-label": "Location" }, client.place || "–", client.vpc ? ` (${client.vpc})` : ""),
        h("td.words", { "data-label": "Answer" }, error ? h("span.error", null, error) : answer ? inOneLine(answer) : "…"))))));
}

function inOneLine({ answer, shares: parts }) {
  const answering = parts.filter((part) => part.share > 0);
  if (!answering.length) return answer.answer.map((record) => record.data).join(", ") || answer.rcode;
  return answering.map((part) => `${part.set_identifier ? `${part.set_identifier}: ` : ""}${part.values.join(", ")}${part.share < 1 ? ` (${percent(part.share)})` : ""}`).join("; ");
}
