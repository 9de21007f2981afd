// The guestbook's routes. Everything it knows about where it runs comes from PORT and CYGNI_*.
import { serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { streamSSE } from 'hono/streaming';

import { Guestbook, InvalidEntry } from './guestbook.js';
import { page } from './page.js';

const here = new URL('.', import.meta.url);
const book = await Guestbook.open(new URL('data/entries.json', here));
const app = new Hono();

app.get('/', (c) => c.html(page(book.latestFirst(), place(process.env))));
app.get('/entries', (c) => c.json(book.latestFirst()));
app.get('/healthz', (c) => c.text('ok'));
app.get('/pid', (c) => c.text(String(process.pid)));

app.post('/entries', bodyLimit({ maxSize: 8 * 1024 }), async (c) => {
  const isForm = !c.req.header('content-type')?.includes('json');
  try {
    const given = isForm ? await c.req.parseBody() : await c.req.json();
    const entry = await book.sign(given);
    return isForm ? c.redirect('/', 303) : c.json(entry, 201);
  } catch (error) {
    if (error instanceof InvalidEntry || error instanceof SyntaxError) return c.text(error.message, 422);
    throw error;
  }
});

app.get('/events', (c) =>
  streamSSE(c, async (stream) => {
    const unsubscribe = book.subscribe((entry) =>
      stream.writeSSE({ event: 'entry', id: String(entry.id), data: JSON.stringify(entry) }),
    );
    stream.onAbort(unsubscribe);
    // The first event tells the page that it is connected; the later ones keep proxies from closing.
    while (!stream.aborted) {
      await stream.writeSSE({ event: 'alive', data: String(Date.now()) });
      await stream.sleep(15_000);
    }
  }),
);

app.use('/*', serveStatic({ root: new URL('public', here).pathname }));

/** What the page tells about the deployment that serves it. */
function place(env) {
  return {
    namespace: env.CYGNI_NAMESPACE ?? 'local',
    deployment: env.CYGNI_DEPLOYMENT ?? 'your machine',
    environment: env.CYGNI_ENVIRONMENT,
    commit: env.CYGNI_COMMIT?.slice(0, 7),
  };
}

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`guestbook: listening on port ${port}, ${book.latestFirst().length} entries`);
});

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  // Event streams never end by themselves.
  server.closeAllConnections();
});
