import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { WebSocket, WebSocketServer } from 'ws';

const DOWNLOAD_BYTES_MAX = 2 ** 30;
const page = await readFile(new URL('public/index.html', import.meta.url));

const routes = {
  __proto__: null,
  '/': (request, response) => response.setHeader('content-type', 'text/html; charset=utf-8').end(page),
  '/events': streamEvents,
  '/upload': countUpload,
  '/download': streamDownload,
};

const server = createServer((request, response) => {
  const [path, query] = request.url.split('?', 2);
  const route = routes[path];
  if (!route) return response.writeHead(404).end('not found\n');
  Promise.resolve(route(request, response, new URLSearchParams(query))).catch(() => response.destroy());
});

const sockets = new WebSocketServer({ server, path: '/ws', maxPayload: 1024 * 1024 });
sockets.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => {
    if (isBinary) return socket.send(data, { binary: true });
    socket.send(`echo: ${data}`);
    for (const other of sockets.clients) {
      if (other !== socket && other.readyState === WebSocket.OPEN) other.send(`said: ${data}`);
    }
  });
});

function streamEvents(request, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let count = 0;
  const tick = () => response.write(`event: tick\ndata: ${++count}\n\n`);
  tick();
  const timer = setInterval(tick, 200);
  response.on('close', () => clearInterval(timer));
}

async function countUpload(request, response) {
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  response.setHeader('content-type', 'application/json').end(`{"bytes": ${bytes}}\n`);
}

function streamDownload(request, response, query) {
  const asked = Number(query.get('bytes') ?? 1024);
  if (!(asked >= 0 && asked <= DOWNLOAD_BYTES_MAX)) return response.writeHead(400).end('bytes: 0 to 1073741824\n');
  response.setHeader('content-type', 'application/octet-stream');
  return pipeline(Readable.from(chunks(asked)), response);
}

function* chunks(bytes) {
  const chunk = Buffer.alloc(64 * 1024, '.');
  for (let rest = bytes; rest > 0; rest -= chunk.length) yield chunk.subarray(0, Math.min(rest, chunk.length));
}

const port = Number(process.env.PORT ?? 3000);
server.listen(port, () => console.log(`listening on port ${port}`));
process.on('SIGTERM', () => {
  for (const socket of sockets.clients) socket.close(1001, 'the server ends');
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
