// Jobs: the list, and one of them as it goes.
import {html, useEffect, useState} from './vendor/htm-preact.js';
import {follow, get, query, send} from './api.js';
import {clock, count, duration, ends, visible} from './format.js';
import {Bar, Copy, Facts, Fault, Meta, Resource, State, Table, Time, ended, states, usePoll} from './ui.js';
import {Label} from './label.js';

export const jobPage = id => `#/jobs/${encodeURIComponent(id)}`;

function progress(job) {
  if (!job.count) return job.done > 0 ? count(job.done) : '–';
  return html`<span class="progress">${count(job.done)} of ${count(job.count)}${!ended(job.status) && html`
    <${Bar} done=${job.done} total=${job.count} what=${`Progress of job ${job.id}`} />`}</span>`;
}

// took is how long a job took. Of one that was first heard of by its result nobody here knows.
function took(job) {
  const seconds = (Date.parse(job.ended) - Date.parse(job.created)) / 1000;
  return seconds > 0 ? duration(seconds) : '–';
}

const why = job => job.code && html`<span class="why"><code>${visible(job.code)}</code> ${visible(job.error)}</span>`;

const link = job => html`<a href=${jobPage(job.id)}><code title=${visible(job.id)}>${ends(job.id)}</code></a>`;

const kindOf = job => html`${visible(job.kind)} ${job.chain && html`<span class="muted">${visible(job.chain)}</span>`}`;

export const JobTable = ({jobs, caption}) => html`<${Table} caption=${caption} rows=${jobs}
  id=${job => `${job.client}.${job.id}`} columns=${[
    {head: 'State', cell: job => html`<${State} of=${job.status} />`},
    {head: 'Job', cell: link},
    {head: 'Kind', cell: kindOf},
    {head: 'Client', cell: job => visible(job.client)},
    {head: 'Label', cell: job => visible(job.label) || '–'},
    {head: 'Done', cell: progress, num: true},
    {head: 'Took', cell: took, num: true},
    {head: 'Begun', cell: job => html`<${Time} at=${job.created} />`},
    {head: 'Reason', cell: why, wide: true},
  ]} />`;

export function Jobs({route}) {
  const kind = route.search.get('kind') ?? '', status = route.search.get('status') ?? '';
  const path = query('/v1/jobs', {kind, status, limit: 50});
  const jobs = usePoll(path, 2000);
  const [older, setOlder] = useState({path, jobs: [], next: null, error: null});
  useEffect(() => setOlder({path, jobs: [], next: null, error: null}), [path]);
  const choose = name => event => {
    location.hash = query('#/jobs', {kind, status, [name]: event.target.value});
  };
  const more = async () => {
    try {
      const page = await get(query('/v1/jobs', {kind, status, limit: 50, cursor: older.next ?? jobs.data.next_cursor}));
      setOlder(old => ({path, jobs: [...old.jobs, ...page.jobs], next: page.next_cursor ?? '', error: null}));
    } catch (error) {
      setOlder(old => ({...old, error}));
    }
  };
  const all = [...(jobs.data?.jobs ?? []), ...(older.path === path ? older.jobs : [])];
  const seen = new Set(), rows = all.filter(j => !seen.has(j.client + j.id) && seen.add(j.client + j.id));
  return html`<h1 tabindex="-1">Jobs</h1>
    <form class="filters" onSubmit=${e => e.preventDefault()}>
      <label>Kind <select id="job-kind" value=${kind} onChange=${choose('kind')}><option value="">all</option>
        <option value="keygen">keygen</option><option value="sign">sign</option></select></label>
      <label>State <select id="job-status" value=${status} onChange=${choose('status')}><option value="">all</option>
        ${Object.entries(states).map(([k, [, word]]) => html`<option key=${k} value=${k}>${word}</option>`)}
      </select></label>
    </form>
    <${Resource} of=${jobs} isEmpty=${d => d.jobs.length === 0} empty=${kind || status ? 'No job is like that.' :
      'No job yet. The fleet remembers jobs for 30 days.'}>${data => html`
      <${JobTable} jobs=${rows} caption="Jobs, newest first" />
      ${(older.next ?? data.next_cursor) && html`<button type="button" onClick=${more}>Older jobs</button>`}
      <${Fault} error=${older.error} />`}<//>`;
}

// useJob is a job as the gateway tells of it, live, until it has ended.
function useJob(id) {
  const [state, set] = useState({data: null, error: null, at: 0, live: false});
  useEffect(() => {
    const stop = new AbortController(), path = `/v1/jobs/${encodeURIComponent(id)}`;
    const run = async () => {
      set(s => ({...s, error: null, data: null}));
      const job = await get(path, stop.signal);
      set({data: job, error: null, at: Date.now(), live: false});
      if (ended(job.status)) return;
      await follow(`${path}/events`, {
        signal: stop.signal,
        state: live => set(s => ({...s, live})),
        each: event => {
          if (event.type !== 'job') return false;
          const data = JSON.parse(event.data);
          set(s => ({...s, data, at: Date.now()}));
          return ended(data.status);
        },
      });
    };
    run().catch(error => {
      if (stop.signal.aborted) return;
      set(s => ({...s, error}));
      if (error.unauthorized) dispatchEvent(new CustomEvent('frost-unauthorized', {detail: error}));
    });
    return () => stop.abort();
  }, [id]);
  return [state, job => set(s => ({...s, data: {...s.data, ...job}}))];
}

// Watched is a job's state and progress, told to screen readers as it changes.
export function Watched({id}) {
  const [state] = useJob(id);
  return html`<${Resource} of=${state}>${job => html`<p class="watched" aria-live="polite"><${State} of=${job.status} />
    ${job.count > 0 && html`<span>${count(job.done)} of ${count(job.count)}</span>`} ${why(job)}${' '}
    <a href=${jobPage(job.id)}>Open the job</a></p>`}<//>`;
}

export function Job({route}) {
  const id = route.parts[0];
  const [state, changed] = useJob(id);
  return html`<p class="crumb"><a href="#/jobs">Jobs</a></p><h1 tabindex="-1">Job <code>${visible(id)}</code></h1>
    <${Resource} of=${state}>${job => html`
      <section class="card"><p class="watched" aria-live="polite"><${State} of=${job.status} /> ${job.count > 0 && html`
        <span>${count(job.done)} of ${count(job.count)} ${job.kind === 'keygen' ? 'keys' : 'signatures'}</span>`}
        ${!ended(job.status) && html` <span class="small muted">${state.live ? 'live' : 'connecting…'}</span>`}</p>
      ${job.count > 0 && html`<${Bar} done=${job.done} total=${job.count} what="Progress" />`}
      ${job.code && html`<div class="note bad"><strong><code>${visible(job.code)}</code></strong>
        <p>${visible(job.error)}</p></div>`}
      ${job.status === 'pending' && html`<p><a class="button" href=${
        `#/approvals/${encodeURIComponent(job.client)}/${encodeURIComponent(job.id)}`}>Read and approve it</a></p>`}
      <${Facts} of=${[['Kind', visible(job.kind)], ['Chain', visible(job.chain)], ['Client', visible(job.client)],
        ['Begun', job.created && clock(job.created)], ['Ended', job.ended && clock(job.ended)],
        ['Took', job.ended && took(job)],
        ['Gateway', visible(job.gateway)], ['Id', html`<${Copy} text=${job.id} what="the job’s id" />`, true]]} />
      <${Meta} of=${job.metadata} />
      ${job.kind === 'keygen' && ended(job.status) && html`<p><a href=${query('#/keys', {q: job.id})}>Its keys</a></p>`}
      </section>
      <${Label} what="job" value=${job.label} save=${async label => {
        await send('PATCH', `/v1/jobs/${encodeURIComponent(job.id)}`, {label});
        changed({label});
      }} />
      ${ended(job.status) && html`<${Result} id=${job.id} key=${job.id} />`}`}<//>`;
}

function Result({id}) {
  const [state, set] = useState({text: '', error: null});
  const show = async event => {
    if (!event.currentTarget.open || state.text) return;
    try {
      set({text: JSON.stringify(await get(`/v1/jobs/${encodeURIComponent(id)}/result`),
        (k, v) => (typeof v === 'bigint' ? String(v) : v), 2), error: null});
    } catch (error) {
      set({text: '', error});
    }
  };
  return html`<details class="card" onToggle=${show}><summary>The result, as the gateway signed it</summary>
    <${Fault} error=${state.error} />
    ${state.text && html`<pre tabindex="0" aria-label="Result">${visible(state.text, '\n')}</pre>`}
  </details>`;
}
