// @scure/btc-signer with @scure/bip32, on @noble/curves.
import { schnorr, secp256k1 } from '@noble/curves/secp256k1';
import { HDKey } from '@scure/bip32';
import * as btc from '@scure/btc-signer';
import { bytes, hex, serve, steps } from './lines.mjs';

const testnet = { ...btc.TEST_NETWORK, bip32: { public: 0x043587cf, private: 0x04358394 } };
const networks = {
  mainnet: { ...btc.NETWORK, bip32: { public: 0x0488b21e, private: 0x0488ade4 } },
  testnet,
  signet: testnet,
  regtest: { ...testnet, bech32: 'bcrt' },
};

const derive = (key, path) => steps(path).reduce((k, index) => k.deriveChild(index), key);
const root = (q) =>
  new HDKey({
    versions: networks[q.network].bip32,
    publicKey: bytes(q.public_key),
    chainCode: bytes(q.chain_code),
  });
const payment = (q, key) => btc.p2tr(key.publicKey.subarray(1), undefined, networks[q.network]);

function taproot(q, path) {
  const top = root(q);
  const tapInternalKey = derive(top, path).publicKey.subarray(1);
  const der = { fingerprint: top.fingerprint, path: steps(path) };
  return { tapInternalKey, tapBip32Derivation: [[tapInternalKey, { hashes: [], der }]] };
}

// Verifies a signature of the key path. The library makes the digest; it does not verify before it finalises.
function good(tx, i, signature) {
  const spent = [...Array(tx.inputsLength).keys()].map((at) => tx.getInput(at).witnessUtxo);
  const [scripts, amounts] = [spent.map((out) => out.script), spent.map((out) => out.amount)];
  const digest = tx.preimageWitnessV1(i, scripts, signature[64] ?? btc.SigHash.DEFAULT, amounts);
  return schnorr.verify(signature.subarray(0, 64), digest, scripts[i].subarray(2));
}

await serve({
  account(q, answer) {
    const network = networks[q.network];
    answer.same('xpub', q.xpub, derive(root(q), q.account).publicExtendedKey);
    const imported = HDKey.fromExtendedKey(q.xpub, network.bip32);
    for (const run of q.runs) {
      const branch = imported.deriveChild(run.branch);
      run.addresses.forEach((address, i) => {
        const mine = payment(q, branch.deriveChild(run.first + i));
        answer.same(`${run.branch}/${run.first + i}`, address, mine.address);
        answer.same('script', hex(btc.OutScript.encode(btc.Address(network).decode(address))), hex(mine.script));
      });
    }
  },

  signature(q, answer) {
    const internal = derive(root(q), q.path).publicKey.subarray(1);
    const [output] = btc.utils.taprootTweakPubkey(internal, bytes(q.script_root));
    answer.same('signature', true, schnorr.verify(bytes(q.signature), bytes(q.message), output));
  },

  psbt(q, answer) {
    const tx = new btc.Transaction({ allowUnknownOutputs: true });
    for (const coin of q.coins) {
      const from = btc.Transaction.fromRaw(bytes(coin.funding), { allowUnknownOutputs: true });
      const { script, amount } = from.getOutput(coin.index);
      tx.addInput({
        txid: from.id,
        index: coin.index,
        sequence: 0xfffffffd,
        witnessUtxo: { script, amount },
        ...(coin.foreign ? {} : taproot(q, coin.path)),
      });
    }
    for (const out of q.outputs) {
      const change = out.change && taproot(q, out.path);
      tx.addOutput({ script: bytes(out.script), amount: BigInt(out.amount), ...change });
    }
    answer.psbt = Buffer.from(tx.toPSBT()).toString('base64');
  },

  cosign(q, answer) {
    const secret = bytes(q.secret);
    const { script } = btc.p2wpkh(secp256k1.getPublicKey(secret));
    const tx = btc.Transaction.fromPSBT(Buffer.from(q.psbt, 'base64'), { allowUnknownOutputs: true });
    for (let i = 0; i < tx.inputsLength; i++) {
      if (hex(tx.getInput(i).witnessUtxo.script) === hex(script)) tx.signIdx(secret, i);
    }
    answer.psbt = Buffer.from(tx.toPSBT()).toString('base64');
  },

  spend(q, answer) {
    const tx = btc.Transaction.fromPSBT(Buffer.from(q.psbt, 'base64'), { allowUnknownOutputs: true });
    for (let i = 0; i < tx.inputsLength; i++) {
      const { tapKeySig, finalScriptWitness, witnessUtxo } = tx.getInput(i);
      if (witnessUtxo.script.length === 34) {
        answer.same(`input ${i}`, true, good(tx, i, tapKeySig ?? finalScriptWitness[0]));
      }
      if (!finalScriptWitness) tx.finalizeIdx(i);
    }
    answer.same('txid', q.txid, tx.id);
    answer.transaction = hex(tx.extract());
  },

  output(q, answer) {
    const key = derive(HDKey.fromExtendedKey(q.xpub, networks[q.network].bip32), q.path);
    answer.same('script', q.script, hex(payment(q, key).script));
  },
});
