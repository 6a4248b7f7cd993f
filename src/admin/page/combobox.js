// A text field with a list of suggestions: the combobox pattern of WAI-ARIA, for keyboard, mouse
// and screen reader.

import { h } from "./dom.js";

/** The one list that is open: the field's id, its options, and the highlighted option or -1. */
let open = null;
let latest = 0;

/**
 * A labelled field. `suggest(text)` returns the options, as a promise: `{ value, note, … }`.
 * `input(text)` is called for each change, `pick(option)` for a chosen option. The other attributes
 * go to the input element.
 */
export function combobox(page, { id, label, suggest, input, pick, ...attributes }) {
  const list = open?.id === id ? open : null;
  const show = async (text, active = -1) => {
    const mine = (latest += 1);
    const options = await suggest(text).catch(() => []);
    if (mine !== latest) return;
    open = options.length ? { id, options, active: Math.min(active, options.length - 1) } : null;
    page.draw();
  };
  const close = () => {
    latest += 1;
    open = null;
    page.draw();
  };
  const choose = (option) => {
    document.getElementById(id).value = option.value;
    input(option.value);
    close();
    pick(option);
  };
  return h("div.combobox.wide", { key: id },
    h("label", { for: id }, label),
    h("input", { ...attributes, id, role: "combobox", "aria-expanded": list ? "true" : "false", "aria-controls": `${id}-list`,
      "aria-autocomplete": "list", "aria-activedescendant": list && list.active >= 0 ? `${id}-${list.active}` : null,
      autocomplete: "off", autocapitalize: "none", spellcheck: "false",
      oninput: (event) => {
        input(event.target.value);
        show(event.target.value);
      },
      onclick: (event) => { if (open?.id !== id) show(event.target.value); },
      onblur: close,
      onkeydown: (event) => onKey(event, { list, show, close, choose, page }) }),
    h("ul.options", { id: `${id}-list`, role: "listbox", "aria-label": label, hidden: !list },
      list?.options.map((option, index) => h("li", { key: `${option.value} ${option.note}`, id: `${id}-${index}`, role: "option", "aria-selected": index === list.active ? "true" : "false",
        // The field keeps the focus, so that it does not close the list before the click.
        onmousedown: (event) => event.preventDefault(),
        onclick: () => choose(option) },
      h("span.words", null, option.value), option.note && h("span.quiet", null, ` ${option.note}`)))));
}

function onKey(event, { list, show, close, choose, page }) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && !list) {
    event.preventDefault();
    show(event.target.value, 0);
  } else if (step) {
    event.preventDefault();
    // One position is the field itself, without an option.
    const positions = list.options.length + 1;
    list.active = ((list.active + 1 + step + positions) % positions) - 1;
    page.draw();
  } else if (event.key === "Enter" && list && list.active >= 0) {
    event.preventDefault();
    choose(list.options[list.active]);
  } else if (event.key === "Escape" && list) {
    event.preventDefault();
    close();
  }
}
