// Line charts in SVG. No colour means anything alone: each line has a dash pattern, its name stands
// beside its value, and the figures are there as a table.
import {html, useEffect, useRef, useState} from './vendor/htm-preact.js';
import {clock, ticks} from './format.js';

const height = 168, left = 52, right = 8, top = 10, bottom = 24;

// draw is the lines of series, and of points without a neighbour the dots.
function draw(series, x, y) {
  const lines = [], dots = [];
  for (const {values} of series) {
    let line = '', dot = '';
    values.forEach((v, i) => {
      if (!Number.isFinite(v)) return;
      const xy = `${x(i).toFixed(1)} ${y(v).toFixed(1)}`, before = Number.isFinite(values[i - 1]);
      line += before ? `L${xy}` : `M${xy}`;
      if (!before && !Number.isFinite(values[i + 1])) dot += `M${xy}h0`;
    });
    lines.push(line);
    dots.push(dot);
  }
  return {lines, dots};
}

// Chart draws series [{name, values}] whose values stand for the steps of time that end at times
// (milliseconds); null is a gap.
export function Chart({title, unit, times, series, write}) {
  const [at, setAt] = useState(-1), [width, setWidth] = useState(600), [open, setOpen] = useState(false);
  const figure = useRef(null);
  useEffect(() => { // as wide as there is room, so that letters keep their size
    const seen = new ResizeObserver(([e]) => setWidth(Math.max(240, Math.round(e.contentRect.width))));
    seen.observe(figure.current);
    return () => seen.disconnect();
  }, []);
  const n = times.length, shown = at >= 0 && at < n ? at : -1;
  const scale = ticks(Math.max(0, ...series.flatMap(s => s.values.filter(Number.isFinite))));
  const most = scale[scale.length - 1];
  const x = i => left + (n > 1 ? i / (n - 1) : 1) * (width - left - right);
  const y = v => height - bottom - v / most * (height - top - bottom);
  const {lines, dots} = draw(series, x, y);
  const lastOf = s => (shown >= 0 ? s.values[shown] : s.values.findLast(Number.isFinite));
  const point = event => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * width - left) / (width - left - right);
    setAt(Math.max(0, Math.min(n - 1, Math.round(share * (n - 1)))));
  };
  const step = event => {
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (by && n) {
      event.preventDefault();
      setAt(Math.max(0, Math.min(n - 1, (shown < 0 ? n : shown) + by)));
    }
  };
  const summary = `${title}: ` + (series.map(s => `${s.name} ${write(lastOf(s))}`).join(', ') || 'nothing yet');
  return html`<figure class="chart" ref=${figure}>
    <figcaption><span class="title">${title}</span> <span class="muted">${unit}</span></figcaption>
    <svg viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${summary} tabindex="0" onPointerMove=${point}
      onPointerLeave=${() => setAt(-1)} onBlur=${() => setAt(-1)} onKeyDown=${step}>
      ${scale.map(v => html`<g key=${v} class="tick"><line x1=${left} x2=${width - right} y1=${y(v)} y2=${y(v)} />
        <text x=${left - 6} y=${y(v) + 4} text-anchor="end">${write(v)}</text></g>`)}
      ${n > 1 && [0, (n - 1) >> 1, n - 1].map((i, k) => html`<text key=${k} class="when" x=${x(i)} y=${height - 6}
        text-anchor=${['start', 'middle', 'end'][k]}>${clock(times[i]).slice(-8, -3)}</text>`)}
      ${lines.map((d, i) => html`<path key=${series[i].name} class=${`line line-${i % 4}`} d=${d} />`)}
      ${dots.map((d, i) => d && html`<path key=${series[i].name} class=${`line line-${i % 4} dot`} d=${d} />`)}
      ${shown >= 0 && html`<line class="cursor" x1=${x(shown)} x2=${x(shown)} y1=${top} y2=${height - bottom} />`}
    </svg>
    <ul class="legend">${series.map((s, i) => html`<li key=${s.name}><svg viewBox="0 0 24 8" aria-hidden="true"><path
      class=${`line line-${i % 4}`} d="M0 4h24" /></svg>${' '}${s.name}${' '}<b>${write(lastOf(s))}</b></li>`)}
      <li class="muted">${shown >= 0 ? `at ${clock(times[shown])}` : 'latest'}</li></ul>
    <details onToggle=${e => setOpen(e.currentTarget.open)}><summary>Figures</summary>
      ${open && html`<div class="scroll" tabindex="0" role="region" aria-label=${`${title}, figures`}><table>
        <thead><tr><th scope="col">time</th>${series.map(s => html`
          <th scope="col" class="num">${s.name}</th>`)}</tr></thead>
        <tbody>${times.map((t, i) => html`<tr key=${t}><td>${clock(t)}</td>${series.map(s => html`
          <td class="num">${write(s.values[i])}</td>`)}</tr>`).reverse()}</tbody></table></div>`}</details>
  </figure>`;
}
