// What happens, as it happens: one connection, which comes back by itself and says when it is gone.

import { setServerTime } from "./format.js";

/** The server sends a beat every 10 s. */
const SILENCE_MS = 25000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;
const EVENTS = ["transition", "override", "reload", "drain", "connectivity"];

let source = null;
let lastId = null;
let pause = FIRST_PAUSE_MS;
let watchdog = 0;
let again = 0;

/**
 * Watches. `happened(name, data)` hears every event, `connection("live" | "lost" | "stopping")` how the connection is, and
 * `missed()` that something is unknown: what is shown must be read anew.
 */
export function watch({ happened, connection, missed }) {
  let version = null;

  function open() {
    clearTimeout(again);
    source?.close();
    source = new EventSource(lastId ? `v1/events?last_event_id=${encodeURIComponent(lastId)}` : "v1/events");
    const on = (name, then) => source.addEventListener(name, (event) => {
      if (event.lastEventId) lastId = event.lastEventId;
      alive();
      then(JSON.parse(event.data));
    });
    on("hello", (hello) => {
      setServerTime(hello.now);
      // Another version has another page.
      if (version && version !== hello.version) location.reload();
      version = hello.version;
      pause = FIRST_PAUSE_MS;
      connection("live");
      missed();
    });
    on("beat", (beat) => setServerTime(beat.now));
    on("lost", () => missed());
    on("stopping", () => lose("stopping"));
    for (const name of EVENTS) on(name, (data) => happened(name, data));
    source.onerror = () => lose("lost");
    alive();
  }

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => lose("lost"), SILENCE_MS);
  }

  function lose(how) {
    clearTimeout(watchdog);
    source?.close();
    source = null;
    connection(how);
    again = setTimeout(open, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }

  // A window that nobody sees gives its connection to others.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(watchdog);
      clearTimeout(again);
      source?.close();
      source = null;
    } else if (!source) {
      pause = FIRST_PAUSE_MS;
      open();
    }
  });
  open();
}
