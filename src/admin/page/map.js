// A map of the world: where clients are, where records are, and where answers go.

import { h } from "./dom.js";
import { LAND } from "./land.js";

/** From 84° north to 58° south. */
const TOP = 12;
const HEIGHT = 284;
const x = (longitude) => (longitude + 180) * 2;
const y = (latitude) => (90 - latitude) * 2;

/**
 * `clients` and `records` have latitude and longitude; `ways` are pairs of both. `pick(client)` is called when a person
 * chooses one; `chosen` is the network that is chosen.
 */
export function map({ clients, records, ways, chosen, pick, words }) {
  return h("figure.map", null,
    h("svg", { viewBox: `0 ${TOP} 720 ${HEIGHT}`, role: "group", "aria-label": words },
      h("path.land", { d: LAND }),
      ways.map(({ key, from, to }) => way(key, from, to)),
      records.map((record) => {
        const isTarget = ways.some(({ to }) => to === record);
        return h("g", { key: `r ${record.kind} ${record.place}`, class: `place record${isTarget ? " target" : ""}` },
          h("title", null, `${record.place}: ${record.records.map((known) => known.set_identifier ?? known.name).join(", ")}`),
          h("circle", { cx: x(record.longitude), cy: y(record.latitude), r: isTarget ? 5 : 4 }),
          isTarget && label(record.longitude, record.latitude, record.place, 9));
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
        h("rect.touch", { x: cx - 11, y: cy - 11, width: 22, height: 22 }),
        h("rect", { x: cx - 4.5, y: cy - 4.5, width: 9, height: 9, rx: 1.5 }));
      })),
    h("figcaption.quiet", null,
      key("client", "clients: choose one to ask from there"),
      records.length > 0 && key("record", "records with a place"),
      ways.length > 0 && key("way", "where answers go")));
}

function key(kind, words) {
  const sign = {
    client: () => h("rect", { x: 2, y: 2, width: 9, height: 9, rx: 1.5 }),
    record: () => h("circle", { cx: 6.5, cy: 6.5, r: 4.5 }),
    way: () => h("path", { d: "M0 9Q6 1 13 9" }),
  }[kind]();
  return h("span.key", null, h("svg", { viewBox: "0 0 13 13", width: 13, height: 13, "aria-hidden": "true", class: "map-key" }, h("g", { class: kind === "way" ? "way" : `place ${kind}` }, sign)), ` ${words}`);
}

function label(longitude, latitude, text, away) {
  const isRight = longitude > 100;
  return h("text", { x: x(longitude) + (isRight ? -away : away), y: y(latitude) + 4, "text-anchor": isRight ? "end" : "start" }, text);
}

/** A bow, so that ways there and back and ways of the same latitude do not cover each other. */
function way(name, from, to) {
  const [x1, y1, x2, y2] = [x(from.longitude), y(from.latitude), x(to.longitude), y(to.latitude)];
  const bend = Math.min(60, Math.hypot(x2 - x1, y2 - y1) * 0.22);
  return h("g.way", { key: `w ${name}` }, h("path", { d: `M${x1} ${y1}Q${(x1 + x2) / 2} ${(y1 + y2) / 2 - bend} ${x2} ${y2}` }));
}
