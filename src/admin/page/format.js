// Times and numbers as people read them.

import { h } from "./dom.js";

/** How far the server's clock is ahead of this machine's, in milliseconds. */
let ahead = 0;

export function setServerTime(text) {
  ahead = Date.parse(text) - Date.now();
}

export function serverNow() {
  return Date.now() + ahead;
}

/** Two units at most, as the server's own log has them. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const two = (many, unit, few, smaller) => `${many} ${unit}` + (few ? ` ${few} ${smaller}` : "");
  if (minutes === 0) return `${seconds} s`;
  if (hours === 0) return two(minutes, "min", seconds % 60, "s");
  if (days === 0) return two(hours, "h", minutes % 60, "min");
  return two(days, "d", hours % 24, "h");
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

const YEAR = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** The local time, with the day when it is not today's. */
export function clock(text) {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) return "";
  const today = new Date(serverNow()).toDateString() === moment.toDateString();
  const isFar = new Date(serverNow()).getFullYear() !== moment.getFullYear();
  return today ? CLOCK.format(moment) : `${(isFar ? YEAR : DAY).format(moment)}, ${CLOCK.format(moment)}`;
}

/** A local time that tells its date when asked. */
export function time(text) {
  return h("time", { datetime: text, title: new Date(text).toLocaleString() }, clock(text));
}

/** How long ago, by the server's clock. */
export function since(text) {
  return span(serverNow() - Date.parse(text));
}

export function milliseconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${value.toFixed(2)} ms`;
  return value < 100 ? `${value.toFixed(1)} ms` : value < 10000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;
}

export function percent(share) {
  const value = share * 100;
  if (value === 0 || value === 100) return `${value} %`;
  return value < 1 ? "< 1 %" : value > 99 ? "> 99 %" : `${Number(value.toFixed(value < 10 ? 1 : 0))} %`;
}

/** State in a word and a sign, readable without colour. */
const STATES = {
  healthy: ["●", "healthy"],
  unhealthy: ["✕", "unhealthy"],
  pending: ["○", "no result yet"],
  unchecked: ["–", "no health check"],
};

export function badge(state, words) {
  const [sign, word] = STATES[state];
  return h(`span.badge.${state}`, null, h("span", { "aria-hidden": "true" }, sign), " ", words ?? word);
}
