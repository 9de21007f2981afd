// Reloads the page when its preview serves another deployment. Added by Cygni while somebody works on the preview.
(() => {
  "use strict";
  const mine = document.currentScript?.dataset.deployment;
  const mark = Symbol.for("cygni.live");
  if (!mine || window[mark]) return;
  Object.defineProperty(window, mark, { value: true });

  const WAIT_MIN_MS = 200;
  const WAIT_MAX_MS = 5_000;
  const GIVE_UP_MS = 30 * 60_000;
  // The edge closes with this code when nobody works on the preview any more.
  const NOT_WATCHED = 4001;

  let socket = null;
  let wait = WAIT_MIN_MS;
  let heard = Date.now();

  const listen = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    try {
      socket = new WebSocket(`${scheme}://${location.host}/.cygni/live`);
    } catch {
      return;
    }
    socket.onmessage = (event) => {
      wait = WAIT_MIN_MS;
      heard = Date.now();
      if (JSON.parse(event.data).deployment !== mine) location.reload();
    };
    socket.onclose = (event) => {
      if (event.code === NOT_WATCHED || Date.now() - heard > GIVE_UP_MS) return;
      setTimeout(listen, wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, WAIT_MAX_MS);
    };
  };

  // A page that rests in the browser's memory must not hold a connection.
  addEventListener("pagehide", () => {
    if (!socket) return;
    socket.onclose = null;
    socket.close();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) listen();
  });
  listen();
})();
