// The entries: the latest 200, in memory and in one file, told to whoever subscribed.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const ENTRIES_MAX = 200;
const NAME_LENGTH_MAX = 40;
const MESSAGE_LENGTH_MAX = 280;

export class InvalidEntry extends Error {}

export class Guestbook {
  #file;
  #entries;
  #readers = new Set();
  #saving = Promise.resolve();

  constructor(file, entries) {
    this.#file = file;
    this.#entries = entries;
  }

  static async open(url) {
    const file = fileURLToPath(url);
    try {
      return new Guestbook(file, JSON.parse(await readFile(file, 'utf8')));
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      return new Guestbook(file, []);
    }
  }

  latestFirst() {
    return this.#entries.toReversed();
  }

  async sign(given) {
    const { name, message } = given ?? {};
    const entry = {
      id: (this.#entries.at(-1)?.id ?? 0) + 1,
      name: text('name', name, NAME_LENGTH_MAX),
      message: text('message', message, MESSAGE_LENGTH_MAX),
      at: new Date().toISOString(),
    };
    this.#entries = [...this.#entries, entry].slice(-ENTRIES_MAX);
    for (const tell of this.#readers) tell(entry);
    await this.#save();
    return entry;
  }

  /** Calls `tell` with each new entry until the returned function is called. */
  subscribe(tell) {
    this.#readers.add(tell);
    return () => this.#readers.delete(tell);
  }

  // One save after the other, each whole: a reader of the file never sees half of it.
  #save() {
    this.#saving = this.#saving.then(async () => {
      await mkdir(dirname(this.#file), { recursive: true });
      await writeFile(`${this.#file}.new`, JSON.stringify(this.#entries));
      await rename(`${this.#file}.new`, this.#file);
    });
    // On a read-only disk the book lives in memory.
    return (this.#saving = this.#saving.catch((error) => console.error(`guestbook: not saved: ${error.message}`)));
  }
}

function text(field, value, lengthMax) {
  const trimmed = typeof value === 'string' ? value.trim() : '';
  if (trimmed === '') throw new InvalidEntry(`Please fill in the ${field}.`);
  if (trimmed.length > lengthMax) throw new InvalidEntry(`The ${field} is longer than ${lengthMax} characters.`);
  return trimmed;
}
