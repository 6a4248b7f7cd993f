// The overrides of health checks: everyone sees them; a request with the admin token can change them.

import { get, post, remove } from "./api.js";
import { h, say } from "./dom.js";
import { clock, count, serverNow, span, time } from "./format.js";

let answer = null;
let form = fresh();
let message = null;

function fresh() {
  let author = "";
  try {
    author = sessionStorage.getItem("author") ?? "";
  } catch {
    // Then it is asked for again.
  }
  return { pattern: "", action: "down", over: "300", reason: "", author, minutes: "30", until: "" };
}

export async function refresh() {
  answer = await get("v1/overrides").catch(() => answer);
}

export function enter(page, { parameters }) {
  const pattern = parameters.get("pattern");
  if (pattern) form.pattern = pattern;
  message = null;
  refresh().then(page.draw);
}

export function render(page) {
  return [
    h("h1", null, "Overrides"),
    h("p.lead", null, "An override sets the status of the checks that it names. Their probe results do not count until the override ends or is cleared. It survives restarts."),
    list(page, answer?.overrides ?? [], answer ? "There are none." : "Reading …"),
    editor(page),
  ];
}

export function list(page, overrides, nothing = "No health check is overridden.") {
  if (!overrides.length) return h("p.quiet", null, nothing);
  return h("ul.cards", null, overrides.map((one) => h("li.card", { key: one.id },
    h("div.head", null,
      h("strong.words", null, one.pattern), " ",
      action(one),
      !one.active && h("span.badge.pending", null, h("span", { "aria-hidden": "true" }, "○"), " not yet"),
      page.mayChange() && h("button.quiet.small", { type: "button", onclick: () => clear(page, one.pattern) }, "Clear", h("span.hidden", null, ` the override of ${one.pattern}`))),
    one.reason && h("p.words", null, one.reason),
    h("p.quiet", null, `by ${one.author}, from `, time(one.from), one.until ? [" until ", time(one.until), left(one)] : " until cleared"),
    h("details", null, h("summary", null, count(one.checks.length, "check")), h("ul.plain", null, one.checks.slice(0, 100).map((check) =>
      h("li", { key: check }, h("a", { href: `#/checks/${encodeURIComponent(check)}` }, check))))))));
}

const ACTIONS = { up: ["healthy", "▲", "overridden to up"], down: ["unhealthy", "▼", "overridden to down"], drain: ["people", "↘", "draining"] };

/** What an override does, and how far a drain is. */
export function action({ action: name, drain }) {
  const [kind, sign, words] = ACTIONS[name] ?? ["people", "◆", name];
  const far = drain && (drain.left_percent > 0 ? `, ${drain.left_percent} % left until ${clock(drain.drained_at)}` : ": nothing is left");
  return h(`span.badge.${kind}`, null, h("span", { "aria-hidden": "true" }, sign), ` ${words}${far ?? ""}`);
}

function left({ until, active }) {
  const remains = Date.parse(until) - serverNow();
  return active && remains > 0 ? ` (${span(remains)} left)` : "";
}

const CHOICES = {
  down: "down: its records leave the answers at once",
  drain: "drain: weighted records leave them bit by bit",
  up: "up: its records answer",
};

function editor(page) {
  const changes = page.server?.changes;
  if (!page.mayChange()) {
    const why = {
      token: "This page is read-only until it is unlocked with the admin token, above.",
      programs: "This page is read-only: the server has no admin token ([admin] token_file). On this machine, fiftythree override set does it.",
      none: "This server can be reached from other machines and has no admin token ([admin] token_file), so it refuses all changes.",
    }[changes];
    return h("p.lockednote", null, h("span", { "aria-hidden": "true" }, "◇ "), why ?? "");
  }
  const field = (name) => ({ value: form[name], oninput: (event) => { form[name] = event.target.value; } });
  return h("section", { "aria-labelledby": "v-set" },
    h("h2", { id: "v-set" }, "Set an override"),
    h("form.stacked", { id: "override-form", onsubmit: (event) => submit(event, page) },
      h("label", null, "Check, or a pattern with * and ?", h("input", { ...field("pattern"), name: "pattern", required: true, maxlength: 255, spellcheck: "false", autocapitalize: "none" })),
      h("fieldset", null, h("legend", null, "Override"),
        Object.entries(CHOICES).map(([choice, words]) => h("label.choice", { key: choice }, h("input", { type: "radio", name: "action", checked: form.action === choice,
          value: choice, onchange: () => { form.action = choice; page.draw(); } }), h("span", null, ` ${words}`)))),
      form.action === "drain" && h("label", { key: "over" }, "Its weight shrinks to nothing over", h("select", { name: "over", onchange: (event) => { form.over = event.target.value; } },
        [["30", "30 seconds"], ["60", "a minute"], ["300", "5 minutes"], ["900", "15 minutes"], ["3600", "an hour"]]
          .map(([value, text]) => h("option", { value, selected: value === form.over }, text)))),
      h("label", null, "Reason", h("input", { ...field("reason"), name: "reason", maxlength: 500, placeholder: "kernel update" })),
      h("label", null, "Your name", h("input", { ...field("author"), name: "author", maxlength: 255, required: true, autocomplete: "username" })),
      h("label", null, "For how long", h("select", { value: form.minutes, name: "minutes", onchange: (event) => { form.minutes = event.target.value; page.draw(); } },
        [["10", "10 minutes"], ["30", "30 minutes"], ["60", "an hour"], ["240", "4 hours"], ["at", "until a time …"], ["", "until cleared"]]
          .map(([value, text]) => h("option", { value, selected: value === form.minutes }, text)))),
      form.minutes === "at" && h("label", { key: "until" }, "Until (local time)", h("input", { ...field("until"), type: "datetime-local", name: "until", required: true })),
      h("div.actions", null, h("button", { type: "submit" }, { down: "Override to down", drain: "Drain", up: "Override to up" }[form.action])),
      message && h(message.wrong ? "p.wrong" : "p.right", { role: message.wrong ? "alert" : "status" }, message.text)));
}

async function submit(event, page) {
  event.preventDefault();
  const { pattern, action: wanted, over, reason, author, minutes, until } = form;
  const end = minutes === "at" ? new Date(until) : minutes ? new Date(serverNow() + Number(minutes) * 60e3) : null;
  const wish = { pattern: pattern.trim(), action: wanted, reason: reason.trim(), author: author.trim() };
  if (wanted === "drain") wish.over_s = Number(over);
  if (end) wish.until = end.toISOString();
  try {
    const done = await post("v1/overrides", wish);
    const checks = done.overrides[0]?.checks ?? [];
    message = { text: `${wish.pattern} ${{ up: "is overridden to up", down: "is overridden to down", drain: "drains" }[wanted]}: ${count(checks.length, "check")}.${done.warning ? ` ${done.warning}` : ""}` };
    try {
      sessionStorage.setItem("author", wish.author);
    } catch {
      // Then it is asked for again.
    }
    form = { ...fresh(), author: wish.author };
  } catch (error) {
    message = { wrong: true, text: error.known?.length ? `${error.message} There is: ${error.known.slice(0, 20).join(", ")}` : error.message };
  }
  say(message.text);
  page.refresh();
}

async function clear(page, pattern) {
  try {
    await remove("v1/overrides", { pattern });
    message = { text: `The override of ${pattern} is cleared.` };
  } catch (error) {
    message = { wrong: true, text: error.message };
  }
  say(message.text);
  page.refresh();
}
