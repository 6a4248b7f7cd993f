// The overrides of health checks. Every user can see them; only the admin token can change them.

import { get, post, remove } from "./api.js";
import { announce, h } from "./dom.js";
import { clock, count, duration, serverNow, time } from "./format.js";

let answer = null;
let form = fresh();
let message = null;

function fresh() {
  let author = "";
  try {
    author = sessionStorage.getItem("author") ?? "";
  } catch {
    // Without storage the author is entered again.
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
    h("p.lead", null, "An override sets the status of the health checks that it names. Their probe results do not count until the override ends or is cleared. Overrides survive restarts."),
    list(page, answer?.overrides ?? [], answer ? "No overrides." : "Reading …"),
    editor(page),
  ];
}

export function list(page, overrides, empty = "No health check is overridden.") {
  if (!overrides.length) return h("p.quiet", null, empty);
  return h("ul.cards", null, overrides.map((one) => h("li.card", { key: one.id },
    h("div.head", null,
      h("strong.words", null, one.pattern), " ",
      action(one),
      !one.active && h("span.badge.pending", null, h("span", { "aria-hidden": "true" }, "○"), " not active yet"),
      page.mayChange() && h("button.quiet.small", { type: "button", onclick: () => clear(page, one.pattern) }, "Clear", h("span.hidden", null, ` the override of ${one.pattern}`))),
    one.reason && h("p.words", null, one.reason),
    h("p.quiet", null, `by ${one.author}${one.node ? ` on node ${one.node}` : ""}, from `, time(one.from), one.until ? [" until ", time(one.until), left(one)] : " until cleared"),
    h("details", null, h("summary", null, count(one.checks.length, "check")), h("ul.plain", null, one.checks.slice(0, 100).map((check) =>
      h("li", { key: check }, h("a", { href: `#/checks/${encodeURIComponent(check)}` }, check))))))));
}

const ACTIONS = { up: ["healthy", "▲", "overridden to up"], down: ["unhealthy", "▼", "overridden to down"], drain: ["override", "↘", "draining"] };

/** The action of an override and the progress of a drain. */
export function action({ action: name, drain }) {
  const [kind, sign, text] = ACTIONS[name] ?? ["override", "◆", name];
  const progress = drain && (drain.left_percent > 0 ? `, ${drain.left_percent} % left until ${clock(drain.drained_at)}` : ", finished");
  return h(`span.badge.${kind}`, null, h("span", { "aria-hidden": "true" }, sign), ` ${text}${progress ?? ""}`);
}

function left({ until, active }) {
  const remaining = Date.parse(until) - serverNow();
  return active && remaining > 0 ? ` (${duration(remaining)} left)` : "";
}

const CHOICES = {
  down: "down: its records are removed from answers at once",
  drain: "drain: the share of its weighted records falls to zero over a time",
  up: "up: its records are in the answers",
};

function editor(page) {
  const changes = page.server?.changes;
  if (!page.mayChange()) {
    const reason = {
      token: "This page is read-only. To set and clear overrides, choose “Unlock changes” above and enter the admin token.",
      programs: "This page is read-only: the server has no admin token ([admin] token_file). Use “fiftythree override set” on this machine.",
      none: "This page is read-only: the server listens beyond loopback and has no admin token ([admin] token_file), so it rejects all changes.",
    }[changes];
    return h("p.lockednote", null, h("span", { "aria-hidden": "true" }, "◇ "), reason ?? "");
  }
  const field = (name) => ({ value: form[name], oninput: (event) => { form[name] = event.target.value; } });
  return h("section", { "aria-labelledby": "v-set" },
    h("h2", { id: "v-set" }, "Set an override"),
    h("form.stacked", { id: "override-form", onsubmit: (event) => submit(event, page) },
      h("label", null, "Health check, or a pattern with * and ?", h("input", { ...field("pattern"), name: "pattern", required: true, maxlength: 255, spellcheck: "false", autocapitalize: "none" })),
      h("fieldset", null, h("legend", null, "Override"),
        Object.entries(CHOICES).map(([choice, text]) => h("label.choice", { key: choice }, h("input", { type: "radio", name: "action", checked: form.action === choice,
          value: choice, onchange: () => { form.action = choice; page.draw(); } }), h("span", null, ` ${text}`)))),
      form.action === "drain" && h("label", { key: "over" }, "Time until no weight is left", h("select", { name: "over", onchange: (event) => { form.over = event.target.value; } },
        [["30", "30 seconds"], ["60", "a minute"], ["300", "5 minutes"], ["900", "15 minutes"], ["3600", "an hour"]]
          .map(([value, text]) => h("option", { value, selected: value === form.over }, text)))),
      h("label", null, "Reason", h("input", { ...field("reason"), name: "reason", maxlength: 500, placeholder: "kernel update" })),
      h("label", null, "Your name", h("input", { ...field("author"), name: "author", maxlength: 255, required: true, autocomplete: "username" })),
      h("label", null, "Duration", h("select", { value: form.minutes, name: "minutes", onchange: (event) => { form.minutes = event.target.value; page.draw(); } },
        [["10", "10 minutes"], ["30", "30 minutes"], ["60", "an hour"], ["240", "4 hours"], ["at", "until a time …"], ["", "until cleared"]]
          .map(([value, text]) => h("option", { value, selected: value === form.minutes }, text)))),
      form.minutes === "at" && h("label", { key: "until" }, "Until (local time)", h("input", { ...field("until"), type: "datetime-local", name: "until", required: true })),
      h("div.actions", null, h("button", { type: "submit" }, { down: "Override to down", drain: "Drain", up: "Override to up" }[form.action])),
      message && h(message.isError ? "p.error" : "p.success", { role: message.isError ? "alert" : "status" }, message.text)));
}

async function submit(event, page) {
  event.preventDefault();
  const { pattern, action: chosen, over, reason, author, minutes, until } = form;
  const end = minutes === "at" ? new Date(until) : minutes ? new Date(serverNow() + Number(minutes) * 60e3) : null;
  const override = { pattern: pattern.trim(), action: chosen, reason: reason.trim(), author: author.trim() };
  if (chosen === "drain") override.over_s = Number(over);
  if (end) override.until = end.toISOString();
  try {
    const done = await post("v1/overrides", override);
    const checks = done.overrides[0]?.checks ?? [];
    message = { text: `${override.pattern} ${{ up: "is overridden to up", down: "is overridden to down", drain: "drains" }[chosen]}: ${count(checks.length, "check")}.${done.warning ? ` ${done.warning}` : ""}` };
    try {
      sessionStorage.setItem("author", override.author);
    } catch {
      // Without storage the author is entered again.
    }
    form = { ...fresh(), author: override.author };
  } catch (error) {
    message = { isError: true, text: error.known?.length ? `${error.message} Known health checks: ${error.known.slice(0, 20).join(", ")}` : error.message };
  }
  announce(message.text);
  page.refresh();
}

async function clear(page, pattern) {
  try {
    await remove("v1/overrides", { pattern });
    message = { text: `The override of ${pattern} is cleared.` };
  } catch (error) {
    message = { isError: true, text: error.message };
  }
  announce(message.text);
  page.refresh();
}
