// The gateway's HTTP API: docs/http.md. The token is in this tab's session storage, and goes
// into a header of each request, never into an address. There is no cookie.

const kept = 'frostfleet.token';

export const token = {
  get: () => sessionStorage.getItem(kept) ?? '',
  set: text => sessionStorage.setItem(kept, text),
  forget: () => sessionStorage.removeItem(kept),
};

// Problem is what a request came to when it did not succeed: an RFC 9457 problem of the gateway,
// or status 0 where there was no answer.
export class Problem extends Error {
  constructor(said) {
    const {status = 0, code = 'disconnected', title = '', detail = '', errors = []} = said;
    const {requestId = '', retryAfter = 0} = said;
    super(detail || title || code);
    Object.assign(this, {status, code, title, detail, errors, requestId, retryAfter});
  }
  get unauthorized() { return this.status === 401; }
  get forbidden() { return this.status === 403; }
  get disconnected() { return this.status === 0; }
}

// clocks is how many seconds this browser's clock is ahead of the gateway's, by its last answer.
export const clocks = {ahead: 0};

const limit = 30_000; // milliseconds that an answer may take

function headers(more = {}) {
  const all = {Accept: 'application/json', ...more};
  if (token.get()) all.Authorization = `Bearer ${token.get()}`;
  return all;
}

async function problemOf(response) {
  let said = {};
  try {
    said = await response.json();
  } catch { /* no problem document: a proxy's page, or a cut answer */ }
  const text = key => (typeof said?.[key] === 'string' ? said[key] : '');
  return new Problem({
    status: response.status,
    code: text('code') || `http_${response.status}`,
    title: text('title') || response.statusText,
    detail: text('detail'),
    errors: Array.isArray(said?.errors) ? said.errors : [],
    requestId: text('request_id') || response.headers.get('X-Request-Id') || '',
    retryAfter: Number(response.headers.get('Retry-After')) || 0,
  });
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, {...options, cache: 'no-store', credentials: 'same-origin', redirect: 'error'});
  } catch (err) {
    if (options.signal?.aborted && options.signal.reason?.name !== 'TimeoutError') throw err;
    throw new Problem({title: 'No answer', detail: 'The gateway does not answer.'});
  }
  const date = Date.parse(response.headers.get('Date') ?? '');
  if (date) clocks.ahead = Math.round((Date.now() - date) / 1000);
  if (!response.ok) throw await problemOf(response);
  return response;
}

const either = signal => AbortSignal.any([AbortSignal.timeout(limit), ...(signal ? [signal] : [])]);

// exact keeps whole numbers that a double can't hold as BigInt: amounts of tokens have 64 bits.
const exact = (key, value, context) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
    ? BigInt(context.source) : value;

// get is the JSON of an answer.
export async function get(path, signal) {
  const response = await ask(path, {headers: headers(), signal: either(signal)});
  try {
    return JSON.parse(await response.text(), exact);
  } catch (err) {
    if (signal?.aborted) throw err;
    throw new Problem({title: 'Cut off', detail: 'The gateway’s answer ended early.'});
  }
}

// send posts or patches JSON.
export async function send(method, path, body) {
  const response = await ask(path, {
    method, body: JSON.stringify(body), signal: either(), headers: headers({'Content-Type': 'application/json'}),
  });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

// query writes a path with those parameters that have a value.
export function query(path, parameters) {
  const q = new URLSearchParams(Object.entries(parameters).filter(([, v]) => v !== '' && v != null));
  return q.size ? `${path}?${q}` : path;
}

// parseEvents reads server-sent events out of a growing text: the events that are whole, and the rest.
export function parseEvents(text) {
  const blocks = text.split('\n\n'), rest = blocks.pop();
  const events = blocks.map(block => {
    const event = {type: 'message', id: '', data: []};
    for (const line of block.split('\n')) {
      const at = line.indexOf(':'), name = at < 0 ? line : line.slice(0, at);
      const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '');
      if (name === 'event') event.type = value;
      if (name === 'id') event.id = value;
      if (name === 'data') event.data.push(value);
    }
    return {...event, data: event.data.join('\n')};
  }).filter(e => e.data !== '');
  return {events, rest};
}

// follow reads a stream of events until its end, and begins again where it was after an
// interruption. EventSource can't send a token, so it is fetch. each(event) returns true at the
// last event; state(connected) tells whether the stream is there.
export async function follow(path, {signal, each, state}) {
  let last = '';
  for (let pause = 500; !signal.aborted; pause = Math.min(2 * pause, 15_000)) {
    try {
      const more = last ? {'Last-Event-ID': last} : {};
      const response = await ask(path, {headers: headers({Accept: 'text/event-stream', ...more}), signal});
      if (response.status === 204) return; // there is nothing to come
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      state(true);
      for (let rest = ''; ;) {
        const {done, value} = await reader.read();
        if (done) break;
        const parsed = parseEvents(rest + value);
        rest = parsed.rest;
        for (const event of parsed.events) {
          pause = 500;
          last = event.id || last;
          if (each(event)) {
            reader.cancel().catch(() => {});
            return;
          }
        }
      }
    } catch (err) {
      if (signal.aborted) return;
      if (err instanceof Problem && err.status >= 400 && err.status < 500 && err.status !== 429) throw err;
    }
    state(false);
    await new Promise(resolve => {
      const timer = setTimeout(resolve, pause);
      signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, {once: true});
    });
  }
}
