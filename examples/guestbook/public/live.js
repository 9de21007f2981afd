// Shows new entries as they arrive and signs without leaving the page.
const list = document.querySelector('#entries');
const dot = document.querySelector('#live');
const count = document.querySelector('#count');
const form = document.querySelector('#sign');
const problem = document.querySelector('#problem');

const events = new EventSource('/events');
events.addEventListener('entry', ({ data }) => show(JSON.parse(data)));
events.addEventListener('alive', () => setLive(true));
events.addEventListener('error', () => setLive(false));

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  problem.textContent = '';
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  try {
    const answer = await fetch('/entries', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    if (!answer.ok) throw new Error(await answer.text());
    show(await answer.json());
    form.elements.message.value = '';
  } catch (error) {
    problem.textContent = error.message;
  }
});

for (const time of list.querySelectorAll('time')) tellTime(time);

function show({ id, name, message, at }) {
  if (list.querySelector(`[data-id="${id}"]`)) return;
  const item = make('li', 'new');
  item.dataset.id = id;
  item.style.setProperty('--hue', hue(name));
  const face = make('span', 'face', [...name][0]);
  face.setAttribute('aria-hidden', 'true');
  const time = make('time');
  time.dateTime = at;
  tellTime(time);
  const who = make('p', 'who');
  who.append(make('strong', '', name), ' ', time);
  const text = make('div');
  text.append(who, make('p', 'message', message));
  item.append(face, text);
  list.prepend(item);
  count.textContent = list.children.length;
}

function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function tellTime(time) {
  const options = { dateStyle: 'medium', timeStyle: 'short' };
  time.textContent = new Date(time.dateTime).toLocaleString(undefined, options);
}

function setLive(live) {
  dot.classList.toggle('on', live);
  dot.title = live ? 'Live: new entries appear at once' : 'Connecting again…';
}

function hue(name) {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
}
