"""embit: extended keys, descriptors, addresses, signatures, PSBTs. And the crate bip322, whose binding it shares this
program with."""

import bip322
from embit import ec, script
from embit.bip32 import HDKey
from embit.descriptor import Descriptor
from embit.descriptor.checksum import add_checksum
from embit.finalizer import finalize_psbt
from embit.networks import NETWORKS
from embit.psbt import PSBT

from lines import serve, steps

networks = {"mainnet": "main", "testnet": "test", "signet": "signet", "regtest": "regtest"}


def network_of(q):
    return NETWORKS[networks[q["network"]]]


def root(q):
    return HDKey(ec.PublicKey.parse(bytes.fromhex(q["public_key"])), bytes.fromhex(q["chain_code"]),
                 version=network_of(q)["xpub"])


def account(q, answer):
    network = network_of(q)
    top = root(q)
    own = top.derive(steps(q["account"]))
    answer.same("xpub", q["xpub"], own.to_base58())
    origin = "/".join([top.my_fingerprint.hex(), *q["account"].split("/")]).rstrip("/")
    for name, chain in (("descriptor", "<0;1>"), ("receive", "0"), ("change", "1")):
        answer.same(name, q[name], add_checksum(f"tr([{origin}]{own.to_base58()}/{chain}/*)"))
    both = Descriptor.from_string(q["descriptor"])
    answer.same("type", (True, True, 2), (both.is_taproot, both.is_wildcard, both.num_branches))
    for run in q["runs"]:
        for i, address in enumerate(run["addresses"], run["first"]):
            mine = both.derive(i, branch_index=run["branch"])
            answer.same(f"{run['branch']}/{i}", address, mine.address(network))
            answer.same("script", script.address_to_scriptpubkey(address), mine.script_pubkey())


def signature(q, answer):
    internal = root(q).derive(steps(q["path"])).get_public_key()
    output = internal.taproot_tweak(bytes.fromhex(q["script_root"]))
    sig = ec.SchnorrSig.parse(bytes.fromhex(q["signature"]))
    answer.same("signature", True, output.schnorr_verify(sig, bytes.fromhex(q["message"])))


def spend(q, answer):
    packet = PSBT.from_string(q["psbt"])
    for i, taken in enumerate(packet.inputs):
        if not taken.is_taproot:
            continue
        if not taken.final_scriptwitness:  # embit does not know the field of BIP 371 by name
            taken.final_scriptwitness = script.Witness([taken.unknown.pop(b"\x13")])
        (witness,) = taken.final_scriptwitness.items
        key = ec.PublicKey.from_xonly(taken.utxo.script_pubkey.data[2:])
        digest = packet.sighash(i, sighash=(witness[64:] or b"\0")[0])
        answer.same(f"input {i}", True, key.schnorr_verify(ec.SchnorrSig.parse(witness[:64]), digest))
    tx = finalize_psbt(packet)
    answer.same("txid", q["txid"], tx.txid().hex())
    answer.more["transaction"] = tx.serialize().hex()


def proof(q, answer):
    bip322.verify_simple_encoded(q["address"], q["text"], q["signature"])  # raises where it is wrong
    answer.same("proof", None, None)


def output(q, answer):
    """One script of a descriptor: the vectors of BIP 386."""
    got = Descriptor.from_string(q["descriptor"])
    answer.same("script", q["script"], got.derive(q["index"]).script_pubkey().data.hex())


serve(account=account, signature=signature, output=output, spend=spend, proof=proof)
