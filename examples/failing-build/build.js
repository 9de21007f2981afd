import { render } from './render.js';

await render('dist');
