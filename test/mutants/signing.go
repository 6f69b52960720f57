package main

const (
	commitsetFile = "internal/protocol/commitset.go"
	commitsFile   = "internal/protocol/signing_commits.go"
	noncesFile    = "internal/protocol/signing_nonces.go"
	requestFile   = "internal/protocol/sign_request.go"
	itemsFile     = "internal/protocol/signing_items.go"
	judgeFile     = "internal/protocol/judge.go"
	signerFile    = "internal/protocol/signer.go"
	signjobsFile  = "internal/protocol/signjobs.go"
	keyFinderFile = "internal/protocol/keyfinder.go"
	attemptFile   = "internal/protocol/attempt.go"
	jobsFile      = "internal/protocol/coordinator_jobs.go"
	setCheckFile  = "internal/frost/sign_set.go"
	heldFile      = "internal/frost/sign_nonces.go"
	secpFile      = "internal/frost/sign_secp.go"
	edwardsFile   = "internal/frost/sign_ed25519.go"
	edwardsSums   = "internal/frost/aggregate_ed25519.go"
	publicFile    = "internal/frost/rfc9591/public.go"
	crossFile     = "internal/crosscheck/crosscheck.go"

	inRFC9591    = "internal/frost/rfc9591"
	inCrosscheck = "internal/crosscheck"
)

// signingMutants are of signing: the set, the nonces, and what is signed for whom.
var signingMutants = []Mutant{
	// The set.
	edit("the set goes by index and not by the log", commitsetFile, "range c.arrivals {\n\t\tswitch",
		"range slices.SortedFunc(slices.Values(c.arrivals), "+
			"func(a, b arrival) int { return a.Index - b.Index }) {\n\t\tswitch").
		killed("the set is the first t of the log", inProtocol, "TestCommitSet"),
	edit("the set does not wait for a check", commitsetFile,
		"\t\t\treturn nil\n\t\tcase checkValid", "\t\t\tcontinue\n\t\tcase checkValid").
		killed("the set does not depend on the order of checks", inProtocol, "TestChecksOutOfOrder"),
	never("a commitment that was found bad counts", commitsetFile, "err != nil {\n\t\tc.arrivals[pos].state").
		killed("a set has valid commitments only", inProtocol, "TestCommitSet"),
	never("excluded nodes take part", commitsetFile, "slices.Contains(c.exclude, uint8(node))").
		killed("an attempt's members are those that the task names", inProtocol, "TestCommitSet"),
	edit("a node's later commitment counts", commitsetFile, "c.has(node) || ", "").
		killed("a node commits once", inProtocol, "TestCommitSet"),
	edit("a share for another set is taken", attemptFile, " && share.Set == a.setHash", "").
		killed("shares of another set are not blamed on their node", inProtocol, "TestShareForAnotherSet"),
	edit("a set may have more than t nodes", setCheckFile, "len(set) != t", "len(set) < t").
		killed("exactly t nodes sign", inFrost, "TestSetLies"),

	// Nonces.
	edit("nonces stay after use", heldFile, "h := n.held.Swap(nil)\n", "h := n.held.Load()\n").
		killed("nonces sign once (N3)", inFrost, "TestNoncesSignOnce"),
	edit("BIP 445 nonces stay after use", "internal/frost/bip445/session.go",
		"pair := nonce.pair.Swap(nil)", "pair := nonce.pair.Load()").
		killed("nonces sign once (N3)", "internal/frost/bip445", "TestSecNonceGoesToOne"),
	edit("Ed25519 nonces stay after use", "internal/frost/rfc9591/session.go",
		"pair := nonce.pair.Swap(nil)", "pair := nonce.pair.Load()").
		killed("nonces sign once (N3)", inRFC9591, "TestNonceSignsOnce"),
	never("Ed25519 nonces answer for others", "internal/frost/rfc9591/session.go", "pair.pub != s.nonces[pos].bytes").
		killed("nonces answer their own commitment (N4)", inRFC9591, "TestUnpublishedNonce"),
	never("a finished session begins again", signerFile, "n.finished.has(id)").
		killed("a session begins once (N3)", inProtocol, "TestN3SessionDropped"),
	never("a node with a commitment in the log begins again", commitsFile, "!s.ownCommit(pos)").
		and(noncesFile, "s.commits.has(s.node.cfg.Index)", "false && s.commits.has(s.node.cfg.Index)").
		killed("no nonce, no part (N4)", inProtocol, "TestN4EarlierLife"),
	edit("the own commitment is not compared by the session", commitsFile,
		"bytes.Equal(s.commits.arrivals[pos].Points, s.points)", "len(s.points) > 0").
		killed("no nonce, no part (N4)", inProtocol, "TestN4OtherOwnCommitment"),
	never("the own commitment is not compared by the nonces", setCheckFile, "!bytes.Equal(c.Points, points)").
		killed("nonces answer their own commitment (N4)", inFrost, "TestSetLies"),
	edit("the own commitment is compared by nobody", commitsFile,
		"bytes.Equal(s.commits.arrivals[pos].Points, s.points)", "len(s.points) > 0").
		and(setCheckFile, "!bytes.Equal(c.Points, points)", "false && !bytes.Equal(c.Points, points)").
		killed("no nonce, no part (N4)", inProtocol, "TestN4OtherOwnCommitment"),
	edit("any message of its own is the node's commitment", commitsFile, " || !bytes.Equal(msg.Data, s.sealed)", "").
		killed("only what this process sealed needs no check", inProtocol, "TestN4JunkWithOwnPoints"),
	edit("a random source that repeats itself is taken", heldFile, "if repeats(", "if false && repeats(").
		killed("a broken random source signs nothing", inFrost, "TestRandomSourceThatRepeatsItself"),
	edit("BIP 445 nonces forget the place", secpFile, "uint32(i))", "uint32(i*0))").
		killed("equal items have nonces of their own", inFrost, "TestClonedRandomSource"),

	// Signatures.
	never("BIP 445 shares are not checked before they leave", secpFile, "!bip445.VerifyBatch(claims)").
		killed("no wrong share leaves the node", inFrost, "TestSelfCheckOfExchangedNonces"),
	never("Ed25519 shares are not checked before they leave", edwardsFile, "!rfc9591.VerifyBatch(claims)").
		killed("no wrong share leaves the node", inFrost, "TestSelfCheck"),
	edit("BIP 340 signatures are not verified", secpFile,
		"bad := bip340.BatchVerify(batch)", "bad := []int{}[:len(batch)*0]").
		killed("no wrong signature leaves the gateway", inFrost, "TestAggregateBlames"),
	edit("Ed25519 signatures are not verified as a batch", edwardsSums, "return batch.VerifyBatchOnly(nil)", "return batch != nil").
		killed("no wrong signature leaves the gateway", inFrost, "TestAggregateBlames"),
	edit("Ed25519 signatures are not verified one by one", edwardsSums,
		"sig != nil && !ed25519.Verify(", "sig != nil && false && !ed25519.Verify(").
		killed("no wrong signature leaves the gateway", inFrost, "TestAggregateBlames"),
	edit("nonces of mixed order are verified as a batch", edwardsSums, "a.form == rfc9591.Divided && ", "").
		killed("what is no signature for crypto/ed25519 is none here", inFrost, "TestNoCofactorInFormZero"),
	edit("batch weights of RFC 9591 don't depend on the shares", "internal/frost/rfc9591/verify.go", "\t\th.Write(c.Share)\n", "").
		killed("the weights are drawn after the shares", inRFC9591, "TestLiarWhoKnowsTheWeights"),
	edit("a disagreement of two implementations is only counted", crossFile, "\t\t\tc.stop(claim, err)\n", "").
		killed("what another implementation makes otherwise is not signed", inCrosscheck, "TestWrongOutputStops"),
	edit("a stopped suite signs", "internal/protocol/oracle.go", "return o.Stopped()", "_ = o\n\treturn nil").
		killed("what another implementation makes otherwise is not signed", inProtocol, "TestStoppedNode"),
	edit("the tweak leaves the script root out", "internal/frost/sign.go",
		"root = tweak.Root[:]", "root = tweak.Root[:0]").
		killed("the output key commits to the scripts", "client", "TestOutputKeyAgrees"),
	edit("batch weights of BIP 340 are all one", "internal/frost/bip340/batch.go", "if i == 0 {", "if i >= 0 {").
		killed("wrong signatures do not cancel out", "internal/frost/bip340", "TestErrorsDoNotCancel"),
	edit("batch weights of BIP 340 don't depend on the signatures", "internal/frost/bip340/batch.go",
		"p.r[:], p.s.Bytes(), p.e.Bytes()", "p.r[:0]").
		killed("the weights are drawn after the signatures", "internal/frost/bip340", "TestForgerWhoKnowsTheWeights"),
	edit("batch weights of BIP 445 don't depend on the shares", "internal/frost/bip445/verify.go",
		"shares[i], ", "").
		killed("the weights are drawn after the shares", "internal/frost/bip445", "TestLiarWhoKnowsTheWeights"),

	// Whose keys, until when.
	never("a worker signs for anybody", requestFile, "keys[i].Owner != r.client").
		killed("a worker signs for the key's owner only", inProtocol, "TestRefusals"),
	edit("a gateway signs for anybody", keyFinderFile, "b.header.Client != client", "b.header.Client == \"\"").
		killed("a gateway asks for the key's owner only", inProtocol, "TestItemsOneByOne"),
	edit("a refused item is signed", "internal/protocol/sign_result.go", "return refused[i] != nil", "return false").
		killed("who is told that an item is refused has no signature out there", inProtocol, "TestItemsOneByOne"),
	edit("a session has items that are wrong in themselves", requestFile, "job.Items[w].Check(); err != nil",
		"job.Items[w].Check(); err != nil && false").
		killed("nodes check the items that they sign", inProtocol, "TestTaskForARefusedItem"),
	edit("a worker signs under the root for its child", requestFile, "it.Path != nil", `it.Path != nil && *it.Path == "-"`).
		killed("a worker computes the offsets of a path", inProtocol, "TestSignUnderChildren"),
	edit("a gateway adds up under the root for its child", keyFinderFile, "it.Path != nil", `it.Path != nil && *it.Path == "-"`).
		killed("a gateway computes the offsets of a path", inProtocol, "TestSignUnderChildren"),
	never("another draft of BIP 445 is signed", requestFile, "keys[i].Key.Suite == frost.Secp256k1TR && r.draft").
		killed("all members sign by one draft", inProtocol, "TestOtherDraft"),
	never("a task's items may be out of range", requestFile, "int(task.Items[len(task.Items)-1]) >=").
		killed("a gateway's false task is an error", inProtocol, "TestSignTaskBounds"),
	never("a task's signatures may be out of range", requestFile, "int(last) >= len(all)").
		killed("a gateway's false task is an error", inProtocol, "TestTasksOfLyingGateways"),

	// What policies say.
	edit("a denial is no reason not to sign", itemsFile, "if denial != nil {", "if denial != nil && s.node.cfg.Manifest == nil {").
		killed("a node signs nothing that its policy denies", inProtocol, "TestDenied"),
	never("a commitment waits for no ledger", noncesFile, "s.unsaved()").
		killed("no commitment leaves before the ledger is on the disk", inProtocol, "TestCommitmentWaitsForTheLedger"),
	edit("those who are left out count nothing", "internal/protocol/signing_judged.go",
		"!n.judge.policy.Counts() ||", "n.judge.policy == nil || true ||").
		killed("a limit is not multiplied by choosing who signs", inProtocol, "TestNodesLeftOutCount"),
	edit("who only counts loads shares", "internal/protocol/signing_judged.go", "Public: true", "Public: false").
		killed("a share is in memory only while it signs", inProtocol, "TestCountingLoadsNoShare"),
	edit("a client approves what it asks for", judgeFile, "return access.IsClient(r.client, key) }", "return false }").
		killed("who asks does not approve", inProtocol, "TestApprovals"),
	edit("an approval need not verify", "internal/wire/waiting.go", "a.Verify(key, m, digest)", "len(a.Signature) > 0").
		killed("approvals are over this job", inProtocol, "TestApprovals"),
	edit("what began under another policy goes on", "internal/protocol/signer.go",
		"changed := p.Hash() != n.judge.policy.Hash()", "changed := p.Hash() == [32]byte{}").
		killed("a policy that changes ends what began under the one before", inProtocol, "TestPolicyChanges"),
	never("a key of other nodes signs", requestFile, "signs && k.Public").
		killed("nothing is signed with what the register says of a key", inProtocol, "TestTaskOfAPublicKey"),
	edit("shares of keys that sign nothing stay", requestFile, "!used[k.Key]", "!used[k.Key] && len(keys) == 0").
		killed("a share is in memory only while it signs", inProtocol, "TestUnusedShares"),

	edit("a task may be under another's subject", "internal/protocol/node_task.go",
		"if e.Subject != ", "if false && e.Subject != ").
		killed("a task is read in its own lane", inProtocol, "TestTasksAreChecked"),
	edit("a gateway's jobs live on", "internal/protocol/coordinator_step.go",
		"j.expired(now) && ", "now.IsZero() && ").
		killed("every job is answered by the time it expires", inProtocol, "TestExpiry"),
	never("a job's id may be used again", jobsFile, "old.digest != j.digest").
		killed("an id is of one job", inProtocol, "TestSameJobAgain"),
	edit("a stored result answers any job of its id", jobsFile,
		"bytes.Equal(existing.Digest, j.digest[:])", "true || bytes.Equal(existing.Digest, j.digest[:])").
		killed("an id is of one job", inProtocol, "TestSameJobAgain"),

	// The ends of sessions, and bounds.
	edit("a lost SIGN ends no session", nodeFile, "return n.signer.onLost()", "return nil").
		killed("a set is read from one log (N3)", inProtocol, "TestN3SignLost"),
	edit("a lost slot ends no session", nodeFile, "s := n.signer.sessions[slot.ID]; s != nil",
		"s := n.signer.sessions[slot.ID]; s != nil && false").
		killed("a node with a twin has no part (N3)", inProtocol, "TestN3SlotLost"),
	edit("keys that come again begin again", "internal/protocol/signing_items.go",
		"s == nil || s.phase != signLoading", "s == nil").
		and("internal/protocol/signing_items.go", "case s.phase != signLoading:", "case false:").
		killed("a session draws nonces once (N3)", inProtocol, "TestN3LoadedTwice"),
	never("sessions never end", signerFile, "age > sessionLife").
		killed("nonces are wiped after five minutes", inProtocol, "TestSessionsEnd"),
	edit("a session's shares stay in memory", "internal/protocol/signing.go", "\twipeItems(s.items)\n", "").
		killed("a share is in memory while it is used", inProtocol, "TestSharesAreWiped"),
	edit("a node may flood a session", "internal/protocol/early.go", "b.of[node] >= maxOfNode", "b.of[node] >= 250").
		killed("a node's early messages are bounded", inProtocol, "TestEarlyMessages"),
	never("early messages have no bound", "internal/protocol/early.go", "m.bytes > m.limit").
		killed("the memory for sessions without a task is bounded", inProtocol, "TestEarlyMessages"),
	never("finished sessions have no bound", "internal/protocol/finished.go", "len(s.young) >= s.limit").
		killed("the memory of finished sessions is bounded", inProtocol, "TestFinishedSessionsIsBounded"),
	never("known delegations have no bound", openerFile, "len(o.known) >= maxKnownDelegations").
		killed("the memory of delegations is bounded", inWire, "TestDelegationCacheIsBounded"),
}
