// @solana/web3.js 1.x. It derives no keys of this kind: the formula of docs/protocol.md, section 10, is written here
// once more, on @noble/curves.
import { createHmac } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519';
import { PublicKey, SystemProgram, Transaction } from '@solana/web3.js';
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
});
