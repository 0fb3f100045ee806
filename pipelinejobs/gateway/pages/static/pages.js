// Updates an open page. Without this script, all pages work, but show the state from when they were loaded.
//
// When the change feed reports a change, the script fetches the page again and replaces its parts. It takes no data from
// the feed itself. In a list, rows stay where they are, and new jobs are only counted. A hidden tab does not listen,
// because a browser opens only a few connections to one host.
"use strict";

(() => {
  const main = document.querySelector("main[data-live]");
  const kind = main && main.dataset.live;
  const notice = document.getElementById("notice");
  const LEAST_MS = 1000;
  const POLL_MS = 5000;
  const SAID_MS = 8000;
  const skew = Date.parse(document.body.dataset.now) - Date.now();
  let source = null, planned = 0, busy = false, again = false, took = 0, last = 0, over = false, hide_timer = 0;

  // The notice at the bottom. A notice without a link disappears by itself.

  function say(words, link) {
    clearTimeout(hide_timer);
    if (!link) hide_timer = setTimeout(() => notice.replaceChildren(), SAID_MS);
    const said = document.createElement("p");
    said.append(words);
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link.to;
      anchor.textContent = link.words;
      said.append(" ", anchor);
    }
    if (notice.textContent !== said.textContent) notice.replaceChildren(said);  // a screen reader would read an unchanged notice again
  }

  // Relative times, such as "3 min ago"

  const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  function ago(moment) {
    const seconds = Math.trunc((Date.now() + skew - Date.parse(moment)) / 1000);
    const distance = Math.abs(seconds);
    if (distance < 5) return "just now";
    const [unit, size] = UNITS.find((one) => distance >= one[1]);
    const words = `${Math.floor(distance / size)} ${unit}`;
    return seconds > 0 ? `${words} ago` : `in ${words}`;
  }

  function tick() {
    for (const one of document.querySelectorAll("[data-since]")) {
      const words = ago(one.dataset.since);
      if (one.textContent !== words) one.textContent = words;
    }
  }

  // Replacing parts of the page

  function keep(before, after) {
    for (const open of before.querySelectorAll("details[data-key][open]")) {
      const same = after.querySelector(`details[data-key="${CSS.escape(open.dataset.key)}"]`);
      if (same) same.open = true;
    }
  }

  // A part without what does not count as a change: relative times, and whether details are open.
  function bare(part) {
    const copy = part.cloneNode(true);
    for (const one of copy.querySelectorAll("[data-since]")) one.textContent = "";
    for (const one of copy.querySelectorAll("details")) one.removeAttribute("open");
    for (const one of copy.querySelectorAll("[data-copy]")) one.hidden = true;
    for (const one of copy.querySelectorAll(".said[role=status]")) one.remove();
    return copy.outerHTML;
  }

  const FOCUSABLE = "a, button, summary, pre";

  // Where the focus is: the row, and the index among the focusable elements in it. Rows may be added or removed.
  function where(part) {
    const focused = document.activeElement;
    if (!focused || !part.contains(focused)) return null;
    const row = focused.closest("[data-row]");
    const within = row && part.contains(row) ? row : part;
    return { row: within.dataset.row, place: [...within.querySelectorAll(FOCUSABLE)].indexOf(focused) };
  }

  function put(before, after) {
    const held = where(before);
    after = document.importNode(after, true);
    keep(before, after);
    before.replaceWith(after);
    if (!held) return;
    const row = held.row && !after.dataset.row ? after.querySelector(`[data-row="${CSS.escape(held.row)}"]`) : after;
    const focused = row && row.querySelectorAll(FOCUSABLE)[held.place];
    // If the element is gone, no other one gets the focus: the user's next Enter was meant for the old element.
    (focused || main).focus({ preventScroll: true });
  }

  function parts(fresh) {
    let changed = false;
    for (const before of document.querySelectorAll("[data-part]")) {
      const after = fresh.getElementById(before.id);
      if (!after || bare(before) === bare(after)) continue;
      put(before, after);
      changed = true;
    }
    copying();
    return changed;
  }

  function rows(fresh) {
    const body = document.getElementById("rows");
    const found = fresh.querySelectorAll("#rows > tr");
    if (!body) return found.length;
    let others = 0;
    for (const after of found) {
      const before = document.getElementById(after.id);
      if (!before) {
        others += 1;
      } else if (bare(before) !== bare(after)) {
        put(before, after);
        document.getElementById(after.id).classList.add("changed");
      }
    }
    // A row that is missing in the new list is outdated: its job has changed, or newer jobs have pushed it down.
    const here = new Set([...found].map((one) => one.id));
    const gone = [...body.children].filter((one) => !here.has(one.id));
    for (const one of body.children) one.classList.toggle("gone", !here.has(one.id));
    return Math.max(others, gone.length);
  }

  function counted(others) {
    if (!others) return;
    const words = others === 1 ? "1 other job is new or has changed." : `${others} other jobs are new or have changed.`;
    say(words, { to: location.pathname + location.search, words: "Show" });
  }

  function isReading(selection) {
    return kind !== "list" && selection && !selection.isCollapsed && main.contains(selection.anchorNode);
  }

  async function refresh() {
    if (busy) { again = true; return; }
    if (isReading(getSelection())) { plan(2000); return; }
    busy = true;
    const began = performance.now();
    try {
      const asked = { credentials: "same-origin", redirect: "error", headers: { "X-Script": "pages" } };
      const answer = await fetch(location.pathname + location.search, asked);
      if (answer.status === 401) { end(); return; }
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (kind === "list") counted(rows(fresh));
      else if (parts(fresh) && kind === "job") say("This job has changed; the page was updated.");
      tick();
    } catch {
      plan(POLL_MS);
    } finally {
      took = performance.now() - began;
      last = performance.now();
      busy = false;
      if (again) { again = false; plan(0); }
    }
  }

  // Waits three times as long as the last fetch took, so that slow pages are fetched less often.
  function plan(least) {
    if (planned || over || document.hidden) return;
    const wait = Math.max(least, LEAST_MS - (performance.now() - last), 3 * took - (performance.now() - last), 50);
    planned = setTimeout(() => { planned = 0; refresh(); }, wait);
  }

  // The change feed

  function end() {
    over = true;
    if (source) source.close();
    say("Your session has ended; this page is no longer updated.", { to: location.pathname + location.search, words: "Sign in" });
  }

  function listen() {
    if (source || over || document.hidden || kind === "outbox") return;
    source = new EventSource("/pages/changes");
    source.addEventListener("open", () => { document.documentElement.dataset.listening = "yes"; plan(0); });
    source.addEventListener("job", (event) => {
      if (kind !== "job" || JSON.parse(event.data).uuid === main.dataset.job) plan(0);
    });
    source.addEventListener("error", () => {
      delete document.documentElement.dataset.listening;
      if (source && source.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, POLL_MS); plan(0); }
    });
  }

  function quiet() {
    if (source) source.close();
    source = null;
    delete document.documentElement.dataset.listening;
    clearTimeout(planned);
    planned = 0;
  }

  // Copy buttons

  function copying() {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied.");
  });

  copying();
  tick();
  setInterval(tick, 10000);
  if (!main) return;
  document.addEventListener("visibilitychange", () => { if (document.hidden) quiet(); else listen(), plan(0); });
  addEventListener("pagehide", quiet);
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); plan(0); } });
  setInterval(() => { if (document.querySelector("[data-poll]")) plan(0); }, POLL_MS);
  listen();
})();
