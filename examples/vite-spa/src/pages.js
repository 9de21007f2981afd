// Path in, page out. The paths exist in the browser only.
const PLANETS = {
  mars: { name: 'Mars', moons: 2, day: '24 h 37 min' },
  saturn: { name: 'Saturn', moons: 274, day: '10 h 33 min' },
};

export function render(path) {
  if (path === '/') {
    return { title: 'A single page', body: '<h1>A single page</h1><p>Choose a planet, then reload: the path stays.</p>' };
  }
  const planet = PLANETS[/^\/planets\/([a-z]+)$/.exec(path)?.[1]];
  if (!planet) return { title: 'Not found', body: '<h1>No such page</h1><p>The router of the page says so.</p>' };
  const { name, moons, day } = planet;
  return { title: name, body: `<h1>${name}</h1><p>${moons} moons, a day of ${day}.</p>` };
}
