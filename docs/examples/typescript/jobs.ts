// Generates a Solana key with a Frostfleet and has a message signed, with NATS' own client and the Ed25519 of Node.
//
//     npm ci && npx tsc
//     node jobs.js nats://127.0.0.1:4222 manifest.json client0 client.key gateway0 GATEWAY_PUBLIC_KEY keys.jsonl
//
// Credentials and TLS come from the variables that the nats command line reads: NATS_NKEY or NATS_CREDS, NATS_CA.

import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import {
  connect, credsAuthenticator, headers, type Msg, type NatsConnection, nkeyAuthenticator, type NodeConnectionOptions,
  type TlsOptions,
} from '@nats-io/transport-node';

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

// What is announced, and the wait for the next of it, which goes on when somebody has stopped waiting.
interface Announced {
  messages: AsyncIterator<Msg>;
  next?: Promise<IteratorResult<Msg>>;
}

const seconds = (n: number) => n * 1000;

// The fleet's hash: SHA-256 over the tag's hash, twice, and parts with their lengths.
function tagged(tag: string, ...parts: (string | Uint8Array)[]): Buffer {
  const t = createHash('sha256').update(tag).digest();
  const h = createHash('sha256').update(t).update(t);
  for (const part of parts) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(Buffer.byteLength(part)));
    h.update(length).update(part);
  }
  return h.digest();
}

// Identity of a manifest, which every signature of the fleet names.
function manifestHash(m: Manifest): Buffer {
  const counts = [m.n, m.t, m.epoch, Number(m.attest_signing)].map((count) => {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(count);
    return number;
  });
  const keys = m.nodes.flatMap((node) => [Buffer.from(node.identity, 'hex'), Buffer.from(node.encryption, 'hex')]);
  return tagged('frostfleet/manifest/v1', m.fleet, m.network, ...counts, ...keys);
}

// An Ed25519 key as Node reads it: its bytes behind the head that RFC 8410 gives them.
function rfc8410(head: string, key: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(key)) {
    throw new Error('a key has 64 hexadecimal digits');
  }
  return Buffer.from(head + key, 'hex');
}

const privateKey = (seed: string) =>
  createPrivateKey({ key: rfc8410('302e020100300506032b657004220420', seed), format: 'der', type: 'pkcs8' });
const publicKey = (point: string) =>
  createPublicKey({ key: rfc8410('302a300506032b6570032100', point), format: 'der', type: 'spki' });

// Options for connect: a file with an nkey's seed or a .creds file, and the authority's certificate.
function connection(url: string): NodeConnectionOptions {
  const { NATS_NKEY, NATS_CREDS, NATS_CA } = process.env;
  const options: NodeConnectionOptions = { servers: url, timeout: seconds(30), maxReconnectAttempts: -1 };
  if (NATS_NKEY) {
    options.authenticator = nkeyAuthenticator(Buffer.from(readFileSync(NATS_NKEY, 'utf8').trim()));
  } else if (NATS_CREDS) {
    options.authenticator = credsAuthenticator(readFileSync(NATS_CREDS));
  }
  if (NATS_CA) {
    // The host is for Node to check the certificate against if it is an address and no name.
    options.tls = { ca: readFileSync(NATS_CA, 'utf8'), host: new URL(url).hostname } as TlsOptions;
  }
  return options;
}

class Fleet {
  private readonly manifest: Buffer;

  constructor(
    private readonly nc: NatsConnection,
    private readonly of: Manifest,
    private readonly client: string,
    private readonly key: KeyObject,
    private readonly gateways: Map<string, KeyObject>,
  ) {
    this.manifest = manifestHash(of);
  }

  // What client and gateways sign: tag, subject, network, the manifest's hash and the payload, a line each.
  private signed(tag: string, subject: string, payload: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from([tag, subject, this.of.network, this.manifest.toString('hex'), ''].join('\n')),
      payload]);
  }

  // Publishes a job and returns its payload and its result, as text and read.
  async run(kind: string, fields: object): Promise<{ payload: string; json: string; result: Result }> {
    const { fleet, network } = this.of;
    const job = randomUUID();
    const expires = new Date(Date.now() + seconds(600));
    const payload = Buffer.from(JSON.stringify({ job, kind, expires, ...fields }));
    const subject = `frost.${fleet}.job.${kind}.${this.client}`;
    const signature = sign(null, this.signed('frostfleet/job/v2', subject, payload), this.key).toString('hex');
    const subscription = this.nc.subscribe(`frost.${fleet}.result.${this.client}.${job}`);
    const announced: Announced = { messages: subscription[Symbol.asyncIterator]() };
    try {
      const h = headers();
      h.set('Frost-Client', this.client);
      h.set('Frost-Signature', signature);
      // After a TimeoutError it may be stored or not.
      const ack = (await this.nc.request(subject, payload, { timeout: seconds(30), headers: h })).json<object>();
      if ('error' in ack || 'duplicate' in ack) { // 10077: busy, 256 open jobs of this kind
        throw new Error(`not stored: ${JSON.stringify(ack)}`);
      }
      const want = tagged('frostfleet/job/v2', this.manifest, fleet, network, kind, this.client, payload)
        .toString('hex');
      while (Date.now() < expires.getTime()) {
        const m = await this.answer(announced, job);
        const result = m && this.verified(m, job);
        if (!result || result.digest !== want || (result.rejected ?? signature) !== signature) {
          continue; // nothing yet, or the result of another job
        }
        if (result.status !== 'done') {
          throw new Error(`${result.code}: ${result.error}`);
        }
        return { payload: payload.toString(), json: m.string(), result };
      }
      throw new Error(`no answer to job ${job}`);
    } finally {
      subscription.unsubscribe();
    }
  }

  // The announced result, or after a while of silence the stored one; undefined if there is none yet.
  private async answer(announced: Announced, job: string): Promise<Msg | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<undefined>((resolve) => { timer = setTimeout(() => resolve(undefined), seconds(5)); });
    announced.next ??= announced.messages.next();
    const m = await Promise.race([announced.next, silence]).finally(() => clearTimeout(timer));
    if (m && !m.done) {
      announced.next = undefined;
      return m.value;
    }
    const stream = `FROST_${this.of.fleet.toUpperCase()}_RESULTS`;
    const stored = `frost.${this.of.fleet}.res.${this.client}.${job}`;
    const got = await this.nc.request(`$JS.API.DIRECT.GET.${stream}.${stored}`, '', { timeout: seconds(5) });
    return got.headers?.code ? undefined : got;
  }

  // The result, if one of the fleet's gateways signed it.
  private verified(m: Msg, job: string): Result | undefined {
    const subject = `frost.${this.of.fleet}.result.${this.client}.${job}`;
    const gateway = this.gateways.get(m.headers?.get('Frost-Gateway') ?? '');
    const signature = Buffer.from(m.headers?.get('Frost-Signature') ?? '', 'hex');
    if (gateway && verify(null, this.signed('frostfleet/result/v2', subject, m.data), gateway, signature)) {
      return m.json<Result>();
    }
    console.error('ignored a result: no gateway signed it'); // anybody may have put it there
    return undefined;
  }
}

async function main(args: string[]): Promise<void> {
  const [url, manifestFile, client, keyFile, gateway, gatewayKey, keysFile] = args;
  if (!url || !manifestFile || !client || !keyFile || !gateway || !gatewayKey || !keysFile || args.length !== 7) {
    throw new Error('usage: node jobs.js URL MANIFEST CLIENT KEY_FILE GATEWAY GATEWAY_PUBLIC_KEY KEYS_FILE');
  }
  const manifest: Manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
  const key = privateKey(readFileSync(keyFile, 'utf8').trim());
  const nc = await connect(connection(url));
  try {
    const fleet = new Fleet(nc, manifest, client, key, new Map([[gateway, publicKey(gatewayKey)]]));

    const made = await fleet.run('keygen', { chain: 'solana', count: 1 });
    const line = `{"client":${JSON.stringify(client)},"job":${JSON.stringify(made.payload)},"result":${made.json}}\n`;
    appendFileSync(keysFile, line); // for: frostctl verify --keys
    const one = made.result.keys?.[0];
    if (!one) {
      throw new Error('no key');
    }

    const message = Buffer.from('hello from TypeScript');
    const { result } = await fleet.run('sign', { items: [{ key: one.id, message: message.toString('hex') }] });
    const signature = result.signatures?.[0]?.signature ?? '';
    if (!verify(null, message, publicKey(one.public_key), Buffer.from(signature, 'hex'))) {
      throw new Error('the signature does not verify');
    }
    console.log(JSON.stringify({ key: one.id, address: one.address, signature }));
  } finally {
    await nc.close();
  }
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e);
  process.exitCode = 1;
});
