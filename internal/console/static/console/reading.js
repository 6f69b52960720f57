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

export const payments = reading => reading?.meaning?.payments ?? [];

export function Money({list}) {
  if (list.length === 0) return 'nothing to others';
  return html`<ul class="money">${list.map((p, i) => html`<li key=${i}>
    <b>${money(p)}</b> to <code class="whole">${visible(p.to)}</code></li>`)}</ul>`;
}

// Reading shows all of it: what it comes to, then every line as frostctl approve shows it.
export function Reading({of}) {
  const m = of?.meaning;
  if (!of?.text) {
    return html`<div class="note bad"><strong>The gateway can’t say what this job means.</strong>
      <p>${visible(of?.error)}</p></div>`;
  }
  const asset = m?.kind === 'psbt' ? 'btc' : 'sol', coins = ['psbt', 'solana_transaction'].includes(m?.kind);
  const unclear = [...(m?.unclear ?? []), ...(m?.refused ?? [])];
  return html`
    ${m?.kind === 'raw' && html`<div class="note bad"><strong>Nobody can read this job.</strong>
      <p>It asks for signatures of hashes or bytes, which may be of anything. What you approve is whatever its
        client made them of.</p></div>`}
    ${unclear.length > 0 && html`<div class="note bad"><strong>Not all of it is clear, or would be signed.</strong>
      <ul>${unclear.map((r, i) => html`<li key=${i}><code>${visible(r.code)}</code> ${visible(r.reason)}</li>`)}</ul>
      </div>`}
    ${coins && html`<dl class="facts pay">
      <div><dt>Pays</dt><dd><${Money} list=${payments(of)} /></dd></div>
      <div><dt>Fee</dt><dd>${money({asset, units: m.fee})}</dd></div>
      ${m.outflow.length > 0 && html`<div><dt>In all, at most</dt><dd>${m.outflow.map(money).join(', ')}</dd></div>`}
      ${m.replaces && html`<div><dt>Replaces</dt><dd><code>${visible(m.replaces)}</code></dd></div>`}</dl>`}
    <pre tabindex="0" class="reading" aria-label="The request in words">${visible(of.text, '\n')}</pre>`;
}
