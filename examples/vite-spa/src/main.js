import './style.css';
import { render } from './pages.js';

const app = document.querySelector('#app');

// Links within the site change the page without a request.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a');
  if (!link || link.origin !== location.origin || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  history.pushState(null, '', link.href);
  show();
});
window.addEventListener('popstate', show);
show();

function show() {
  const { title, body } = render(location.pathname);
  document.title = title;
  app.innerHTML = body;
}
