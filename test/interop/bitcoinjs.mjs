// bitcoinjs-lib with bip32, on libsecp256k1 (tiny-secp256k1).
import BIP32Factory from 'bip32';
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

  signature(q, answer) {
    const internal = derive(root(q), q.path).publicKey.subarray(1);
    const tweak = bitcoin.crypto.taggedHash('TapTweak', Buffer.concat([internal, bytes(q.script_root)]));
    const output = ecc.xOnlyPointAddTweak(internal, tweak).xOnlyPubkey;
    answer.same('signature', true, ecc.verifySchnorr(bytes(q.message), output, bytes(q.signature)));
  },

  // What a descriptor of public parts stands for, for the vectors of the BIPs.
  output(q, answer) {
    const { output } = payment(q, derive(bip32.fromBase58(q.xpub, networks[q.network]), q.path));
    answer.same('script', q.script, hex(output));
  },
});
