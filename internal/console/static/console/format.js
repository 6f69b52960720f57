// How values are written for people. Nothing here touches the page or the network.

// visible shows what does not print as what it is: control characters, and those that change a
// text's direction or have no width, which would have a person read something else than what is
// there. Line ends stay where keep has them.
export function visible(text, keep = '') {
  return String(text ?? '').replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, c =>
    keep.includes(c) ? c : `\\u{${c.codePointAt(0).toString(16)}}`);
}

// short is the beginning of a hash, or of another text that nobody reads wholly.
export function short(text, n = 8) {
  const s = visible(text);
  return s.length > n + 1 ? s.slice(0, n) + '…' : s;
}

// ends is a long name by its beginning and its end: ids that are made one after the other begin alike.
export function ends(text) {
  const s = visible(text);
  return s.length > 16 ? `${s.slice(0, 6)}…${s.slice(-6)}` : s;
}

const whole = new Intl.NumberFormat('en');

// count writes a whole number with separators.
export const count = n => (Number.isFinite(n) ? whole.format(n) : '–');

// rate writes a number a second to three digits: 0, 0.25, 3.4, 120, 1,234.
export function rate(n) {
  if (!Number.isFinite(n)) return '–';
  if (n === 0) return '0';
  if (n < 0.01) return '<0.01';
  return n < 10 ? String(Number(n.toPrecision(2))) : whole.format(Math.round(n));
}

// duration writes seconds with the one unit, or the two, that a person needs.
export function duration(s) {
  if (!Number.isFinite(s)) return '–';
  if (s < 0.001) return s <= 0 ? '0 s' : '<1 ms';
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  const m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (h === 0) return `${m} min ${Math.floor(s) % 60} s`;
  if (d === 0) return `${h} h ${m % 60} min`;
  return `${d} d ${h % 24} h`;
}

// since is how long ago a time was, or how far it is ahead, in seconds.
export const since = (time, now) => (now - Date.parse(time)) / 1000;

// ago writes a time as a person says it.
export function ago(time, now) {
  const s = since(time, now);
  if (!Number.isFinite(s)) return '–';
  if (s < 0) return `in ${duration(-s)}`;
  return s < 2 ? 'just now' : `${duration(s)} ago`;
}

// clock writes a time of day in this browser's zone, with the date unless it is today's.
export function clock(time, now = Date.now()) {
  const d = new Date(time);
  if (Number.isNaN(d.getTime())) return '–';
  const two = n => String(n).padStart(2, '0');
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  const hours = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return new Date(now).toDateString() === d.toDateString() ? hours : `${day} ${hours}`;
}

// plural puts a number and a word together.
export const plural = (n, word, words = word + 's') => `${count(n)} ${n === 1 ? word : words}`;

// ticks are round numbers from 0 that cover top, about so many.
export function ticks(top, about = 4) {
  if (!(top > 0)) return [0, 1];
  const raw = top / about, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(f => f * power).find(s => s >= raw);
  const all = [];
  for (let i = 0; i === 0 || all[i - 1] < top; i++) all.push(Number((i * step).toPrecision(6)));
  return all;
}
