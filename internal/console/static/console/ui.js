// What all pages are made of: polling, the states of a resource, tables, texts.
import {html, useEffect, useRef, useState} from './vendor/htm-preact.js';
import {Problem, get} from './api.js';
import {ago, clock, duration, visible} from './format.js';

// useNow is the time, in milliseconds, again every so often.
export function useNow(every = 1000) {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

// usePoll asks for a path again and again while the page is looked at; an empty path asks for
// nothing. What was known stays after an error, with the time it is of.
export function usePoll(path, every = 3000) {
  const [state, set] = useState({path, data: null, error: null, at: 0});
  const again = useRef(() => {});
  useEffect(() => {
    set({path, data: null, error: null, at: 0});
    if (!path) return undefined;
    let stop = new AbortController(), timer = 0;
    const run = async () => {
      clearTimeout(timer);
      stop.abort();
      const mine = stop = new AbortController();
      let wait = every;
      try {
        const data = await get(path, mine.signal);
        set({path, data, error: null, at: Date.now()});
      } catch (error) {
        if (mine.signal.aborted) return;
        wait = Math.max(every, 1000 * (error.retryAfter ?? 0));
        set(old => ({...old, path, error}));
        if (error.unauthorized) dispatchEvent(new CustomEvent('frost-unauthorized', {detail: error}));
      }
      if (every && !mine.signal.aborted) timer = setTimeout(() => (document.hidden ? null : run()), wait);
    };
    const shown = () => { if (!document.hidden && every) run(); };
    again.current = run;
    document.addEventListener('visibilitychange', shown);
    run();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
    };
  }, [path, every]);
  // Between a change of path and its effect there is the old path's data, which is not this one's.
  const mine = state.path === path ? state : {path, data: null, error: null, at: 0};
  return {...mine, reload: () => again.current()};
}

// Fault shows why something was not answered.
export function Fault({error, children}) {
  if (!error) return null;
  const problem = error instanceof Problem;
  const title = problem && error.forbidden ? 'This token may not see this' :
    problem && error.disconnected ? 'No answer from the gateway' : error.title || 'That did not work';
  return html`<div class="note bad" role="alert">
    <strong>${visible(title)}</strong>
    <p>${visible(error.detail || error.message)}</p>
    ${problem && error.errors.length > 0 && html`<ul>${error.errors.map(e => html`<li>
      ${e?.location && html`<code>${visible(e.location)}</code>${' '}`}${visible(e?.message)}</li>`)}</ul>`}
    ${problem && !error.disconnected && html`<p class="small muted">Code <code>${visible(error.code)}</code>${
      error.requestId && html`, request <code>${visible(error.requestId)}</code>`}</p>`}
    ${children}
  </div>`;
}

// Resource is one that is polled: loading, wrong, empty, stale or there.
export function Resource({of, empty, isEmpty, children}) {
  const now = useNow();
  if (!of.data) {
    if (of.error) return html`<${Fault} error=${of.error} />`;
    return html`<p class="loading" role="status">Loading…</p>`;
  }
  const stale = of.error && html`<div class="note warn" role="status"><strong>Not current.</strong>${' '}
    This is what the gateway said ${duration(Math.max(0, (now - of.at) / 1000))} ago, at ${clock(of.at)}.${' '}
    Since then: ${visible(of.error.detail || of.error.message)}</div>`;
  return html`${stale}<div class=${of.error ? 'stale' : ''}>${
    isEmpty?.(of.data) ? html`<p class="empty">${empty}</p>` : children(of.data)}</div>`;
}

// Table is a table that is a list of cards where it would not fit. columns: {head, cell(row), num, wide}.
export function Table({caption, columns, rows, id}) {
  return html`<table class="cards" role="table">
    <caption class="hidden">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map(c => html`<th role="columnheader" scope="col"
      class=${c.num ? 'num' : ''}>${c.head}</th>`)}</tr></thead>
    <tbody role="rowgroup">${rows.map((row, i) => html`<tr role="row" key=${id?.(row) ?? i}>${columns.map(c => html`
      <td role="cell" data-head=${c.head} class=${[c.num && 'num', c.wide && 'wide'].filter(Boolean).join(' ')}><div>${
        c.cell(row)}</div></td>`)}</tr>`)}</tbody>
  </table>`;
}

// Mark is a word with a shape before it, so that colour says nothing alone.
const shapes = {ok: '✓', bad: '✕', warn: '!', idle: '○', run: '▸'};
export const Mark = ({is, children}) => html`<span class=${`mark ${is}`}><span aria-hidden="true">${
  shapes[is]}</span>${' '}${children}</span>`;

// What the states of jobs look like.
export const states = {
  accepted: ['run', 'in work'], pending: ['warn', 'waits for approval'], done: ['ok', 'done'],
  partial: ['warn', 'partly done'], denied: ['bad', 'denied'], failed: ['bad', 'failed'],
};
export const ended = state => !['accepted', 'pending'].includes(state);
export const State = ({of}) => {
  const [is, word] = states[of] ?? ['idle', visible(of)];
  return html`<${Mark} is=${is}>${word}<//>`;
};

// Time is a time as a person says it, with the time itself beside.
export function Time({at}) {
  const now = useNow(5000);
  if (!at) return '–';
  return html`<time datetime=${at} title=${clock(at, 0)}>${ago(at, now)}</time>`;
}

// Copy shows a text with a button that copies it.
export function Copy({text, what, children}) {
  const [done, set] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      set('copied');
    } catch {
      set('select it by hand');
    }
    setTimeout(() => set(''), 2000);
  };
  return html`<span class="copy"><code>${children ?? visible(text)}</code><button type="button" class="quiet"
    aria-label=${`Copy ${what}`} onClick=${copy}>copy</button>
    <span role="status" class="small muted">${done}</span></span>`;
}

// Facts is a list of names and values; without a value a name is left out. A third member that is
// true gives it a line of its own.
export const Facts = ({of}) => html`<dl class="facts">${of.filter(([, v]) => v !== '' && v != null && v !== false)
  .map(([name, value, long]) => html`<div key=${name} class=${long ? 'long' : ''}>
    <dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

// Bar is progress, with its words beside it.
export function Bar({done, total, what}) {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  return html`<div class="bar" role="progressbar" aria-label=${what} aria-valuemin="0" aria-valuemax=${total || 1}
    aria-valuenow=${Math.min(done, total || 0)}><div style=${{width: `${100 * share}%`}}></div></div>`;
}

// Meta is a client's own remarks.
export const Meta = ({of}) => (of && Object.keys(of).length > 0 ? html`<ul class="meta">${Object.entries(of)
  .map(([k, v]) => html`<li key=${k}><span class="muted">${visible(k)}:</span> ${visible(v)}</li>`)}</ul>` : null);
