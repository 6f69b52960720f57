// Jobs that wait for people: what they are, and approving one with a key file.
import {html, useEffect, useRef, useState} from './vendor/htm-preact.js';
import {approvalText, digestOf, openKey, signText} from './approval.js';
import {clocks, send} from './api.js';
import {ago, clock, duration, visible} from './format.js';
import {Copy, Facts, Fault, Mark, Resource, Table, Time, useNow} from './ui.js';
import {Watched, jobPage} from './jobs.js';
import {Reading, Money, payments} from './reading.js';

const link = job => `#/approvals/${encodeURIComponent(job.client)}/${encodeURIComponent(job.job)}`;

const kinds = {
  psbt: 'Bitcoin transaction', solana_transaction: 'Solana transaction', bitcoin_message: 'Bitcoin message',
  solana_message: 'Solana message', raw: html`<${Mark} is="warn">hashes or bytes<//>`,
};

const pays = job => payments(job.reading).length > 0 && html`<${Money} list=${payments(job.reading)} />`;

const names = job => [...new Set((job.approvals ?? []).map(a => visible(a.approver)))];

const have = job => names(job).join(', ') || 'nobody';

export function Approvals({approvals}) {
  return html`<h1 tabindex="-1">Approvals</h1>
    <p class="muted">Sign jobs that a policy holds back until enough people agree.</p>
    <${Resource} of=${approvals} isEmpty=${d => d.approvals.length === 0} empty="Nothing waits for approval.">
      ${d => html`
      <${Table} caption="Jobs that wait for approval" rows=${d.approvals} id=${j => `${j.client}.${j.job}`} columns=${[
        {head: 'Job', cell: j => html`<a href=${link(j)}><code class="whole">${visible(j.job)}</code></a>`},
        {head: 'Client', cell: j => visible(j.client)},
        {head: 'Asks for', cell: j => kinds[j.kind] ?? html`<${Mark} is="bad">can’t be read<//>`},
        {head: 'Pays', wide: true, cell: j => pays(j)},
        {head: 'Approved by', cell: have},
        {head: 'Until', cell: j => html`<${Time} at=${j.approve_until} />`},
      ]} />`}<//>`;
}

export function Approval({route, approvals}) {
  const [client, id] = route.parts;
  const [seen, setSeen] = useState(null), [sent, setSent] = useState(null);
  const now = useNow();
  const listed = approvals.data?.approvals.find(j => j.client === client && j.job === id);
  useEffect(() => { if (listed) setSeen(listed); }, [listed]);
  const given = made => {
    setSent(made);
    approvals.reload();
  };
  const job = listed ?? seen, gone = approvals.data && !listed;
  return html`<p class="crumb"><a href="#/approvals">Approvals</a></p>
    <h1 tabindex="-1">Approve <code>${visible(id)}</code></h1>
    ${!job ? html`<${Resource} of=${approvals} isEmpty=${() => true} empty=${html`This job does not wait for
      approval: it never did, it has run, or its time is over. <a href=${jobPage(id)}>See the job</a>`} />` : html`
      ${(gone || sent) && html`<div class=${`note ${sent ? 'ok' : ''}`} key="news"><p role="status">${sent && html`
        <${Mark} is="ok">The approval of ${visible(sent.approver)} is with the fleet.<//>`}
        ${gone && ' It waits no longer.'}</p>
        <${Watched} id=${id} /></div>`}
      <section class="card" aria-labelledby="what"><h2 id="what">What would be signed</h2>
        <${Reading} of=${job.reading} />
        <details><summary>The job, as its client published it</summary>
          <pre tabindex="0" aria-label="Payload">${visible(job.payload, '\n')}</pre></details></section>
      <section class="card" aria-labelledby="state"><h2 id="state">Who agrees</h2>
        <${Facts} of=${[['Client', visible(job.client)], ['Approved by', have(job)],
          ['Approve until', job.approve_until && `${clock(job.approve_until)} (${ago(job.approve_until, now)})`],
          ['Signed within', job.expires_after && `${duration(job.expires_after)} of the last approval, or never`],
          ['Digest', html`<${Copy} text=${job.digest} what="the digest" />`, true]]} />
        ${job.approvals?.length > 0 && html`<${Table} caption="Approvals so far" rows=${job.approvals} columns=${[
          {head: 'Approver', cell: a => visible(a.approver)},
          {head: 'Approved', cell: a => html`<${Time} at=${a.time} />`}]} />`}
        <p class="small muted">Each node counts approvals for itself, by its policy. This list is what has come,
          not what counts.</p></section>
      ${!gone && !job.verified && html`<div class="note bad" role="alert"><strong>Don’t approve this job.</strong>
        <p>${visible(job.error)}</p></div>`}
      ${!gone && job.verified && html`<${Give} job=${job} fleet=${approvals.data} sent=${given} />`}`}`;
}

// check computes the job's digest here, and holds it and the payload against what is shown.
async function check(fleet, job) {
  const own = await digestOf(fleet, job.client, job.payload);
  if (own !== job.digest) {
    throw new Error(`the gateway says that the job's digest is ${visible(job.digest)}, and it is ${own}: ` +
      'do not approve, and tell the operators');
  }
  if (JSON.parse(job.payload).job !== job.job) {
    throw new Error('the payload is that of another job: do not approve, and tell the operators');
  }
  return own;
}

// Give asks for a name and a key file, shows what will be signed, signs, and sends the approval.
function Give({job, fleet, sent}) {
  const [name, setName] = useState(sessionStorage.getItem('frostfleet.approver') ?? '');
  const [ready, setReady] = useState(null), [error, setError] = useState(null), [busy, setBusy] = useState(false);
  const file = useRef(null);
  const review = async event => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const key = await openKey(file.current.files[0]);
      const digest = await check(fleet, job), seconds = Math.floor(Date.now() / 1000);
      sessionStorage.setItem('frostfleet.approver', name.trim());
      setReady({key, digest, seconds, approver: name.trim(), text: approvalText(fleet, digest, seconds)});
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
      if (file.current) file.current.value = '';
    }
  };
  const sign = async () => {
    setBusy(true);
    setError(null);
    try {
      const signature = await signText(ready.key, ready.text);
      const made = {client: job.client, job: job.job, approver: ready.approver, time: ready.seconds, signature};
      await send('POST', '/v1/approvals', made);
      setReady(null);
      sent(made);
    } catch (err) {
      setReady(null);
      setError(err);
    } finally {
      setBusy(false);
    }
  };
  const close = () => setReady(null);
  return html`<form class="card" id="approve" aria-labelledby="give" onSubmit=${review}>
    <h2 id="give">Approve</h2>
    ${Math.abs(clocks.ahead) > 30 && html`<div class="note warn"><strong>This machine’s clock is ${
      duration(Math.abs(clocks.ahead))} ${clocks.ahead > 0 ? 'ahead of' : 'behind'} the gateway’s.</strong>
      An approval has the time of this machine, and nodes count none that is ahead of theirs.
      Set the clock first.</div>`}
    <div class="row">
      <label>Your name, as the policy has it <input id="approver" required pattern="[A-Za-z0-9_\\-]{1,64}" value=${name}
        autocomplete="off" spellcheck="false" onInput=${e => setName(e.target.value)} /></label>
      <label>Your key file <input id="key-file" type="file" ref=${file} aria-describedby="key-kept" /></label>
      <button type="submit" class="main" disabled=${busy}>Review…</button></div>
    <p id="key-kept" class="small muted">The file of <code>frostctl fleet key</code>, 64 hexadecimal digits. It is read
      by this page, signs here, and is sent nowhere. This page came from the gateway: for what you would not trust a
      gateway with, use <code>frostctl approve</code>.</p>
    <${Fault} error=${error} />
    ${ready && html`<${Confirm} job=${job} ready=${ready} busy=${busy} sign=${sign} close=${close} />`}
  </form>`;
}

function Confirm({job, ready, busy, sign, close}) {
  const dialog = useRef(null), [read, setRead] = useState(false);
  useEffect(() => { dialog.current.showModal(); }, []);
  return html`<dialog ref=${dialog} aria-labelledby="confirm-title" onClose=${close}>
    <h2 id="confirm-title" tabindex="-1" autofocus>You are about to approve</h2>
    <${Reading} of=${job.reading} />
    <${Facts} of=${[['As', visible(ready.approver)],
      ['With the key', html`<code>${visible(ready.key.publicKey)}</code>`, true],
      ['Digest', html`<${Mark} is="ok">computed here from the payload, and the same as the gateway’s<//>`, true]]} />
    <h3>This text is signed</h3>
    <pre tabindex="0" aria-label="Text that is signed">${visible(ready.text, '\n')}</pre>
    <label class="check">
      <input type="checkbox" id="compared" checked=${read} onChange=${e => setRead(e.target.checked)} />
      <span>I have compared this with what was agreed elsewhere: each amount, and each destination to its end.</span>
    </label>
    <div class="row end"><button type="button" onClick=${() => dialog.current.close()}>Cancel</button>
      <button type="button" id="sign" class="main" disabled=${!read || busy} onClick=${sign}>${
        busy ? 'Signing…' : 'Sign and send'}</button></div>
  </dialog>`;
}
