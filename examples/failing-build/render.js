import { mkdir, writeFile } from 'node:fs/promises';

// The brace that line 7 should close was never opened.
export async function render(directory)
  await mkdir(directory, { recursive: true });
  await writeFile(`${directory}/index.html`, '<h1>Never built</h1>');
}
