import { createServer } from 'node:http';

const port = Number(process.env.PORT ?? 3000);
const server = createServer((request, response) => {
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`Hello from [::1], you asked for ${request.url}\n`);
});

server.listen(port, '::1', () => console.log(`listening on [::1]:${port}`));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
