package main

const (
	inKeystore = "internal/keystore"
	inWorker   = "internal/worker"
	inClient   = "client"

	storeFile   = "internal/worker/store.go"
	sessionFile = "internal/worker/session.go"
	keygenFile  = "client/keygen.go"
	pendingFile = "client/pending.go"
	proofFile   = "client/proof.go"
	signFile    = "client/sign.go"
	verifyFile  = "client/verify.go"

	outputKeysFile = "client/output_keys.go"
	claimsFile     = "client/check.go"
	inEdBatch      = "internal/frost/ed25519batch"
	edBatchFile    = "internal/frost/ed25519batch/batch.go"
)

// keeperMutants are of the keystore, the worker around the machine, and clients.
var keeperMutants = []Mutant{
	edit("the keystore takes another transcript", "internal/keystore/write.go",
		"h.Transcript != r.Transcript || ", "").
		killed("a node certifies a batch once", inKeystore, "TestOtherTranscript"),
	edit("the keystore takes another context", "internal/keystore/write.go", " || h.Context != r.Context", "").
		killed("a node certifies a batch once", inKeystore, "TestOtherTranscript"),
	never("any mark completes a batch", "internal/keystore/batch.go", "!s.openComplete(").
		killed("the file gives no permission to sign", inKeystore, "TestMarkOfAnotherBatch"),
	edit("a share is not bound to its batch", "internal/keystore/seal.go", "ad = append(ad, header...)", "").
		killed("a share's owner, index and key are those that were stored", inKeystore, "TestShareOfAnotherHeader"),
	edit("a share is not bound to its key", "internal/keystore/seal.go",
		"return append(ad, public...)", "return ad[:len(ad)+0*len(public)]").
		killed("a share's owner, index and key are those that were stored", inKeystore, "TestShareOfAnotherKey"),

	never("a moved batch signs", "internal/keystore/read.go", "isMoved(tx, id)").
		killed("a batch that has moved signs with its old shares no more", inKeystore, "TestMoved"),
	never("a moved batch is dealt", "internal/keystore/read.go", "isMoved(tx, ref.Batch)").
		killed("a batch that has moved is not dealt once more", inKeystore, "TestShares"),
	edit("an unfinished generation is dealt", "internal/keystore/read.go", "err != nil || !done {",
		"err != nil || !done && false {").
		killed("only what all nodes certified is dealt", inKeystore, "TestShares"),
	edit("any generation signs", "internal/keystore/read.go", "if done || !complete {", "if true {").
		killed("the highest complete generation signs", inKeystore, "TestGenerations"),
	never("an approval is taken back after the deal", "internal/keystore/successor.go", "before.Dealt:").
		killed("who dealt to a manifest stays with it", inKeystore, "TestSuccessor"),
	never("a node deals to what was revoked", "internal/keystore/successor.go",
		"before == nil || !bytes.Equal(before.Manifest, manifest)").
		killed("what was revoked gets no shares", inKeystore, "TestSuccessor"),
	edit("a retired storage is opened", "internal/keystore/keystore.go", "refuseRetired(dir); err != nil",
		"refuseRetired(dir); false && err != nil").
		killed("a retired storage signs nothing", inKeystore, "TestRetire"),

	never("incomplete batches sign", storeFile, "!k.Complete").
		killed("no key signs without n certificates", inWorker, "TestIncompleteKeyIsNotLoaded"),
	edit("a certificate goes out before the share is stored", storeFile,
		"m.written(m.store.Certify(m.record(e.Record)))", "error(nil)").
		killed("a certified share is on the disk", inWorker, "TestRestartBetweenStoreAndCertificate"),
	edit("a refused device's session key stays", sessionFile, "s.current = nil\n\ts.revoke()", "s.revoke()").
		killed("a node whose device was taken away says nothing more", inWorker, "TestDroppedSession"),
	edit("what a refused device sealed stays", sessionFile, "s.current = nil\n\ts.revoke()", "s.current = nil").
		killed("a node whose device was taken away says nothing more", inWorker, "TestSealedBeforeRefusal"),
	never("a worker starts with another identity", "internal/worker/keys.go", "!bytes.Equal(card.Identity,").
		killed("a node's device is the manifest's", inWorker, "TestCheckCard"),
	never("a worker starts with another encryption key", "internal/worker/keys.go", "!bytes.Equal(card.Encryption,").
		killed("a node can open its boxes", inWorker, "TestCheckCard"),

	never("a client takes another job's result", pendingFile, "!bytes.Equal(r.Digest, j.digest[:])").
		killed("a result answers one job", inClient, "TestIgnored"),
	never("a client takes another publication's rejection", pendingFile, "!bytes.Equal(r.Rejected, j.Signature)").
		killed("nobody's forged job ends the client's own", inClient, "TestIgnored"),
	edit("a client takes keys without proof", proofFile, "certified, err := wire.CertifiedKeys(m, signed, r)",
		"certified, err := make([]wire.EntryKey, len(r.Keys)), error(nil); _ = signed; "+
			"for i, k := range r.Keys { certified[i].PublicKey = k.PublicKey }").
		killed("all n nodes certified a client's keys", inClient, "TestUnproven"),
	edit("a client takes an older batch", certifiedFile, "cert.Context != ctx || ", "").
		killed("an older batch does not answer a new job", inClient, "TestOlderBatchOfTheSameClient"),
	never("a client takes another address", proofFile, "k.Address != address").
		killed("an address is of its key", inClient, "TestUnproven"),
	never("a client takes another descriptor", proofFile, `k.Descriptor != "" && k.Descriptor != descriptor`).
		killed("a descriptor is of its key", inClient, "TestUnproven"),
	never("a client takes another fleet's answers", proofFile, "!bytes.Equal(r.Manifest, want[:])").
		killed("a result is of the client's fleet", inClient, "TestUnprovenSignatures"),
	edit("a client takes signatures unverified", signFile,
		"= all.verify(c.recheck); err != nil", "= all.verify(c.recheck); err != nil && false").
		killed("a client's signatures verify", inClient, "TestUnprovenSignatures"),
	edit("a client takes another key's signatures", signFile,
		"s.PublicKey); err != nil", "s.PublicKey); err != nil && false").
		killed("a signature is by the key that was asked", inClient, "TestUnprovenSignatures"),
	edit("a client forgets the script roots of many", outputKeysFile,
		"Root: [32]byte(it.ScriptRoot)", "").
		killed("the output keys commit to the client's scripts", inClient, "TestOutputKeysAtOnce"),
	edit("a client forgets its script root", outputKeysFile,
		"TaprootOutputKey(signers[0], it.ScriptRoot)", "TaprootOutputKey(signers[0], nil)").
		killed("the output key commits to the client's scripts", inClient, "TestUnprovenSignatures"),
	edit("a client takes the root's signature for the child's", outputKeysFile,
		`it.Path == "" || len(it.PublicKey)`, `it.Path != "-" || len(it.PublicKey)`).
		killed("a signature is by the child that was asked", inClient, "TestUnprovenChildren"),
	edit("a client takes what only one library finds good", claimsFile,
		"bad[i], err); differs != nil", "bad[i], err); differs != nil && false").
		killed("a disagreement is no verdict", inClient, "TestDisagreement"),
	edit("a client asks no library", claimsFile, "if count > 0 && !some {", "if false {").
		killed("some signatures are checked again", inClient, "TestChosen"),
	edit("a batch is blind to points of small order", edBatchFile, "return edwards.TorsionFreeVartime(source, t.nonces)",
		"return true").
		killed("a batch has the verdict of single signatures", inEdBatch, "TestSmallOrderInNonces"),
	edit("a batch forgets what is in the keys", edBatchFile,
		"edwards.AddSmallMultsVartime(t.nonces, t.keys, t.small)", "_ = t.keys").
		killed("a batch has the verdict of single signatures", inEdBatch, "TestSmallOrderInKeys"),
	edit("a batch has one weight", edBatchFile, "copy(weight[:], random)", "weight[0] = 1").
		killed("errors in a batch do not cancel", inEdBatch, "TestErrorsThatCancel"),
	never("a client takes a signature under another path", signFile, "s.Path != want[i].Path").
		killed("a result says under which path it was signed", inClient, "TestUnprovenChildren"),
	edit("a client takes keys of small order", verifyFile,
		`reason := weak(publicKey); reason != ""`, `reason := weak(publicKey); false`).
		killed("not everybody can sign for a key", inClient, "TestEd25519Speccheck"),
	edit("a client takes nonces of small order", verifyFile,
		`reason := weak(signature[:32]); reason != ""`, `reason := weak(signature[:32]); false`).
		killed("Solana takes a client's signatures", inClient, "TestEd25519Speccheck"),
	edit("a client takes points in any encoding", verifyFile, "case !bytes.Equal(p.Bytes(), encoded):",
		"case false && !bytes.Equal(p.Bytes(), encoded):").
		killed("all libraries judge a client's signatures alike", inClient, "TestEd25519Encodings"),
	edit("a client publishes a job that it could not save", keygenFile, "err = k.save(j)", "_ = k.save(j)").
		killed("what the fleet finishes can be had after a crash", inClient, "TestSaveFirst"),
}
