// The form with which a key or a job gets its label.
import {html, useEffect, useRef, useState} from './vendor/htm-preact.js';
import {Fault} from './ui.js';

const most = 128; // bytes of UTF-8

export function Label({what, value, save}) {
  const [text, setText] = useState(value ?? ''), [state, set] = useState({busy: false, saved: false, error: null});
  // A label that somebody else wrote is shown, but what is being typed is not taken away.
  const shown = useRef(value ?? '');
  useEffect(() => {
    const before = shown.current;
    shown.current = value ?? '';
    if (shown.current !== before) setText(now => (now === before ? shown.current : now));
  }, [value]);
  const bytes = new TextEncoder().encode(text).length;
  const submit = async event => {
    event.preventDefault();
    set({busy: true, saved: false, error: null});
    try {
      await save(text);
      set({busy: false, saved: true, error: null});
    } catch (error) {
      set({busy: false, saved: false, error});
    }
  };
  const typed = event => {
    setText(event.target.value);
    set(s => ({...s, saved: false}));
  };
  return html`<form class="card label" onSubmit=${submit}>
    <label for="label">Label of this ${what}</label>
    <div class="row"><input id="label" value=${text} onInput=${typed}
      aria-describedby="label-hint" aria-invalid=${bytes > most ? 'true' : 'false'} />
      <button type="submit" disabled=${state.busy || bytes > most}>${state.busy ? 'Saving…' : 'Save'}</button></div>
    <p id="label-hint" class="small muted">A remark for people, up to ${most} bytes: it changes nothing of what the
      ${` ${what} `}is. The last one written counts. ${bytes > most && html`<b>It has ${bytes} bytes.</b>`}</p>
    <p role="status" class="small">${state.saved ? '✓ Saved' : ''}</p>
    <${Fault} error=${state.error} />
  </form>`;
}
