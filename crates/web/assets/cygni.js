// The dashboard's only script: parts of a page that change are fetched again when something happened, logs are
// followed as they are written, and times stay fresh. Without it every page still shows what there was when it was made.
"use strict";

const LINES_MAX = 5000;
const RETRY_MS = 3000;

// Fetches this page again and puts its changing parts in place.
let pending = 0;
let fetching = false;
let again = false;
let pressed = false;

async function refresh() {
  // Whoever presses a button must not have it pulled away.
  if (fetching || pressed) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.status === 404) {
      location.assign("/");
      return;
    }
    // The session has ended.
    if (answer.redirected) {
      location.assign(answer.url);
      return;
    }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (pressed) again = true;
      else if (fresh && shapeOf(fresh) !== shapeOf(old)) replace(old, fresh);
    }
  } finally {
    fetching = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

// What a part is made of, without its distances in time: these are kept fresh anyway.
function shapeOf(part) {
  const copy = part.cloneNode(true);
  copy.querySelectorAll("time").forEach((time) => time.replaceChildren());
  return copy.innerHTML;
}

// Puts the new content in place; the keyboard's focus stays where it was.
function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  old.replaceChildren(...fresh.childNodes);
  if (focused === null) return;
  const same = [...old.querySelectorAll("a, button")].find((element) => nameOf(element) === focused);
  same?.focus({ preventScroll: true });
}

function nameOf(element) {
  return `${element.tagName} ${element.getAttribute("href") ?? element.form?.getAttribute("action")} ${element.textContent}`;
}

function release() {
  // The click comes after the release.
  setTimeout(() => {
    pressed = false;
    if (again) soon();
  }, 50);
}

function soon() {
  clearTimeout(pending);
  pending = setTimeout(() => refresh().catch(() => {}), 120);
}

function followEvents(address) {
  const state = document.querySelector("[data-link-state]");
  const events = new EventSource(address);
  events.onopen = () => {
    if (state) state.hidden = true;
    // Something may have happened after the page was made and before anybody listened.
    soon();
  };
  events.onmessage = soon;
  events.onerror = () => {
    if (state) state.hidden = false;
    // The browser tries again by itself, unless it was answered and refused: the page tells whether the session ended.
    if (events.readyState !== EventSource.CLOSED) return;
    soon();
    setTimeout(() => followEvents(address), RETRY_MS);
  };
}

function clock(ms) {
  const at = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

function lineOf(line) {
  const item = document.createElement("li");
  item.className = line.level;
  const time = document.createElement("span");
  time.textContent = clock(line.at_ms);
  item.append(time, document.createTextNode(line.text));
  return item;
}

function followLog(list) {
  const state = list.parentElement.querySelector("[data-log-state]");
  const source = new EventSource(list.dataset.log);
  let waiting = [];
  // The newest line stays in view until somebody scrolls away from it.
  let atEnd = true;
  const toEnd = () => { if (atEnd) list.scrollTop = list.scrollHeight; };
  list.addEventListener("scroll", () => {
    atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  }, { passive: true });
  new ResizeObserver(toEnd).observe(list);
  const flush = () => {
    list.append(...waiting.map(lineOf));
    waiting = [];
    while (list.childElementCount > LINES_MAX) list.firstElementChild.remove();
    toEnd();
  };
  source.onopen = () => { state.textContent = "live"; };
  source.onerror = () => {
    const over = source.readyState === EventSource.CLOSED;
    state.textContent = over ? "broken off; load the page again" : "reconnecting…";
  };
  source.onmessage = (event) => {
    if (waiting.length === 0) requestAnimationFrame(flush);
    waiting.push(JSON.parse(event.data));
  };
  source.addEventListener("end", () => {
    state.textContent = "ended";
    list.dataset.ended = "";
    source.close();
  });
}

function when(at) {
  const seconds = Math.round((Date.now() - at) / 1000);
  const far = Math.abs(seconds);
  if (far < 10) return "just now";
  const span =
    far < 90 ? `${far} s`
    : far < 5400 ? `${Math.round(far / 60)} min`
    : far < 129600 ? `${Math.round(far / 3600)} h`
    : `${Math.round(far / 86400)} days`;
  return seconds > 0 ? `${span} ago` : `in ${span}`;
}

function tick() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = when(Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
  // A phase that is running grows.
  if (document.querySelector(".phases .running")) soon();
}

addEventListener("pointerdown", () => { pressed = true; });
addEventListener("pointerup", release);
addEventListener("pointercancel", release);
addEventListener("blur", release);
// A page that the browser kept shows what was.
addEventListener("pageshow", (event) => { if (event.persisted) soon(); });
if (document.body.dataset.events) followEvents(document.body.dataset.events);
document.querySelectorAll("[data-log]").forEach(followLog);
setInterval(tick, 1000);
