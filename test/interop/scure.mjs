// @scure/btc-signer with @scure/bip32, on @noble/curves.
import { schnorr } from '@noble/curves/secp256k1';
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

  output(q, answer) {
    const key = derive(HDKey.fromExtendedKey(q.xpub, networks[q.network].bip32), q.path);
    answer.same('script', q.script, hex(payment(q, key).script));
  },
});
