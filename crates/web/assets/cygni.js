// The dashboard's only script: parts of a page that change are fetched again when something happened, logs are
// followed as they are written, and times stay fresh. Without it every page still shows what there was when it was made.
"use strict";

const LINES_MAX = 5000;

// Fetches this page again and puts its changing parts in place.
let pending = 0;
let fetching = false;
let again = false;

async function refresh() {
  if (fetching) {
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
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      // Whoever is about to press a button must not have it pulled away.
      if (fresh && fresh.innerHTML !== old.innerHTML && !old.contains(document.activeElement)) {
        old.replaceChildren(...fresh.childNodes);
      }
    }
  } finally {
    fetching = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

function soon() {
  clearTimeout(pending);
  pending = setTimeout(() => refresh().catch(() => {}), 120);
}

function followEvents(address) {
  const state = document.querySelector("[data-link-state]");
  const events = new EventSource(address);
  let lost = false;
  events.onopen = () => {
    if (state) state.hidden = true;
    if (lost) soon();
    lost = false;
  };
  events.onmessage = soon;
  events.onerror = () => {
    lost = true;
    if (state) state.hidden = false;
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
  const flush = () => {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...waiting.map(lineOf));
    waiting = [];
    while (list.childElementCount > LINES_MAX) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  source.onopen = () => { state.textContent = "live"; };
  source.onerror = () => { state.textContent = "reconnecting…"; };
  source.onmessage = (event) => {
    if (waiting.length === 0) requestAnimationFrame(flush);
    waiting.push(JSON.parse(event.data));
  };
  source.addEventListener("end", () => {
    state.textContent = "ended";
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

if (document.body.dataset.events) followEvents(document.body.dataset.events);
document.querySelectorAll("[data-log]").forEach(followLog);
setInterval(tick, 1000);
