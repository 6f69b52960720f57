package main

const (
	inBitcoin = "internal/tx/bitcoin"

	btcAccountFile = inBitcoin + "/account.go"
	btcFieldsFile  = inBitcoin + "/fields.go"
	btcLocateFile  = inBitcoin + "/locate.go"
	btcOursFile    = inBitcoin + "/ours.go"
	btcOutputsFile = inBitcoin + "/outputs.go"
	btcPacketFile  = inBitcoin + "/packet.go"
	btcReadFile    = inBitcoin + "/read.go"
	btcReaderFile  = inBitcoin + "/reader.go"
	btcSpentFile   = inBitcoin + "/spent.go"

	inDerive          = "internal/derive"
	deriveOutputsFile = inDerive + "/outputs.go"
)

// bitcoinMutants are of what a PSBT is taken to mean.
var bitcoinMutants = []Mutant{
	// Change.
	edit("change may have a script tree", btcOutputsFile, "paysTo(p.tx.TxOut[at].PkScript, key)", "key != nil").
		killed("change is BIP 86", inBitcoin, "TestChange"),
	edit("change may say that it has a script tree", btcOutputsFile, " || p.outputs[i].has(outTapTree)", "").
		killed("change is BIP 86", inBitcoin, "TestChange"),
	edit("change goes to any root that is named", btcOutputsFile, "return inputs[root] }", "return true }").
		killed("change is under the root of an input", inBitcoin, "TestChange"),
	edit("change goes to any chain", btcOutputsFile, " && at.path[0] <= changeChain", "").
		killed("change is on a chain of the wallet", inBitcoin, "TestChange"),
	edit("a key is believed to be a child", deriveOutputsFile, "bytes.Equal(x[:], said[i].Key)", "!bytes.Equal(x[:], nil)").
		killed("whole keys are compared", inDerive, "TestOutputs"),
	edit("change makes up for all that is spent", btcAccountFile,
		"min(spends, ins-change)", "spends - min(change, spends)").
		killed("one change makes up once", inBitcoin, "TestChangeMakesUpOnce"),
	edit("change makes up where others may add inputs", btcAccountFile,
		"!allOutputs(hash) || anyoneCanPay(hash)\n", "!allOutputs(hash)\n").
		killed("SIGHASH_ANYONECANPAY gives up the sum", inBitcoin, "TestAccount"),
	edit("change makes up where others may add outputs", btcAccountFile,
		"!allOutputs(hash) || anyoneCanPay(hash)\n", "anyoneCanPay(hash)\n").
		killed("SIGHASH_NONE pays anybody", inBitcoin, "TestAccount"),

	// Inputs.
	edit("an input may spend any output", btcOursFile, "!paysTo(in.out.PkScript, in.output)", "in.output == nil").
		killed("an input is of the key that it names", inBitcoin, "TestRefuses"),
	edit("an output may be spent twice", btcPacketFile, "twice := spent[in.PreviousOutPoint]; twice",
		"twice := spent[in.PreviousOutPoint]; twice && false").
		killed("amounts count once", inBitcoin, "TestRefuses"),
	never("a non_witness_utxo may be of another transaction", btcSpentFile, "tx.TxHash() != outpoint.Hash").
		killed("a transaction proves amounts by its txid", inBitcoin, "TestRefuses"),
	edit("two amounts of an input need not be one", btcSpentFile, "out.Value != of.Value || ", "").
		killed("an input has one amount", inBitcoin, "TestRefuses"),
	never("an amount may be missing", btcReadFile, "missing >= 0 && !anyoneCanPay(hash)").
		killed("a digest is over all amounts", inBitcoin, "TestRefuses"),
	edit("SIGHASH_SINGLE needs no output", btcReadFile, " && in.at >= len(common.tx.TxOut)", " && false").
		killed("SIGHASH_SINGLE signs an output", inBitcoin, "TestRefuses"),
	edit("some inputs are signed where all were wanted", btcReadFile, "(!partial || len(r.meaning.Signatures) == 0)",
		"len(r.meaning.Signatures) == 0").
		killed("all inputs of ours or none", inBitcoin, "TestRefuses"),

	// Bytes that lie.
	never("a count may be larger than what is there", btcReaderFile, "n > uint64(len(r.b)/least)").
		killed("nothing is allocated by a sender's count", inBitcoin, "TestBadFields"),
	edit("a field may be there twice", btcFieldsFile, "s[i].kind == s[j].kind && bytes", "false && bytes").
		killed("a field has one value", inBitcoin, "TestBadFields"),
	never("roots are tried without end", btcLocateFile, "l.steps > maxSteps").
		killed("derivations are bounded", inBitcoin, "TestTriesAreBounded"),
}
