// The console: the frame around its pages, which page is shown, and the token.
import {html, render, useEffect, useRef, useState} from './vendor/htm-preact.js';
import {Problem, get, token} from './api.js';
import {visible} from './format.js';
import {Fault, usePoll} from './ui.js';
import {Overview} from './overview.js';
import {Job, Jobs} from './jobs.js';
import {Key, Keys} from './keys.js';
import {Approval, Approvals} from './approvals.js';

const pages = [
  {name: '', title: 'Fleet', page: Overview},
  {name: 'jobs', title: 'Jobs', page: Jobs, one: Job},
  {name: 'approvals', title: 'Approvals', page: Approvals, one: Approval},
  {name: 'keys', title: 'Keys', page: Keys, one: Key},
];

// readRoute reads "#/keys/ID?text=x".
function readRoute() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  let parts = [];
  try {
    parts = path.split('/').map(decodeURIComponent);
  } catch { /* no address of ours */ }
  return {hash: location.hash, name: parts[0] ?? '', parts: parts.slice(1), search: new URLSearchParams(search)};
}

const themes = {auto: 'System', light: 'Light', dark: 'Dark'};

function Theme() {
  const [theme, set] = useState(document.documentElement.dataset.theme ?? 'auto');
  const choose = event => {
    const chosen = event.target.value;
    set(chosen);
    if (chosen === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    try {
      localStorage.setItem('frostfleet.theme', chosen);
    } catch { /* it holds for this page, then */ }
  };
  return html`<label class="theme"><span class="hidden">Colours</span>
    <select id="theme" value=${theme} onChange=${choose}>
    ${Object.entries(themes).map(([k, v]) => html`<option key=${k} value=${k}>${v}</option>`)}</select></label>`;
}

function Entry({error, enter}) {
  const field = useRef(null);
  const submit = event => {
    event.preventDefault();
    const text = field.current.value.trim();
    if (text) enter(text);
  };
  return html`<main id="main" class="entry">
    <h1 tabindex="-1">Who are you?</h1>
    <p>This gateway answers to those who show it a token. <code>frostctl http token</code> makes one; in a fleet
      of <code>frostctl dev --http</code> it is in the file <code>http.token</code>.</p>
    <form onSubmit=${submit}>
      <label for="token">Token</label>
      <input id="token" ref=${field} type="password" autocomplete="off" spellcheck="false" required autofocus
        aria-describedby="token-kept" aria-invalid=${error ? 'true' : 'false'} />
      <p id="token-kept" class="small muted">It stays in this tab until you close it or press “Forget token”. It goes
        to this gateway only, in a header, and never into an address.</p>
      <button type="submit" class="main">Show the fleet</button>
    </form>
    ${error && html`<${Fault} error=${error} />`}
  </main>`;
}

function Console({forget, entered}) {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const changed = () => setRoute(readRoute());
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  const entry = pages.find(p => p.name === route.name) ?? pages[0];
  const fleet = usePoll('/v1/fleet', 3000);
  const approvals = usePoll('/v1/approvals', 5000);
  const first = useRef(true);
  const where = [route.name, ...route.parts].join('/');
  useEffect(() => {
    document.title = `${entry.title} · Frostfleet${fleet.data ? ` ${visible(fleet.data.fleet)}` : ''}`;
  }, [entry.title, fleet.data?.fleet]);
  useEffect(() => {
    if (!first.current || entered) document.querySelector('h1')?.focus();
    first.current = false;
  }, [where]);
  const waiting = approvals.data?.approvals?.length ?? 0;
  const Page = route.parts.length > 0 && entry.one ? entry.one : entry.page;
  const skip = event => {
    event.preventDefault();
    document.querySelector('h1')?.focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the page</a>
    <header class="top">
      <div class="who"><img src="console/icon.svg" alt="" width="28" height="28" />
        <span class="brand">Frostfleet</span>
        ${fleet.data && html`<span class="fleet">${visible(fleet.data.fleet)}</span>
          <span class="tag">${visible(fleet.data.network)}</span>`}</div>
      <div class="tools">
        <span class="link" role="status">${fleet.error?.disconnected ?
          html`<span class="mark bad"><span aria-hidden="true">✕</span> disconnected</span>` :
          fleet.data ? html`<span class="mark ok"><span aria-hidden="true">✓</span> connected</span>` : ''}</span>
        <${Theme} />
        ${token.get() && html`<button type="button" id="forget" onClick=${forget}>Forget token</button>`}
      </div>
      <nav aria-label="Pages">${pages.map(p => html`<a key=${p.name} href=${`#/${p.name}`}
        aria-current=${p === entry ? 'page' : null}>${p.title}${p.name === 'approvals' && waiting > 0 &&
        html` <span class="badge">${waiting}<span class="hidden"> waiting</span></span>`}</a>`)}</nav>
    </header>
    <main id="main"><${Page} key=${where} route=${route} fleet=${fleet} approvals=${approvals} /></main>
    <footer class="small muted"><a href="/docs">HTTP API</a> · <a href="/openapi.json">OpenAPI</a>
      ${fleet.data?.version && html` · gateway ${visible(fleet.data.version)}`}</footer>`;
}

function App() {
  // in: undefined as long as nobody knows whether a token is needed. A certificate needs none.
  const [state, set] = useState({in: undefined, error: null});
  const look = async () => {
    try {
      await get('/v1/fleet');
      set(old => ({in: true, error: null, tried: old.tried}));
    } catch (error) {
      const out = error instanceof Problem && error.unauthorized;
      if (out) token.forget();
      set(old => ({in: !out, error: out && old.tried ? error : null}));
    }
  };
  useEffect(() => {
    look();
    const out = event => { token.forget(); set({in: false, error: event.detail}); };
    addEventListener('frost-unauthorized', out);
    return () => removeEventListener('frost-unauthorized', out);
  }, []);
  const enter = text => {
    token.set(text);
    set({in: false, error: null, tried: true});
    look();
  };
  if (state.in === undefined) return html`<p class="boot" role="status">Loading…</p>`;
  if (!state.in) {
    return html`<header class="top"><div class="who"><img src="console/icon.svg" alt="" width="28" height="28" />
      <span class="brand">Frostfleet</span></div><div class="tools"><${Theme} /></div></header>
      <${Entry} error=${state.error} enter=${enter} />`;
  }
  return html`<${Console} entered=${state.tried} forget=${() => { token.forget(); set({in: false, error: null}); }} />`;
}

const root = document.getElementById('app');
root.textContent = '';
render(html`<${App} />`, root);
