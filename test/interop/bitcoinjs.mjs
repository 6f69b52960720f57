// bitcoinjs-lib with bip32, on libsecp256k1 (tiny-secp256k1). And bip322-js, which has an older bitcoinjs-lib of its
// own.
import BIP32Factory from 'bip32';
import { Verifier } from 'bip322-js';
import * as bitcoin from 'bitcoinjs-lib';
import * as ecc from 'tiny-secp256k1';
import { bytes, hex, serve, steps } from './lines.mjs';

bitcoin.initEccLib(ecc);
const bip32 = BIP32Factory(ecc);

const { bitcoin: mainnet, testnet, regtest } = bitcoin.networks;
const networks = { mainnet, testnet, signet: testnet, regtest };

const derive = (key, path) => steps(path).reduce((k, index) => k.derive(index), key);
const root = (q) => bip32.fromPublicKey(bytes(q.public_key), bytes(q.chain_code), networks[q.network]);
const payment = (q, key) =>
  bitcoin.payments.p2tr({ internalPubkey: key.publicKey.subarray(1), network: networks[q.network] });

// What a PSBT says of an output of a child: the internal key, and where it comes from.
function taproot(q, path) {
  const top = root(q);
  const pubkey = derive(top, path).publicKey.subarray(1);
  const origin = { masterFingerprint: top.fingerprint, path: ['m', ...steps(path)].join('/'), pubkey, leafHashes: [] };
  return { tapInternalKey: pubkey, tapBip32Derivation: [origin] };
}

const verify = (key, hash, signature) =>
  (key.length === 32 ? ecc.verifySchnorr : ecc.verify)(hash, key, signature);

await serve({
  account(q, answer) {
    const network = networks[q.network];
    const account = derive(root(q), q.account);
    answer.same('xpub', q.xpub, account.toBase58());
    const imported = bip32.fromBase58(q.xpub, network);
    for (const run of q.runs) {
      const branch = imported.derive(run.branch);
      run.addresses.forEach((address, i) => {
        const { address: mine, output } = payment(q, branch.derive(run.first + i));
        answer.same(`${run.branch}/${run.first + i}`, address, mine);
        answer.same('script', hex(bitcoin.address.toOutputScript(address, network)), hex(output));
      });
    }
  },

  // What a descriptor with a private key stands for.
  leave(q, answer) {
    const [, xprv, account] = q.descriptor.match(/^tr\(([0-9A-Za-z]+)\/?([0-9/]*)\/<0;1>\/\*\)#/);
    const own = derive(bip32.fromBase58(xprv, networks[q.network]), account);
    answer.same('the public key', derive(root(q), q.account).toBase58(), own.neutered().toBase58());
    for (const { branch, first, addresses } of q.runs) {
      addresses.forEach((address, i) => {
        answer.same(`${branch}/${first + i}`, address, payment(q, own.derive(branch).derive(first + i)).address);
      });
    }
  },

  signature(q, answer) {
    const internal = derive(root(q), q.path).publicKey.subarray(1);
    const tweak = bitcoin.crypto.taggedHash('TapTweak', Buffer.concat([internal, bytes(q.script_root)]));
    const output = ecc.xOnlyPointAddTweak(internal, tweak).xOnlyPubkey;
    answer.same('signature', true, ecc.verifySchnorr(bytes(q.message), output, bytes(q.signature)));
  },

  // A watch-only wallet makes a payment.
  psbt(q, answer) {
    const p = new bitcoin.Psbt({ network: networks[q.network] });
    for (const coin of q.coins) {
      const from = bitcoin.Transaction.fromHex(coin.funding);
      p.addInput({
        hash: from.getId(),
        index: coin.index,
        sequence: 0xfffffffd,
        witnessUtxo: from.outs[coin.index],
        ...(coin.foreign ? {} : taproot(q, coin.path)),
      });
    }
    for (const out of q.outputs) {
      const change = out.change && taproot(q, out.path);
      p.addOutput({ script: bytes(out.script), value: BigInt(out.amount), ...change });
    }
    answer.psbt = p.toBase64();
  },

  // The owner of the other inputs signs them.
  cosign(q, answer) {
    const secret = bytes(q.secret);
    const signer = { publicKey: ecc.pointFromScalar(secret), sign: (hash) => ecc.sign(hash, secret) };
    const { output } = bitcoin.payments.p2wpkh({ pubkey: signer.publicKey });
    const p = bitcoin.Psbt.fromBase64(q.psbt, { network: networks[q.network] });
    p.data.inputs.forEach(({ witnessUtxo }, i) => {
      if (hex(witnessUtxo.script) === hex(output)) p.signInput(i, signer);
    });
    answer.psbt = p.toBase64();
  },

  // What was signed is verified, finalised and extracted.
  spend(q, answer) {
    const p = bitcoin.Psbt.fromBase64(q.psbt, { network: networks[q.network] });
    p.data.inputs.forEach((input, i) => {
      if (input.finalScriptWitness) return;
      answer.same(`input ${i}`, true, p.validateSignaturesOfInput(i, verify));
      p.finalizeInput(i);
    });
    const tx = p.extractTransaction(true);
    answer.same('txid', q.txid, tx.getId());
    answer.transaction = tx.toHex();
  },

  proof(q, answer) {
    answer.same('proof', true, Verifier.verifySignature(q.address, q.text, q.signature));
  },

  // What a descriptor of public parts stands for, for the vectors of the BIPs.
  output(q, answer) {
    const { output } = payment(q, derive(bip32.fromBase58(q.xpub, networks[q.network]), q.path));
    answer.same('script', q.script, hex(output));
  },
});
