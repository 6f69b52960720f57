// The fleet at a glance: can it sign, who is there, how much it does, what goes wrong.
import {html} from './vendor/htm-preact.js';
import {Chart} from './charts.js';
import {count, duration, plural, rate, short, visible} from './format.js';
import {Bar, Facts, Mark, Resource, Table, usePoll} from './ui.js';
import {JobTable} from './jobs.js';
import {charts, recent} from './stats.js';

export function Overview({fleet, approvals}) {
  const stats = usePoll('/v1/stats', 5000), jobs = usePoll('/v1/jobs?limit=8', 3000);
  const freezes = usePoll('/v1/freezes', 10_000);
  return html`<h1 tabindex="-1" class="hidden">Fleet</h1>
    <${Resource} of=${fleet}>${f => html`
      <${Verdict} fleet=${f} frozen=${freezes.data} waiting=${approvals.data?.approvals?.length ?? 0} />`}<//>
    <${Resource} of=${stats}>${s => html`<${Tiles} stats=${s} fleet=${fleet.data} />
      <div class="cols">${charts(s).map(c => html`<${Chart} key=${c.title} ...${c} />`)}</div>`}<//>
    ${fleet.data && html`<${Resharing} of=${fleet.data.resharing} />
      <section aria-labelledby="nodes"><h2 id="nodes">Nodes</h2><${Nodes} fleet=${fleet.data} /></section>`}
    ${stats.data && html`<div class="cols"><${Failures} stats=${stats.data} /><${Denials} stats=${stats.data} /></div>`}
    <section aria-labelledby="newest"><h2 id="newest">Newest jobs</h2>
      <${Resource} of=${jobs} isEmpty=${d => d.jobs.length === 0} empty="No job yet.">${d => html`
        <${JobTable} jobs=${d.jobs} caption="The newest jobs" />`}<//></section>
    ${fleet.data && html`<section class="card" aria-labelledby="identity"><h2 id="identity">This fleet</h2>
      <${Facts} of=${[
      ['Name', visible(fleet.data.fleet)], ['Network', visible(fleet.data.network)],
      ['Manifest', html`<code>${visible(fleet.data.manifest)}</code>`, true],
      ['Gateways', (fleet.data.gateways ?? []).map(visible).join(', ')]]} /></section>`}`;
}

// ofNow are the nodes of the manifest under which keys are generated; n and t are its.
const ofNow = fleet => {
  const newest = Math.max(...fleet.nodes.map(n => n.generation));
  return fleet.nodes.filter(n => n.generation === newest);
};

// Verdict is the first line that an operator reads.
function Verdict({fleet, frozen, waiting}) {
  const nodes = ofNow(fleet), present = nodes.filter(n => n.present).length, spare = present - fleet.t;
  const older = fleet.nodes.filter(n => !nodes.includes(n)), held = frozen?.freezes ?? [];
  const policies = new Set(fleet.nodes.filter(n => n.present).map(n => n.policy ?? ''));
  const [is, word] = spare < 0 ? ['bad', 'Can’t sign'] : !fleet.ready ? ['bad', 'Not ready'] :
    held.length > 0 ? ['warn', 'Frozen'] : present < fleet.n ? ['warn', 'Signs, with nodes missing'] : ['ok', 'Ready'];
  const said = [
    !fleet.ready && fleet.reason && `This gateway: ${visible(fleet.reason)}.`,
    spare >= 0 && present < fleet.n && `Keys can’t be generated: that needs all ${fleet.n} nodes.`,
    spare === 0 && fleet.n > fleet.t && 'No further node may be lost: then nothing is signed.',
    spare < 0 && `${plural(-spare, 'more node')} must come back before anything is signed.`,
    older.length > 0 && 'Some keys are with older nodes still: ' +
      `${older.filter(n => n.present).length} of those ${older.length} are here.`,
    held.length > 0 && html`<b>Frozen:</b> ${held.map(frozenThing).join('; ')}.`,
    policies.size > 1 && 'The nodes have different policies: what one signs another may deny.',
    fleet.nodes.some(n => n.foreign) && 'Something claims another manifest in a node’s name: see the nodes.',
    waiting > 0 && html`<a href="#/approvals">
      ${waiting === 1 ? '1 job waits' : `${count(waiting)} jobs wait`} for approval</a>.`,
    fleet.demand.queued > 0 && `${plural(fleet.demand.queued, 'sign job')} in the queue.`,
  ].filter(Boolean);
  return html`<section class="card" aria-label="State of the fleet"><div class="verdict" role="status">
    <${Mark} is=${is}>${word}<//><span>${present} of ${fleet.n} nodes are here, ${fleet.t} sign</span></div>
    ${said.length > 0 && html`<ul>${said.map((s, i) => html`<li key=${i}>${s}</li>`)}</ul>`}</section>`;
}

const frozenThing = f => (f.scope === 'fleet' ? 'the whole fleet' : `${visible(f.scope)} ${visible(f.name)}`) +
  ` (by ${visible(f.administrator)})`;

const Tile = ({name, children}) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

function Tiles({stats, fleet}) {
  const r = recent(stats);
  return html`<dl class="tiles">
    <${Tile} name="Signatures">${rate(r.signatures)} <small>a second</small><//>
    <${Tile} name="Keys">${rate(r.keys)} <small>a second</small><//>
    <${Tile} name="Sign jobs take">${duration(r.median)} <small>median</small><//>
    <${Tile} name="Jobs, 15 min">${count(r.jobs)}<//>
    <${Tile} name="Failed, 15 min">${count(r.failed)}<//>
    <${Tile} name="Longest wait">${duration(fleet?.demand.longest ?? NaN)} <small>in the queue</small><//>
  </dl>`;
}

function Nodes({fleet}) {
  const presence = n => html`${n.present ? html`<${Mark} is="ok">present<//>` : html`<${Mark} is="bad">missing<//>`}
    ${n.foreign && html` <${Mark} is="bad">another manifest<//>`}
    ${n.twins > 0 && html` <${Mark} is="warn">twins<//>`}`;
  const id = n => `${n.generation}.${n.index}`;
  return html`<${Table} caption="Nodes of the fleet" rows=${fleet.nodes} id=${id} columns=${[
    {head: 'Node', cell: n => html`<b>${visible(n.name)}</b>`},
    {head: 'State', cell: presence},
    {head: 'Silent for', num: true, cell: n => duration(n.lag ?? NaN)},
    {head: 'Host', cell: n => visible(n.host) || '–'},
    {head: 'Device', cell: n => visible(n.device?.kind) || '–'},
    {head: 'Device calls', num: true, cell: n => (n.device ? count(n.device.calls) : '–')},
    {head: 'Cost', num: true, cell: n => cost(n.device)},
    {head: 'In work', num: true, cell: n => count(n.load)},
    {head: 'Waiting', num: true, cell: n => count(n.backlog)},
    {head: 'Version', cell: n => html`<code>${visible(n.version) || '–'}</code>`},
    {head: 'Policy', cell: n => hash(n.policy, 'none')},
    {head: 'Holds', cell: n => hash(n.holdings, '–')},
    {head: 'Generation', num: true, cell: n => n.generation},
  ]} />`;
}

// What a month like the last hour would cost, beside what the calls have cost since the node's start.
const cost = d => (d ? html`<span title=${`${dollars(d.cost_usd)} since its start`}>${dollars(d.month_usd)} a month</span>` : '–');
const dollars = usd => usd.toLocaleString('en-US', {style: 'currency', currency: 'USD'});

const hash = (text, none) => (text ? html`<code title=${visible(text)}>${short(text)}</code>` : none);

function Resharing({of}) {
  if (!of.to || !of.total) return null;
  const [is, word] = of.done === of.total ? ['ok', 'all are there'] :
    of.paused ? ['warn', 'paused'] : ['run', 'going on'];
  return html`<section class="card" aria-labelledby="moving"><h2 id="moving">Keys move to the next nodes</h2>
    <p><${Mark} is=${is}>${word}<//>${' '}
      ${count(of.done)} of ${plural(of.total, 'key')}</p>
    <${Bar} done=${of.done} total=${of.total} what="Keys that have moved" />
    <p class="small muted">From <code>${short(of.from)}</code> to <code>${short(of.to)}</code>.
      ${of.blocked && html` ${visible(of.blocked)}`}</p></section>`;
}

const Counted = ({title, id, rows, empty, name, children}) => html`<section class="card" aria-labelledby=${id}>
  <h2 id=${id}>${title}</h2>
  ${rows.length === 0 ? html`<p class="muted">${empty}</p>` : html`<${Table} caption=${title} rows=${rows} columns=${[
    {head: name, cell: r => html`<code>${visible(r.name)}</code>`},
    {head: 'Jobs', num: true, cell: r => count(r.count)}]} />${children}`}</section>`;

const Failures = ({stats}) => html`<${Counted} id="failures" title="Failures, last 15 minutes" name="Code"
  rows=${stats.failures.map(f => ({name: f.code, count: f.count}))} empty="Nothing failed.">
  <p class="small"><a href="#/jobs?status=failed">Failed jobs, with their reasons</a></p><//>`;

const Denials = ({stats}) => html`<${Counted} id="denials" title="Denied by policies, last 15 minutes" name="Rule"
  rows=${stats.denials.map(d => ({name: d.rule, count: d.count}))} empty="No policy denied anything.">
  <p class="small"><a href="#/jobs?status=denied">Denied jobs, with their reasons</a></p><//>`;
