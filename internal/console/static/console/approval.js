// Approving a job with a key that stays in this browser: docs/jobs.md, "Approvals" and "Check
// the result". What is signed is computed here from the job's payload, not taken from the answer.

const text = new TextEncoder();

export const hex = bytes => Array.from(new Uint8Array(bytes), b => b.toString(16).padStart(2, '0')).join('');

// unhex reads lower or upper case hexadecimal of so many bytes, or throws.
export function unhex(digits, length, what) {
  if (typeof digits !== 'string' || digits.length !== 2 * length || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw new Error(`${what} is not ${2 * length} hexadecimal digits`);
  }
  return Uint8Array.from({length}, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

const sha256 = async bytes => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

function joined(parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

// tagged is the fleet's hash: SHA-256 over the tag's hash, twice, and parts with their lengths
// as big-endian numbers of 8 bytes.
export async function tagged(tag, ...parts) {
  const t = await sha256(text.encode(tag));
  const pieces = [t, t];
  for (const part of parts) {
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(part.length));
    pieces.push(length, part);
  }
  return sha256(joined(pieces));
}

// digestOf is a sign job's digest, in hexadecimal. manifest is the founding manifest's hash,
// payload the job as its client published it, byte for byte.
export async function digestOf({fleet, network, manifest}, client, payload) {
  const bytes = [fleet, network, 'sign', client, payload].map(s => text.encode(s));
  return hex(await tagged('frostfleet/job/v2', unhex(manifest, 32, 'the manifest’s hash'), ...bytes));
}

// approvalText is what an approver signs; seconds are Unix time.
export const approvalText = ({fleet, network, manifest}, digest, seconds) =>
  `frostfleet/approval/v1\n${fleet}\n${network}\n${manifest.toLowerCase()}\n${digest}\n${seconds}\n`;

// The first 16 bytes of an Ed25519 private key as PKCS #8 has it; the seed follows (RFC 8410).
const pkcs8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

// openKey reads a key file: a seed of 64 hexadecimal digits. What it returns signs, and does not
// give the seed away again.
export async function openKey(file) {
  if (!globalThis.crypto?.subtle) {
    throw new Error('this page was not loaded over HTTPS or from this machine, so the browser keeps its cryptography ' +
      'away from it');
  }
  if (!file) throw new Error('choose your key file first');
  if (file.size > 4096) throw new Error('this is no key file: it has more than 4,096 bytes');
  const digits = (await file.text()).trim();
  if (/private key|encrypted/i.test(digits)) {
    throw new Error('this key file is a PEM or an encrypted one: the approver’s key file has 64 hexadecimal digits');
  }
  const seed = unhex(digits, 32, 'the content of the key file');
  const wrapped = Uint8Array.from([...pkcs8, ...seed]);
  seed.fill(0);
  try {
    const open = await crypto.subtle.importKey('pkcs8', wrapped, 'Ed25519', true, ['sign']);
    const {x} = await crypto.subtle.exportKey('jwk', open);
    const raw = Uint8Array.from(atob(x.replace(/-/g, '+').replace(/_/g, '/')), c => c.charCodeAt(0));
    return {
      publicKey: hex(raw),
      signing: await crypto.subtle.importKey('pkcs8', wrapped, 'Ed25519', false, ['sign']),
      verifying: await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']),
    };
  } catch (err) {
    if (err.name === 'NotSupportedError') {
      throw new Error('this browser has no Ed25519: use a newer one, or frostctl approve', {cause: err});
    }
    throw err;
  } finally {
    wrapped.fill(0);
  }
}

// signText signs, and checks what it signed. In hexadecimal.
export async function signText(key, signed) {
  const bytes = text.encode(signed);
  const signature = await crypto.subtle.sign('Ed25519', key.signing, bytes);
  if (!await crypto.subtle.verify('Ed25519', key.verifying, signature, bytes)) {
    throw new Error('the signature that the browser made does not verify');
  }
  return hex(signature);
}
