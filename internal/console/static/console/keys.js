// Keys: searching, listing, and one of them.
import {html, useEffect, useState} from './vendor/htm-preact.js';
import {get, query, send} from './api.js';
import {ends, visible} from './format.js';
import {Copy, Facts, Fault, Meta, Resource, Table, Time, usePoll} from './ui.js';
import {jobPage} from './jobs.js';
import {Label} from './label.js';

const keyID = /^[0-9a-f]{32}\.\d{1,4}$/, uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const address = /^((bc|tb|bcrt)1[02-9ac-hj-np-z]{20,87}|[1-9A-HJ-NP-Za-km-z]{32,44})$/;

// search reads what a person typed into the one field: a key's id, a job's, an address, or a part
// of a label.
export function search(text) {
  const q = text.trim();
  if (keyID.test(q)) return {key: q};
  if (uuid.test(q)) return {job: q};
  if (address.test(q)) return {address: q};
  return {text: q};
}

const link = id => `#/keys/${encodeURIComponent(id)}`;

export function Keys({route}) {
  const q = route.search.get('q') ?? '', chain = route.search.get('chain') ?? '';
  const [typed, setTyped] = useState(q);
  useEffect(() => setTyped(q), [q]);
  const meant = search(q);
  const go = (next = {}) => { location.hash = query('#/keys', {q: typed.trim(), chain, ...next}); };
  const submit = event => {
    event.preventDefault();
    const found = search(typed);
    if (found.key) location.hash = link(found.key);
    else go();
  };
  return html`<h1 tabindex="-1">Keys</h1>
    <form class="filters" role="search" onSubmit=${submit}>
      <label class="grow">Search <input id="key-search" type="search" value=${typed} spellcheck="false"
        onInput=${e => setTyped(e.target.value)} aria-describedby="key-hint" /></label>
      <label>Chain <select id="key-chain" value=${chain} onChange=${e => go({chain: e.target.value})}>
        <option value="">all</option><option value="bitcoin">bitcoin</option><option value="solana">solana</option>
      </select></label>
      <button type="submit">Search</button>
      <p id="key-hint" class="small muted">A part of a label, an address, a key’s id, or the id of the job that made
        it.</p>
    </form>
    ${meant.address ? html`<${Found} address=${meant.address} />` :
      html`<${List} path=${query('/v1/keys', {...meant, key: '', chain, limit: 50})} searched=${q || chain} />`}`;
}

function Found({address: wanted}) {
  const found = usePoll(`/v1/addresses/${encodeURIComponent(wanted)}`, 10_000);
  return html`<${Resource} of=${found}>${a => html`<section class="card"><${Facts} of=${[
    ['Address', html`<${Copy} text=${a.address} what="the address" />`, true],
    ['Key', html`<a href=${link(a.key.id)}><code>${visible(a.key.id)}</code></a>`, true],
    ['Path', visible(a.path)], ['Client', visible(a.key.client)], ['Label', visible(a.key.label)]]} /></section>`}<//>`;
}

function List({path, searched}) {
  const first = usePoll(path, 10_000); // what was written a moment ago shows without a reload
  const [more, setMore] = useState({path, keys: [], next: null, error: null});
  useEffect(() => setMore({path, keys: [], next: null, error: null}), [path]);
  const load = async () => {
    try {
      const page = await get(path + '&' + new URLSearchParams({cursor: more.next ?? first.data.next_cursor}));
      setMore(old => ({path, keys: [...old.keys, ...page.keys], next: page.next_cursor ?? '', error: null}));
    } catch (error) {
      setMore(old => ({...old, error}));
    }
  };
  return html`<${Resource} of=${first} isEmpty=${d => d.keys.length === 0} empty=${searched ? 'No key is like that.' :
    'No key yet. frostctl keygen, or POST /v1/keys, makes some.'}>${data => html`
    <${Table} caption="Keys, oldest first" id=${k => k.id}
      rows=${[...data.keys, ...(more.path === path ? more.keys : [])]} columns=${[
        {head: 'Label', cell: k => visible(k.label) || '–'},
        {head: 'Address', cell: k => html`<a href=${link(k.id)}><code class="whole">${visible(k.address)}</code></a>`},
        {head: 'Chain', cell: k => visible(k.chain)}, {head: 'Client', cell: k => visible(k.client)},
        {head: 'Key', cell: k => html`<code title=${visible(k.id)}>${ends(k.id)}</code>`},
        {head: 'Made', cell: k => html`<${Time} at=${k.created} />`},
      ]} />
    ${(more.next ?? data.next_cursor) && html`<button type="button" onClick=${load}>More keys</button>`}
    <${Fault} error=${more.error} />`}<//>`;
}

export function Key({route}) {
  const id = route.parts[0], path = `/v1/keys/${encodeURIComponent(id)}`;
  const key = usePoll(path, 0), [changed, setChanged] = useState({});
  return html`<p class="crumb"><a href="#/keys">Keys</a></p><h1 tabindex="-1">Key <code>${visible(id)}</code></h1>
    <${Resource} of=${key}>${k => html`
      <section class="card"><${Facts} of=${[
        ['Address', html`<${Copy} text=${k.address} what="the address" />`, true],
        ['Chain', visible(k.chain)], ['Client', visible(k.client)],
        ['Public key', html`<${Copy} text=${k.public_key} what="the public key" />`, true],
        ['Descriptor', k.descriptor && html`<${Copy} text=${k.descriptor} what="the descriptor" />`, true],
        ['Made', html`<${Time} at=${k.created} />`],
        ['By job', k.job && html`<a href=${jobPage(k.job)}><code>${visible(k.job)}</code></a>`, true],
        ['Generation', String(k.generation ?? '')],
      ]} /><${Meta} of=${k.metadata} /></section>
      <${Label} what="key" value=${changed.label ?? k.label} save=${async label => {
        await send('PATCH', path, {label});
        setChanged({label});
      }} />
      <${Children} path=${path} chain=${k.chain} />`}<//>`;
}

function Children({path, chain}) {
  const [open, setOpen] = useState(false);
  const list = usePoll(open ? `${path}/addresses?count=20` : '', 0);
  return html`<details class="card" onToggle=${e => setOpen(e.currentTarget.open)}>
    <summary>Addresses of its children${chain === 'bitcoin' && ', as its descriptor has them'}</summary>
    ${open && html`<${Resource} of=${list}>${d => html`<${Table} caption="The first 20 children" rows=${d.addresses}
      id=${a => a.path} columns=${[{head: 'Path', cell: a => html`<code>${visible(a.path)}</code>`},
        {head: 'Address', cell: a => html`<code class="whole">${visible(a.address)}</code>`}]} />`}<//>`}
  </details>`;
}
