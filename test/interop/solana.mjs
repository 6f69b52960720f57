// @solana/web3.js 1.x with @solana/spl-token, and @solana/offchain-messages. They derive no keys of this kind: the
// formula of docs/protocol.md, section 10, is written here once more, on @noble/curves.
import { createHmac } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519';
import * as offchain from '@solana/offchain-messages';
import { createTransferCheckedInstruction, getAssociatedTokenAddressSync } from '@solana/spl-token';
import {
  AddressLookupTableAccount,
  Keypair,
  PublicKey,
  SystemProgram,
  Transaction,
  TransactionMessage,
  VersionedTransaction,
} from '@solana/web3.js';
import { bytes, hex, serve, steps } from './lines.mjs';

const { ExtendedPoint: Point, CURVE } = ed25519;

function child([key, chain], index) {
  const hash = (tag) => {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(index);
    return createHmac('sha512', chain).update(tag).update(key).update(number).digest();
  };
  const offset = BigInt('0x' + hex(hash('frostfleet/ed25519-child/v1').reverse())) % CURVE.n;
  const point = Point.fromHex(hex(key)).add(Point.BASE.multiply(offset));
  return [point.toRawBytes(), hash('frostfleet/ed25519-chaincode/v1').subarray(0, 32)];
}

const derive = (parent, path) => steps(path).reduce(child, parent);
const root = (q) => [bytes(q.public_key), bytes(q.chain_code)];

// A transfer from a child to another key, as a back end makes it.
function transfer(q) {
  const payer = new PublicKey(q.address);
  const tx = new Transaction({ feePayer: payer, recentBlockhash: q.blockhash });
  return tx.add(SystemProgram.transfer({ fromPubkey: payer, toPubkey: new PublicKey(q.to), lamports: 1234567 }));
}

// What a question pays: lamports, or tokens of a mint.
function pay(q) {
  const [from, to] = [q.address, q.to].map((address) => new PublicKey(address));
  if (!q.mint) return SystemProgram.transfer({ fromPubkey: from, toPubkey: to, lamports: q.units });
  const [mint, program] = [q.mint, q.program].map((address) => new PublicKey(address));
  const account = (owner) => getAssociatedTokenAddressSync(mint, owner, true, program);
  return createTransferCheckedInstruction(account(from), mint, account(to), from, q.units, q.decimals, [], program);
}

const table = (q) =>
  new AddressLookupTableAccount({
    key: new PublicKey(q.table),
    state: {
      deactivationSlot: 2n ** 64n - 1n,
      lastExtendedSlot: 0,
      lastExtendedSlotStartIndex: 0,
      addresses: [new PublicKey(q.to)],
    },
  });

const cosigner = (q) => Keypair.fromSeed(bytes(q.secret));
const base64 = (raw) => Buffer.from(raw).toString('base64');
const parse = (text) => VersionedTransaction.deserialize(Buffer.from(text, 'base64'));

await serve({
  account(q, answer) {
    const account = derive(root(q), q.account);
    for (const run of q.runs) {
      const branch = child(account, run.branch);
      run.addresses.forEach((address, i) => {
        const [key] = child(branch, run.first + i);
        answer.same(`${run.branch}/${run.first + i}`, address, new PublicKey(key).toBase58());
        answer.same('on the curve', true, PublicKey.isOnCurve(new PublicKey(address).toBytes()));
      });
    }
  },

  message(q, answer) {
    answer.message = hex(transfer(q).serializeMessage());
  },

  signature(q, answer) {
    answer.same('address', q.address, new PublicKey(derive(root(q), q.path)[0]).toBase58());
    const tx = transfer(q);
    answer.same('message', q.message, hex(tx.serializeMessage()));
    tx.addSignature(new PublicKey(q.address), Buffer.from(q.signature, 'hex'));
    answer.same('signature', true, tx.verifySignatures());
    answer.same('read back', true, Transaction.from(tx.serialize()).verifySignatures());
  },

  // A back end makes a transaction, with room for signatures.
  transaction(q, answer) {
    const payerKey = q.secret ? cosigner(q).publicKey : new PublicKey(q.address);
    if (!q.v0) {
      const tx = new Transaction({ feePayer: payerKey, recentBlockhash: q.blockhash }).add(pay(q));
      answer.transaction = base64(tx.serialize({ requireAllSignatures: false }));
      return;
    }
    const message = new TransactionMessage({ payerKey, recentBlockhash: q.blockhash, instructions: [pay(q)] });
    answer.transaction = base64(
      new VersionedTransaction(message.compileToV0Message(q.table ? [table(q)] : [])).serialize());
  },

  // The other signer signs.
  cosign(q, answer) {
    const tx = parse(q.transaction);
    tx.sign([cosigner(q)]);
    answer.transaction = base64(tx.serialize());
  },

  // A transaction that is ready for the network is verified.
  landed(q, answer) {
    const tx = parse(q.transaction);
    const message = tx.message.serialize();
    answer.same('message', base64(parse(q.unsigned).message.serialize()), base64(message));
    answer.same('signers', tx.message.header.numRequiredSignatures, tx.signatures.length);
    tx.signatures.forEach((signature, i) => {
      const key = tx.message.staticAccountKeys[i].toBytes();
      answer.same(`signature ${i}`, true, ed25519.verify(signature, message, key, { zip215: false }));
    });
    if (tx.version === 'legacy') {
      const legacy = Transaction.from(Buffer.from(q.transaction, 'base64'));
      answer.same('signatures', true, legacy.verifySignatures());
      answer.same('read back', q.transaction, base64(legacy.serialize()));
    }
  },

  // An off-chain message.
  proof(q, answer) {
    const content = /^[ -~]*$/.test(q.text)
      ? offchain.offchainMessageContentRestrictedAsciiOf1232BytesMax(q.text)
      : offchain.offchainMessageContentUtf8Of1232BytesMax(q.text);
    const envelope = offchain.compileOffchainMessageV0Envelope({
      version: 0,
      applicationDomain: offchain.offchainMessageApplicationDomain('11111111111111111111111111111111'),
      content,
      requiredSignatories: [{ address: q.address }],
    });
    const signature = Buffer.from(q.signature, 'base64');
    const key = new PublicKey(q.address).toBytes();
    answer.same('proof', true, ed25519.verify(signature, envelope.content, key, { zip215: false }));
  },
});
