// pages/*.md become dist/*.html; assets/ is copied as it is.
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { marked } from 'marked';

await rm('dist', { recursive: true, force: true });
await mkdir('dist', { recursive: true });
await cp('assets', 'dist', { recursive: true });

const pages = (await readdir('pages')).filter((name) => name.endsWith('.md'));
for (const page of pages) {
  const markdown = await readFile(`pages/${page}`, 'utf8');
  const title = /^# (.+)$/m.exec(markdown)?.[1] ?? 'Untitled';
  const target = page.replace(/\.md$/, '.html');
  await writeFile(`dist/${target}`, layout(title, marked.parse(markdown)));
  console.log(`built ${target}`);
}

function layout(title, body) {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="stylesheet" href="/style.css">
  </head>
  <body>
    <main>${body}</main>
  </body>
</html>
`;
}
