// Generates a Solana key and has a message signed over a gateway's HTTP API, end to end: this program signs its jobs
// itself and checks the results, and the gateway, which has no key of its client, only carries them. With nothing but
// fetch and WebCrypto, as browsers have them, too; Node reads the files.
//
//     npm ci && npx tsc
//     FROSTFLEET_TOKEN=ff_... node http.js http://127.0.0.1:8080 manifest.json client0 client.key gateway0 \
//       GATEWAY_PUBLIC_KEY keys.jsonl

import { appendFileSync, readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';

const { subtle } = webcrypto;
type Key = webcrypto.CryptoKey;
type Bytes = Uint8Array<ArrayBuffer>;

interface Manifest {
  fleet: string;
  network: string;
  n: number;
  t: number;
  epoch: number;
  attest_signing: boolean;
  nodes: { identity: string; encryption: string }[];
}

// Results have more; these are the fields used here.
interface Result {
  status: string;
  digest: string;
  rejected?: string;
  code?: string;
  error?: string;
  keys?: { id: string; public_key: string; address: string }[];
  signatures?: { signature: string }[];
}

const utf8 = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;
const hex = (bytes: Bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

function bytes(text: string, length?: number): Bytes {
  if (!/^([0-9a-f]{2})*$/i.test(text) || (length !== undefined && text.length !== 2 * length)) {
    throw new Error('not hexadecimal, or of another length');
  }
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function concat(...parts: Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

function number(value: number, size: 4 | 8): Bytes {
  const out = new Uint8Array(size);
  new DataView(out.buffer).setUint32(size - 4, value);
  return out;
}

const sha256 = async (data: Bytes): Promise<Bytes> => new Uint8Array(await subtle.digest('SHA-256', data));

// The fleet's hash: SHA-256 over the tag's hash, twice, and parts with their lengths.
async function tagged(tag: string, ...parts: Bytes[]): Promise<Bytes> {
  const t = await sha256(utf8(tag));
  return sha256(concat(t, t, ...parts.flatMap((part) => [number(part.length, 8), part])));
}

// Identity of a manifest, which every signature of the fleet names.
function manifestHash(m: Manifest): Promise<Bytes> {
  const counts = [m.n, m.t, m.epoch, Number(m.attest_signing)].map((count) => number(count, 4));
  const keys = m.nodes.flatMap((node) => [bytes(node.identity, 65), bytes(node.encryption, 32)]);
  return tagged('frostfleet/manifest/v1', utf8(m.fleet), utf8(m.network), ...counts, ...keys);
}

// A seed as WebCrypto takes it: behind the head that RFC 8410 gives it.
const privateKey = (seed: string): Promise<Key> =>
  subtle.importKey('pkcs8', concat(bytes('302e020100300506032b657004220420'), bytes(seed, 32)), 'Ed25519', false,
    ['sign']);
const publicKey = (point: string): Promise<Key> =>
  subtle.importKey('raw', bytes(point, 32), 'Ed25519', false, ['verify']);

class Fleet {
  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly of: Manifest,
    private readonly hash: Bytes,
    private readonly client: string,
    private readonly key: Key,
    private readonly gateways: Map<string, Key>,
  ) {}

  // What client and gateways sign: tag, subject, network, the manifest's hash and the payload, a line each.
  private signed(tag: string, subject: string, payload: Bytes): Bytes {
    return concat(utf8([tag, subject, this.of.network, hex(this.hash), ''].join('\n')), payload);
  }

  private async ask(path: string, body?: object): Promise<Response> {
    const response = await fetch(this.url + path, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) { // application/problem+json says why, and whether the same request may succeed later
      throw new Error(`${response.status} ${await response.text()}`);
    }
    return response;
  }

  // Has a job carried, and returns its payload and its result, as text and read. Whatever fails on the way, the same
  // job may be sent again, to any gateway.
  async run(kind: string, fields: object): Promise<{ payload: string; json: string; result: Result }> {
    const { fleet, network } = this.of;
    const job = webcrypto.randomUUID();
    const expires = new Date(Date.now() + 600_000);
    const payload = JSON.stringify({ job, kind, expires, ...fields });
    const input = this.signed('frostfleet/job/v2', `frost.${fleet}.job.${kind}.${this.client}`, utf8(payload));
    const signature = hex(new Uint8Array(await subtle.sign('Ed25519', this.key, input)));
    await this.ask('/v1/jobs?wait=30s', { payload, signature });
    for (;;) { // what the gateway says of a job is a hint: what counts is its result
      const { status } = await (await this.ask(`/v1/jobs/${job}?wait=30s`)).json() as { status: string };
      if (status !== 'accepted' && status !== 'pending') {
        break;
      }
      if (Date.now() > expires.getTime()) {
        throw new Error(`no answer to job ${job}`);
      }
    }
    const response = await this.ask(`/v1/jobs/${job}/result`);
    const raw = new Uint8Array(await response.arrayBuffer());
    const gateway = this.gateways.get(response.headers.get('frost-gateway') ?? '');
    const proof = bytes(response.headers.get('frost-signature') ?? '', 64);
    const subject = `frost.${fleet}.result.${this.client}.${job}`;
    if (!gateway || !await subtle.verify('Ed25519', gateway, proof, this.signed('frostfleet/result/v2', subject, raw))) {
      throw new Error('no gateway of the fleet signed this result');
    }
    const json = new TextDecoder().decode(raw);
    const result = JSON.parse(json) as Result;
    const want = await tagged('frostfleet/job/v2', this.hash, utf8(fleet), utf8(network), utf8(kind), utf8(this.client),
      utf8(payload));
    if (result.digest !== hex(want) || (result.rejected ?? signature) !== signature) {
      throw new Error('this is the result of another job');
    }
    if (result.status !== 'done') {
      throw new Error(`${result.code}: ${result.error}`);
    }
    return { payload, json, result };
  }
}

async function main(args: string[], token = process.env.FROSTFLEET_TOKEN): Promise<void> {
  const [url, manifestFile, client, keyFile, gateway, gatewayKey, keysFile] = args;
  if (!token || !url || !manifestFile || !client || !keyFile || !gateway || !gatewayKey || !keysFile) {
    throw new Error('usage: FROSTFLEET_TOKEN=... node http.js URL MANIFEST CLIENT KEY_FILE GATEWAY GATEWAY_PUBLIC_KEY ' +
      'KEYS_FILE');
  }
  const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest;
  const fleet = new Fleet(url, token, manifest, await manifestHash(manifest), client,
    await privateKey(readFileSync(keyFile, 'utf8').trim()), new Map([[gateway, await publicKey(gatewayKey)]]));

  const made = await fleet.run('keygen', { chain: 'solana', count: 1 });
  // For frostctl verify --keys, which checks that all nodes certified the key: do it before you use its address.
  const line = `{"client":${JSON.stringify(client)},"job":${JSON.stringify(made.payload)},"result":${made.json}}\n`;
  appendFileSync(keysFile, line);
  const one = made.result.keys?.[0];
  if (!one) {
    throw new Error('no key');
  }
  const message = utf8('hello from TypeScript over HTTP');
  const { result } = await fleet.run('sign', { items: [{ key: one.id, message: hex(message) }] });
  const signature = result.signatures?.[0]?.signature ?? '';
  if (!await subtle.verify('Ed25519', await publicKey(one.public_key), bytes(signature, 64), message)) {
    throw new Error('the signature does not verify');
  }
  console.log(JSON.stringify({ key: one.id, address: one.address, signature }));
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e);
  process.exitCode = 1;
});
