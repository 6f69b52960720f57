// A request for signatures as a person reads it. The lines come from the gateway, which reads the
// transaction as nodes and frostctl do; here they are only laid out.
import {html} from './vendor/htm-preact.js';
import {visible} from './format.js';

const places = {btc: 8, sol: 9}, units = {btc: 'BTC', sol: 'SOL'};

// decimal writes a whole number of units of 10^-n. Numbers that no double holds are BigInt here.
function decimal(n, digits) {
  if (typeof n === 'number' && !Number.isSafeInteger(n)) return 'more than this browser can write: see the text';
  const s = String(n).padStart(digits + 1, '0');
  return `${s.slice(0, s.length - digits)}.${s.slice(s.length - digits)}`;
}

// money writes an amount of an asset with its unit.
export function money({asset, units: n, decimals = 0}) {
  if (places[asset]) return `${decimal(n, places[asset])} ${units[asset]}`;
  const token = visible(String(asset).replace(/^spl:/, ''));
  const plain = `${visible(n)} smallest units of token ${token}`;
  return decimals > 0 ? `${decimal(n, decimals)} (${plain})` : plain;
}

export const payments = reading => reading?.fields?.payments ?? [];

export const Money = ({list}) => (list.length === 0 ? 'nothing to others' : html`<ul class="money">${list.map((p, i) => html`
  <li key=${i}><b>${money(p)}</b> to <code class="whole">${visible(p.to)}</code></li>`)}</ul>`);

// Reading shows all of it; brief: payments, fee and what goes out, and what is not clear.
export function Reading({of, brief}) {
  const f = of?.fields;
  if (!of) return html`<div class="note bad"><strong>The gateway could not read this job.</strong> Don’t approve it here.</div>`;
  const asset = f?.kind === 'psbt' ? 'btc' : 'sol', coins = ['psbt', 'solana_transaction'].includes(f?.kind);
  const unclear = [...(f?.unclear ?? []), ...(f?.refused ?? [])];
  return html`${f && html`
    ${unclear.length > 0 && html`<div class="note bad" role="note"><strong>Not all of it is clear, or would be signed.</strong>
      <ul>${unclear.map((r, i) => html`<li key=${i}><code>${visible(r.code)}</code> ${visible(r.reason)}</li>`)}</ul></div>`}
    ${coins && html`<dl class="facts pay">
      <div><dt>Pays</dt><dd><${Money} list=${payments(of)} /></dd></div>
      <div><dt>Fee</dt><dd>${money({asset, units: f.fee})}</dd></div>
      ${f.outflow?.length > 0 && html`<div><dt>In all, at most</dt><dd>${f.outflow.map((o, i) => html`<span key=${i}>${
        i > 0 && ', '}${money(o)}</span>`)}</dd></div>`}
      ${f.replaces && html`<div><dt>Replaces</dt><dd><code>${visible(f.replaces)}</code></dd></div>`}</dl>`}
    ${!coins && f.text && html`<p>The message:</p><pre tabindex="0" aria-label="Message">${visible(f.text, '\n')}</pre>`}`}
    ${(!brief || !f) && html`<pre tabindex="0" class="reading" aria-label="The request in words">${visible(of.text, '\n')}</pre>`}`;
}
