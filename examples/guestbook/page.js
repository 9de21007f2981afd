// The page, rendered on the server; it works without JavaScript, only less lively.
import { html } from 'hono/html';

export function page(entries, place) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>Guestbook · ${place.namespace}</title>
    <link rel="icon" href="/favicon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/style.css">
    <script type="module" src="/live.js"></script>
  </head>
  <body>
    <header>
      <p class="place">
        <span class="dot" id="live" title="Waiting for live updates"></span>
        ${place.namespace}<span class="fine"> · ${place.deployment}</span>
        ${place.commit ? html`<span class="fine"> · ${place.commit}</span>` : ''}
      </p>
      <h1>Guestbook</h1>
      <p class="lead">You found this preview. Leave a line, and everybody here sees it at once.</p>
    </header>
    <main>
      <form action="/entries" method="post" id="sign">
        <label>Name <input name="name" required maxlength="40" autocomplete="name" placeholder="Ada"></label>
        <label>
          Message
          <textarea name="message" required maxlength="280" rows="3" placeholder="Looks good on my phone, too."></textarea>
        </label>
        <p class="actions"><output id="problem" role="alert"></output><button>Sign the book</button></p>
      </form>
      <section aria-labelledby="entries-title">
        <h2 id="entries-title">Entries <span class="count" id="count">${entries.length}</span></h2>
        <ol id="entries" aria-live="polite">${entries.map(entryItem)}</ol>
        <p class="empty">Nobody has signed yet. Be the first.</p>
      </section>
    </main>
    <footer>${place.environment ? html`A ${place.environment} served by Cygni` : 'Running on its own'}</footer>
  </body>
</html>`;
}

function entryItem({ id, name, message, at }) {
  return html`<li data-id="${id}" style="--hue: ${hue(name)}">
    <span class="face" aria-hidden="true">${[...name][0]}</span>
    <div>
      <p class="who"><strong>${name}</strong> <time datetime="${at}">${at.slice(0, 16).replace('T', ' ')}</time></p>
      <p class="message">${message}</p>
    </div>
  </li>`;
}

// The same person has the same colour everywhere (public/live.js computes it too).
function hue(name) {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
}
