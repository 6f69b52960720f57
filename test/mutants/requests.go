package main

const (
	signedFile   = "client/signed.go"
	spendingFile = "client/spending.go"
)

// requestMutants are of what a client believes of PSBTs, transactions and messages.
var requestMutants = []Mutant{
	edit("a client takes transactions unverified", signedFile, "return spend.verify(asked, share, named)",
		"_ = spend; return len(asked), nil").
		killed("a client's transactions are ones that the network takes", inClient, "TestFalseRequests"),
	edit("a client takes transfers unverified", signedFile, "s.PublicKey, s.Message, signed[i])",
		"s.PublicKey, s.Message, signed[i]); err = nil").
		killed("a client's transfers and messages verify", inClient, "TestFalseRequests"),
	never("a client takes another transaction for its own", signedFile, "!bytes.Equal(part.got, part.want)").
		killed("what comes back is what was asked, signed", inClient, "TestFalseRequests"),
	edit("a client takes signatures in any place", signedFile, " || *s.At != in.Signatures[next].At", "").
		killed("a signature is where it belongs", inClient, "TestFalseRequests"),
	edit("a client takes refusals of what can be signed", signedFile, "len(signed) != len(in.Signatures) || ", "").
		killed("all inputs are signed, or none", inClient, "TestFalseRequests"),
	edit("any output is of the key", spendingFile, "return bytes.Equal(out.PkScript,",
		"return true || bytes.Equal(out.PkScript,").
		killed("a signature spends from the key that was asked", inClient, "TestSpending"),
	edit("a client overlooks what else is in a witness", spendingFile, "len(in.Witness) != 1 ||",
		"len(in.Witness) == 0 ||").
		killed("inputs that are verified together have the engine's verdict", inClient, "TestSpendingAsEngine"),
	edit("a client overlooks a wrong sighash type", spendingFile,
		"len(signature) == n+1 && txscript.SigHashType(signature[n]) == txscript.SigHashAll", "len(signature) == n+1").
		killed("inputs that are verified together have the engine's verdict", inClient, "TestSpendingAsEngine"),
	never("keys of another network sign", "client/request.go", "k.network != network").
		killed("keys are of the fleet's network", inClient, "TestRequestsRefused"),
}
