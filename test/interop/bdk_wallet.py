"""BDK: a watch-only wallet that imports the descriptor, and is asked whose a script is."""

import bdkpython as bdk

from lines import serve

kinds = {"mainnet": bdk.NetworkKind.MAIN}
networks = {"mainnet": bdk.Network.BITCOIN, "testnet": bdk.Network.TESTNET, "signet": bdk.Network.SIGNET,
            "regtest": bdk.Network.REGTEST}
chains = (bdk.KeychainKind.EXTERNAL, bdk.KeychainKind.INTERNAL)
REVEALED = 2000  # a wallet knows the scripts up to the index that it has revealed, and derives those in between


def parse(q, text):
    return bdk.Descriptor(text, kinds.get(q["network"], bdk.NetworkKind.TEST))


def account(q, answer):
    network = networks[q["network"]]
    both = parse(q, q["descriptor"])
    answer.same("descriptor", q["descriptor"], str(both))
    answer.same("chains", [q["receive"], q["change"]], [str(d) for d in both.to_single_descriptors()])
    answer.same("xpub", q["xpub"], str(bdk.DescriptorPublicKey.from_string(q["xpub"])))
    of_key = [parse(q, f"tr({q['xpub']}/{chain}/*)") for chain in (0, 1)]
    wallet = bdk.Wallet.create_from_two_path_descriptor(both, network, bdk.Persister.new_in_memory())
    for run in q["runs"]:
        chain, last = chains[run["branch"]], run["first"] + len(run["addresses"]) - 1
        if last < REVEALED:
            wallet.reveal_addresses_to(chain, last)
        for i, address in enumerate(run["addresses"], run["first"]):
            answer.same(f"{run['branch']}/{i}", address, str(wallet.peek_address(chain, i).address))
            script = bdk.Address(address, network).script_pubkey()
            if last >= REVEALED:
                answer.same("of the xpub", address, str(of_key[run["branch"]].derive_address(i, network)))
                continue
            answer.same("is the wallet's", True, wallet.is_mine(script))
            at = wallet.derivation_of_spk(script)
            answer.same("found at", (chain, i), (at.keychain, at.index))


def build(q, wallet):
    """A wallet that knows its coins pays. It makes its own change."""
    for chain in chains:
        wallet.reveal_addresses_to(chain, REVEALED)
    payment = bdk.TxBuilder().manually_selected_only().fee_absolute(bdk.Amount.from_sat(q["fee"]))
    for coin in q["coins"]:
        funding = bdk.Transaction(bytes.fromhex(coin["funding"]))
        at = bdk.OutPoint(txid=funding.compute_txid(), vout=coin["index"])
        if coin["foreign"]:
            payment = payment.only_witness_utxo().add_foreign_utxo(at, foreign(funding.output()[coin["index"]]), 110)
            continue
        wallet.apply_unconfirmed_txs([bdk.UnconfirmedTx(tx=funding, last_seen=1)])
        payment = payment.add_utxo(at)
    for out in q["outputs"]:
        if not out["change"]:
            payment = payment.add_recipient(bdk.Script(bytes.fromhex(out["script"])), bdk.Amount.from_sat(out["amount"]))
    return payment.finish(wallet)


def psbt(q, answer):
    """A watch-only wallet pays."""
    wallet = bdk.Wallet.create_from_two_path_descriptor(parse(q, q["descriptor"]), networks[q["network"]],
                                                        bdk.Persister.new_in_memory())
    answer.more["psbt"] = build(q, wallet).serialize()


def leave(q, answer):
    """A wallet that has the private key sees the addresses, and spends. BDK reads no <0;1> behind a private key."""
    wallet = bdk.Wallet(parse(q, q["receive"]), parse(q, q["change"]), networks[q["network"]],
                        bdk.Persister.new_in_memory())
    packet = build(q, wallet)
    for run in q["runs"]:
        for i, address in enumerate(run["addresses"], run["first"]):
            answer.same(f"{run['branch']}/{i}", address, str(wallet.peek_address(chains[run["branch"]], i).address))
    answer.same("signed", True, wallet.sign(packet))
    answer.more["transaction"] = packet.extract_tx_unchecked_fee_rate().serialize().hex()


def foreign(out):
    """What a PSBT says of an input that spends an output of another wallet."""
    none = dict.fromkeys(("non_witness_utxo", "sighash_type", "redeem_script", "witness_script", "final_script_sig",
                          "final_script_witness", "tap_key_sig", "tap_internal_key", "tap_merkle_root"))
    empty = {name: {} for name in ("partial_sigs", "bip32_derivation", "ripemd160_preimages", "sha256_preimages",
                                   "hash160_preimages", "hash256_preimages", "tap_script_sigs", "tap_scripts",
                                   "tap_key_origins", "proprietary", "unknown")}
    return bdk.Input(witness_utxo=out, **none, **empty)


def spend(q, answer):
    """BDK verifies each input before it takes it for final."""
    done = bdk.Psbt(q["psbt"]).finalize()
    answer.same("final", (True, None), (done.could_finalize, done.errors))
    tx = done.psbt.extract_tx_unchecked_fee_rate()
    answer.same("txid", q["txid"], str(tx.compute_txid()))
    answer.more["transaction"] = tx.serialize().hex()


def output(q, answer):
    address = parse(q, q["descriptor"]).derive_address(q["index"], networks[q["network"]])
    answer.same("script", q["script"], address.script_pubkey().to_bytes().hex())


serve(account=account, leave=leave, output=output, psbt=psbt, spend=spend)
