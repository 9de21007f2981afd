import { createServer } from 'node:http';

const server = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`Hello from 127.0.0.1:3000, you asked for ${request.url}\n`);
});

server.listen(3000, '127.0.0.1', () => console.log('listening on 127.0.0.1:3000'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
