// A world map with the locations of clients and records, and lines from clients to the records that
// answer them.

import { h } from "./dom.js";
import { LAND } from "./land.js";

/** From 84° north to 58° south. */
const TOP = 12;
const HEIGHT = 284;
const x = (longitude) => (longitude + 180) * 2;
const y = (latitude) => (90 - latitude) * 2;

/** Sizes in units of the drawing, which is about half as wide on the screen. */
const RADIUS = 7;
const SQUARE = 16;
/** Large enough for a finger on the screen. */
const TOUCH = 48;

/**
 * `clients` and `records` have a latitude and longitude; `lines` are pairs of both. `pick(client)`
 * is called when the user chooses a client; `chosen` is the network of the chosen one.
 */
export function map({ clients, records, lines, chosen, pick, summary }) {
  return h("figure.map", null,
    h("svg", { viewBox: `0 ${TOP} 720 ${HEIGHT}`, role: "group", "aria-label": summary },
      h("path.land", { d: LAND }),
      lines.map(({ key, from, to }) => line(key, from, to)),
      records.map((record) => {
        const isTarget = lines.some(({ to }) => to === record);
        return h("g", { key: `r ${record.kind} ${record.place}`, class: `place record${isTarget ? " target" : ""}` },
          h("title", null, `${record.place}: ${record.records.map((known) => known.set_identifier ?? known.name).join(", ")}`),
          h("circle", { cx: x(record.longitude), cy: y(record.latitude), r: isTarget ? RADIUS + 1 : RADIUS }),
          isTarget && label(record.longitude, record.latitude, record.place, 16));
      }),
      clients.map((client) => {
        const [cx, cy] = [x(client.longitude), y(client.latitude)];
        const isChosen = client.network === chosen;
        const name = `Ask from ${client.place || client.network} (${client.network})`;
        const choose = () => pick(client);
        return h("g", {
          key: `c ${client.network}`, class: `place client${isChosen ? " chosen" : ""}`, role: "button", tabindex: "0",
          "aria-label": name, "aria-pressed": isChosen ? "true" : "false", onclick: choose,
          onkeydown: (event) => {
            if (event.key === "Enter" || event.key === " ") {
              event.preventDefault();
              choose();
            }
          },
        }, h("title", null, name),
        h("rect.touch", { x: cx - TOUCH / 2, y: cy - TOUCH / 2, width: TOUCH, height: TOUCH }),
        h("rect", { x: cx - SQUARE / 2, y: cy - SQUARE / 2, width: SQUARE, height: SQUARE, rx: 2.5 }));
      })),
    h("figcaption.quiet", null,
      clients.length > 0 && key("client", "clients (choose one)"),
      records.length > 0 && key("record", "records"),
      lines.length > 0 && key("line", "answers")));
}

function key(kind, text) {
  const sign = {
    client: () => h("rect", { x: 2, y: 2, width: 9, height: 9, rx: 1.5 }),
    record: () => h("circle", { cx: 6.5, cy: 6.5, r: 4.5 }),
    line: () => h("path", { d: "M0 9Q6 1 13 9" }),
  }[kind]();
  return h("span.key", null, h("svg", { viewBox: "0 0 13 13", width: 13, height: 13, "aria-hidden": "true", class: "map-key" }, h("g", { class: kind === "line" ? "answer-line" : `place ${kind}` }, sign)), ` ${text}`);
}

function label(longitude, latitude, text, away) {
  const isRight = longitude > 100;
  return h("text", { x: x(longitude) + (isRight ? -away : away), y: y(latitude) + 8, "text-anchor": isRight ? "end" : "start" }, text);
}

/** A curve, so that lines along the same latitude do not cover each other. */
function line(name, from, to) {
  const [x1, y1, x2, y2] = [x(from.longitude), y(from.latitude), x(to.longitude), y(to.latitude)];
  const bend = Math.min(60, Math.hypot(x2 - x1, y2 - y1) * 0.22);
  return h("g.answer-line", { key: `w ${name}` }, h("path", { d: `M${x1} ${y1}Q${(x1 + x2) / 2} ${(y1 + y2) / 2 - bend} ${x2} ${y2}` }));
}
