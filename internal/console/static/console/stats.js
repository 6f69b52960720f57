// What the charts show, out of /v1/stats.
import {duration, rate} from './format.js';

const sum = list => list.reduce((n, v) => n + (v ?? 0), 0);
const kind = (stats, name) => stats.kinds.find(k => k.kind === name) ?? {jobs: [], items: [], median: [], p99: []};

// times are when the steps end, in milliseconds.
const times = stats => {
  const n = Math.max(0, ...stats.kinds.map(k => k.items.length)), end = Date.parse(stats.until);
  return Array.from({length: n}, (_, i) => end - (n - 1 - i) * stats.step * 1000);
};

// charts are the two charts: how much, and how long.
export function charts(stats) {
  const at = times(stats), each = name => kind(stats, name).items.map(v => v / stats.step);
  return [
    {title: 'Throughput', unit: 'a second, of this gateway’s jobs', times: at, write: rate,
      series: [{name: 'signatures', values: each('sign')}, {name: 'keys', values: each('keygen')}]},
    {title: 'Sign jobs take', unit: 'of this gateway’s, from its first sight to the result', times: at, write: duration,
      series: [{name: 'median', values: kind(stats, 'sign').median}, {name: '99 %', values: kind(stats, 'sign').p99}]},
  ];
}

// recent is what the tiles say: rates of the last minute, counts of all that there is.
export function recent(stats) {
  const steps = Math.max(1, Math.round(60 / stats.step)), per = name => {
    const items = kind(stats, name).items.slice(-steps);
    return items.length ? sum(items) / (items.length * stats.step) : NaN;
  };
  return {
    signatures: per('sign'), keys: per('keygen'),
    median: kind(stats, 'sign').median.findLast(Number.isFinite) ?? NaN,
    jobs: sum(stats.kinds.map(k => sum(k.jobs))), failed: sum(stats.failures.map(f => f.count)),
  };
}
