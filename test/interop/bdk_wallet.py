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


def output(q, answer):
    address = parse(q, q["descriptor"]).derive_address(q["index"], networks[q["network"]])
    answer.same("script", q["script"], address.script_pubkey().to_bytes().hex())


serve(account=account, output=output)
