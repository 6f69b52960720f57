package main

const (
	inFrost = "internal/frost"
	inBoard = "internal/board"

	inConsttime = "internal/frost/secp256k1/consttime"

	batchFile     = "internal/board/batch.go"
	boardFile     = "internal/board/board.go"
	checkFile     = "internal/frost/dkg_check.go"
	cryptFile     = "internal/frost/dkg_crypt.go"
	openFile      = "internal/frost/dkg_open.go"
	sharesFile    = "internal/frost/dkg_shares.go"
	curveFile     = "internal/frost/edwards25519/edwards25519.go"
	dealFile      = "internal/protocol/dkg_deal.go"
	dealerFile    = "internal/protocol/dealer.go"
	finishFile    = "internal/protocol/dkg_finish.go"
	directoryFile = "internal/protocol/directory.go"
	nodeFile      = "internal/protocol/node.go"
	laneFile      = "internal/frost/secp256k1/consttime/lane.go"
	registrarFile = "internal/protocol/registrar.go"
	registerFile  = "internal/board/register.go"
	revokeFile    = "internal/protocol/revoke.go"
)

// keygenMutants are of key generation: the mathematics, the log of it, and both
// machines.
var keygenMutants = []Mutant{
	// Proofs and shares.
	edit("a proof of knowledge names no dealer", cryptFile,
		"uint32Bytes(dealer), uint32Bytes(key)", "uint32Bytes(key)").
		killed("no dealer repeats another's proof", inFrost, "TestLiesAreBlamed"),
	edit("a proof of knowledge names no key", cryptFile,
		"uint32Bytes(dealer), uint32Bytes(key)", "uint32Bytes(dealer)").
		killed("a proof is of one key", inFrost, "TestLiesAreBlamed"),
	edit("a proof of knowledge names no batch", cryptFile,
		"p.Context[:],\n\t\tuint32Bytes(dealer), uint32Bytes(key)",
		"p.Context[:0],\n\t\tuint32Bytes(dealer), uint32Bytes(key)").
		killed("a proof is of one batch", inFrost, "TestLiesAreBlamed"),
	edit("proofs of knowledge are not checked", openFile,
		"s.checkProofs(w, index); err != nil", "s.checkProofs(w, index); err != nil && false").
		killed("a dealer knows what it deals", inFrost, "TestLiesAreBlamed"),
	never("proofs that are missing are not missed", "internal/frost/dkg_check.go", "len(d.Proofs) == 0").
		killed("a deal without its proofs is for those who need none", inFrost, "TestApartLies"),
	edit("boxes are not bound to proofs that are apart", cryptFile, "d.Commitments, d.ProofsHash[:])", "d.Commitments)").
		killed("a box is of one deal", inFrost, "TestApartLies"),
	edit("a kept point has any first byte", "internal/frost/dkg_compact.go", "compact[0]&^1 != 2 || !ok", "!ok").
		killed("a kept point has one encoding", inFrost, "TestCompactPointsRefused"),
	edit("entries are compact whatever the file says", "internal/protocol/keygen.go", "if k.cfg.CompactEntries {", "if true {").
		killed("the release before reads entries until somebody says otherwise", inProtocol, "TestCompactIsNegotiated"),
	edit("shares are not checked", openFile, "if !s.allHold(", "if false && !s.allHold(").
		killed("a node's share is of the certified key", inFrost, "TestWrongShares"),
	never("the sum may be the identity", openFile, "s.isIdentity(&sums[m])").
		killed("the identity is no key", inFrost, "TestIdentitySum"),
	never("another host key is taken", openFile, "[32]byte(own.PublicKey().Bytes()) !=").
		killed("a node with the wrong key blames nobody", inFrost, "TestCallersMistakes"),

	// Batch weights.
	edit("all batch weights are one", checkFile, "w.read(w.drawn[:])", "w.drawn[0] = 1").
		killed("errors of two equations do not cancel out", inFrost, "TestErrorsDoNotCancel"),
	edit("batch weights don't depend on the deals", checkFile,
		"parts = append(parts, s.digests[i][:], d.Shares[index])", "_, _ = i, d").
		killed("the weights are drawn after the deals", inFrost, "TestDealerWhoKnowsTheWeights"),
	edit("batch weights don't depend on the node's shares", checkFile,
		"s.digests[i][:], d.Shares[index]", "s.digests[i][:], d.Shares[index][:0]").
		killed("the weights are drawn after the boxes", inFrost, "TestDealerWhoKnowsTheWeights"),
	edit("dealers can compute the batch weights", checkFile, "{host[:], s.Context[:]", "{s.Context[:]").
		killed("no dealer can compute the weights", inFrost, "TestDealersCannotComputeWeights"),
	edit("batch weights have eight bits", cryptFile, "drawn  [16]byte", "drawn  [1]byte").
		killed("the weights have 128 bits", inFrost, "TestWeightsAreWide"),

	// Points.
	never("points of mixed order are taken", curveFile, "!isTorsionFreeVartime(p)").
		killed("points are of prime order", "internal/frost/edwards25519", "TestDecodePoint"),
	edit("dealt points keep their torsion", "internal/frost/edwards25519/decode.go",
		"if !multiplied {\n\t\t\tSetAffine(&points[i], &affine[i])\n\t\t\tpoints[i].MulByCofactor(&points[i])\n",
		"if multiplied || !multiplied {\n\t\t\tSetAffine(&points[i], &affine[i])\n").
		killed("dealt points are of prime order", inFrost, "TestMixedOrderIsHarmless"),
	never("the base point is taken for a nonce", publicFile, "p.Equal(&base)").
		killed("no nonce is known to everybody", inRFC9591, "TestPubNonceRefusesBadPoints"),
	never("the identity is taken for a divided nonce", publicFile, "p.IsIdentity()").
		killed("no nonce is known to everybody", inRFC9591, "TestDividedNoncesRefuse"),
	edit("divided nonces keep their torsion", publicFile, "\t\tedwards25519.MulByCofactor(points)\n", "").
		killed("divided nonces are of prime order", inRFC9591, "TestDividedNoncesHaveNoTorsion"),

	// Secret multiples of G.
	never("an addition that the chord rule can't do counts", "internal/frost/secp256k1/consttime/consttime.go",
		"l.missed != 0").
		killed("every multiple of G is right", inConsttime, "TestEdges"),
	edit("a denominator of 0 is multiplied", laneFile, "l.den.OneIf(zero)", "").
		killed("a fault in one lane reaches no other", inConsttime, "TestMissedBesideOthers"),
	never("a denominator of 0 in lanes of eight counts", "internal/frost/secp256k1/consttime/consttime.go",
		"s.missed != 0").
		killed("every multiple of G is right", inConsttime, "TestEdges"),
	edit("scratch space of lanes of eight is kept", "internal/frost/secp256k1/consttime/consttime.go",
		"defer s.wipe(groups)", "").
		killed("secrets of multiplications are wiped", inConsttime, "TestScratchIsWiped"),
	edit("scratch space of multiplications is kept", "internal/frost/secp256k1/consttime/consttime.go",
		"defer clear(lanes)", "").
		killed("secrets of multiplications are wiped", inConsttime, "TestLanesAreWiped"),

	// The log.
	never("any certificates finish a batch", batchFile, "!v.certificate.Agrees(first)").
		killed("all nodes certify the same", inBoard, "TestBatch"),
	edit("a certificate may be of another batch", batchFile,
		"wire.ShortID(v.certificate.Context) != slot.ID", "false").
		killed("a slot's certificate is of its batch", inBoard, "TestJunk"),
	edit("a deal's header need not be the batch's", batchFile,
		"|| wire.ShortID(h.Context(m)) != id", "|| len(id) == 0").
		killed("a header is the preimage of its batch's id", inBoard, "TestHeaderIsProvenByTheID"),
	edit("any later message replaces a slot's value", batchFile,
		"v != nil && v.seq <= seq", "v != nil && v.seq == seq").
		killed("a slot's value is the first in the log", inBoard, "TestLowestSequenceWins"),
	edit("a node may fill the board", boardFile,
		"for b.used[node] > b.quota {", "for b.bytes > b.quota*len(b.used) {").
		killed("a node's flood drops nobody else's messages", inBoard, "TestFloodOfOneNode"),
	edit("nothing is evicted", boardFile, "for b.used[node] > b.quota {", "for b.used[node] > 1<<60 {").
		killed("the board's memory is bounded", inBoard, "TestFloodOfOneNode"),
	edit("a second deal counts after an eviction", boardFile, "false, true // what", "false, false // what").
		killed("an evicted value's slot is read again", inBoard, "TestSecondDealAfterEviction"),

	// Workers.
	never("a node deals again after a restart", dealFile, "log.Has(wire.SlotDeal, n.cfg.Index)").
		killed("a node deals once in a batch", inProtocol, "TestRestartAfterDealing"),
	never("the own deal is not compared", dealFile, "ownDeal(raw[cfg.Index]) != own").
		killed("a node certifies with the deal that it made", inProtocol, "TestOwnDealReplaced"),
	never("the own certificate's transcript is not compared", finishFile, "stored && e.Transcript != certified").
		killed("stored shares are of the certified keys", inProtocol, "TestCertifiedBySecondProcess"),
	edit("an abort ends what was certified", dealerFile,
		"b.phase > dkgIdle && b.phase < dkgCertifying", "b.phase > dkgIdle").
		killed("a node that certified waits for the others", inProtocol, "TestAbortAfterCertifying"),
	never("a rebuilt key's root is not compared", finishFile, "record.Root != e.Root").
		killed("rebuilt keys are the certified ones", inProtocol, "TestCertifiedRootIsHeldAgainstTheDeals"),
	never("own clock's expiry is not looked at", "internal/protocol/expiry.go", "expired(job, now)").
		killed("no broker's clock revives a job", inProtocol, "TestTaskAfterExpiry"),

	edit("what counts for nobody is not said again", "internal/protocol/dkg_say.go", "u == nil || !", "true || !").
		killed("a clock that was wrong holds up no batch", inProtocol, "TestDealUnderAKeyFromAWrongClock"),
	edit("a task that a wrong clock refused is forgotten", nodeFile, "n.postponed.add(e)", "_ = e").
		killed("a clock that was wrong holds up no batch", inProtocol, "TestTaskWhileTheClockWasWrong"),
	edit("a batch that a fast clock ended is never given up", "internal/protocol/dkg_lapse.go", "case b.over(n.now):", "case true:").
		killed("a clock that was wrong holds up no batch", inProtocol, "TestBatchWhileTheClockWasFast"),

	// Gateways.
	never("false certificates are not noticed", "internal/board/batch.go", "v.certificate.Transcript != transcript").
		killed("who certifies other deals is named", inProtocol, "TestFalseCertificateIsBlamed"),
	never("a node completes on a head alone", finishFile, "!e.Whole()").
		killed("the register has all of a batch before it is used", inProtocol, "TestGatewayEndsBeforeTheEntry"),
	edit("a gateway takes an honest node for a liar", batchFile, "if !b.Unsure(node) {", "if true {").
		killed("nobody is blamed for a deal that another dealt twice", inBoard, "TestFalseCertificate"),
	edit("a flood hides its author's lies", batchFile, "!b.Unsure(node) {", "len(b.unsure) == 0 {").
		killed("who floods and lies is named", inBoard, "TestFalseCertificate"),
	edit("a node certifies whatever deals are left of a flood", dealFile,
		"if log.Unsure(b.node.cfg.Index) {", "if false {").
		killed("a node certifies the first deals of the log", inProtocol, "TestSecondDealBeforeALateNode"),
	edit("a gateway does not read a flooded batch again", batchFile, " && len(b.unsure) == 0", "").
		killed("no flood hides a finished batch", inProtocol, "TestSecondDealHidesNoKeys"),
	edit("a node's word is the gateway's finding", registrarFile,
		"&ending{node: node, why: abort}", "&ending{node, abort, true}").
		killed("no node makes the gateway name another", inProtocol, "TestNodeReportsAFalseCertificate"),
	edit("what was read under another access list stays", revokeFile,
		"if access.SameVoices(before) {", "if true || access.SameVoices(before) {").
		killed("all nodes read the rounds by one list", inProtocol, "TestDealUnderARevokedSessionKey"),
	edit("a key is there before KEYS has it", registrarFile,
		"r.writing[id] = e.batch\n", "r.writing[id] = e.batch\n\t\tr.directory.add(e.batch)\n").
		killed("a key is announced once its entry is acknowledged", inProtocol, "TestAnnouncedOnceRegistered"),
	edit("only a job's own gateway registers", registrarFile,
		"r.wait(b.ID)\n\t}\n\treturn b, slot, true", "}\n\treturn b, slot, true").
		killed("a batch is not lost with its gateway", inProtocol, "TestAnotherGatewayRegisters"),
	never("two valid entries are one", registerFile, "known || old != nil || !r.continues(e)").
		killed("a batch with two entries is refused", inBoard, "TestRegisterConflict"),
	edit("an entry is the same over other deals", entryFile,
		" && e.Transcript == o.Transcript && e.Root == o.Root", "").
		killed("two entries differ if they prove different keys", inBoard, "TestRegisterConflict"),
	edit("a register's junk takes memory", registerFile, "r.bytes > r.max; el", "false; el").
		killed("the register's memory is bounded", inBoard, "TestRegisterEvicts"),
	never("another entry stands in KEYS, and nobody says so",
		"internal/register/register.go", "!standing.Same(e.Entry)").
		killed("an import puts nothing beside another entry", "internal/register", "TestStore"),
	edit("an imported deal may be any", "internal/register/register.go", "e.VerifyDeal(i, msg.Data) == nil", "true").
		killed("junk under a deal's subject is passed over", "internal/register", "TestStore"),
	edit("a gateway that is behind knows no key", signjobsFile, "!s.keys.directory.end.readSince(j.since):\n\t\ts.await", "false:\n\t\ts.await").
		killed("no key is unknown before KEYS was read to its end", inProtocol, "TestBehindIsNotUnknown"),
	edit("one answer about the end of KEYS is for all jobs", "internal/protocol/keysend.go", "return k.asked + 1", "return 1").
		killed("what KEYS had before says nothing of a job that came after", inProtocol, "TestUnknownAsksTogether"),
	edit("what KEYS' leader lacks is not there", "internal/bus/catchup.go",
		"ok && m.Seq > f.next && f.stream == Keys", "false").
		killed("a gap in KEYS is damage", "internal/bus", "TestFollowGapAtTheStart"),
	edit("what was written to KEYS shows itself", "internal/protocol/reconcile_fetch.go",
		"r.out.do(Refetch{ID: f.entry.ID, Register: true})", "_ = 0").
		killed("an entry that stood in KEYS all along is read", inProtocol, "TestRestoredIsReadAgain"),
	edit("a worker's cursor passes what it could not read", "internal/worker/start.go", "next = m.beforeGaps(next)", "").
		killed("a gap in KEYS is read again", "internal/worker", "TestCursorStaysBeforeGaps"),
	never("the gateway does not compare the root", directoryFile, "err == nil && wire.KeyRoot").
		killed("announced keys are the certified ones", inProtocol, "TestCertifiedRootIsHeldAgainstTheDeals"),
}
