package main

const (
	inWire     = "internal/wire"
	inProtocol = "internal/protocol"

	accessFile     = "internal/wire/access.go"
	attestFile     = "internal/wire/attest.go"
	delegationFile = "internal/wire/session.go"
	envelopeFile   = "internal/wire/envelope.go"
	keysFile       = "internal/wire/access_keys.go"
	idsFile        = "internal/wire/ids.go"
	jobFile        = "internal/wire/job.go"
	lifeFile       = "internal/wire/waiting.go"
	manifestFile   = "internal/wire/manifest.go"
	merkleFile     = "internal/wire/merkle.go"
	messagesFile   = "internal/wire/messages.go"
	dkgFile        = "internal/wire/dkg.go"
	entryFile      = "internal/wire/entry.go"
	compactFile    = "internal/wire/entry_compact.go"
	openerFile     = "internal/wire/opener.go"
	certifiedFile  = "internal/wire/certified.go"
	resultFile     = "internal/wire/result.go"
	setFile        = "internal/wire/set.go"
)

// wireMutants are of what is signed and by whom: jobs, envelopes, attestations,
// certificates, results.
var wireMutants = []Mutant{
	// Jobs.
	never("a job's signature is not checked", jobFile, "!client.keys.verify(").
		killed("only a client makes its jobs", inWire, "TestAuthenticate"),
	never("a client may do what it likes", jobFile, "!client.allows(").
		killed("a client's jobs are of the kinds that it may ask for", inWire, "TestAuthenticate"),
	edit("a job's signature is not over its client", jobFile, "JobSubject(kind, client)", `JobSubject(kind, "")`).
		killed("what one client signed is no other's job", inWire, "TestJobSignatureBindsTheClient"),
	edit("a job's signature is not over its kind", jobFile, "JobSubject(kind, client)", `JobSubject("", client)`).
		killed("what was signed as one kind is no job of another", inWire, "TestAuthenticate"),
	edit("a job's digest is not over its client", jobFile, ", []byte(j.Client)", "").
		killed("two clients' jobs differ", inWire, "TestJobDigestBindsTheClient"),
	never("an expired job is taken", lifeFile, "!job.Expires.After(stored)").
		killed("a job ends when it expires", inWire, "TestParseJob"),
	never("a job lives for ever", lifeFile, "job.Expires.Sub(stored) >").
		killed("a job lives an hour at most", inWire, "TestParseJob"),
	edit("approvals of the future count", lifeFile, "!a.At().After(now.Add(ClockSkew))", "true").
		killed("no approver stretches a job by a clock", inWire, "TestTimesOfApprovals"),
	edit("approvals count that come too late", lifeFile, "!a.At().After(job.ApproveUntil)", "true").
		killed("a job waits until its client said", inWire, "TestTimesOfApprovals"),
	edit("an approval's time is not signed", "internal/wire/approval.go", "digest,\n\t\tunix)", "digest,\n\t\t0)").
		killed("nobody but the approver dates an approval", inWire, "TestApprovals"),
	edit("a script root is not looked at", jobFile, "case len(it.ScriptRoot) == 32:", "case false:").
		killed("the output key commits to the client's scripts", inWire, "TestTweak"),

	edit("a second key may be somebody else's", keysFile, "; taken {", "; false && taken {").
		killed("no key speaks for two", inWire, "TestSecondKeysThatAreRefused"),
	edit("a second key may be one that anybody signs for", keysFile, "v, err := newVerifier(public)",
		"v, _ := newVerifier(public)\n\tvar err error").
		killed("a key is one that somebody holds", inWire, "TestSecondKeysThatAreRefused"),
	edit("a key that is taken out counts on", keysFile, "return !k.has(one.bytes)", "return false").
		killed("what a gateway said under a key that is taken out counts no more", inWire, "TestTwoKeysOfAGateway"),

	// Envelopes and delegations.
	never("a node's seal is not checked", openerFile, "!d.verifier.verify(").
		killed("only a node's session key speaks for it", inWire, "TestEnvelopeOfNode"),
	never("a message that was read before its step is not checked", "internal/wire/reader.go", "!key.verify(").
		killed("only a node's session key speaks for it", inWire, "TestReaderChangesNoVerdict"),
	never("a gateway's seal is not checked", openerFile, "!key.verify(").
		killed("only a gateway's key makes tasks", inWire, "TestEnvelopeOfGateway"),
	edit("a seal is not over its subject", envelopeFile, "[]byte(subject), body)", "body)").
		killed("a message is good in one slot only", inWire, "TestEnvelopeOfNode"),
	edit("a seal is not over its fleet", envelopeFile, "of[:], []byte(subject)", "of[:0], []byte(subject)").
		killed("a message is good in one fleet only", inWire, "TestEnvelopeOfNode"),
	never("a node may fill another's slot", openerFile, "int(d.Node) != i").
		killed("a slot is its node's", inWire, "TestEnvelopeOfNode"),
	never("a delegation ends never", openerFile, "at.After(").
		killed("a session key speaks for ten minutes", inWire, "TestEnvelopeOfNode"),
	never("a delegation begins always", openerFile, "at.Before(").
		killed("a session key does not speak of the past", inWire, "TestEnvelopeOfNode"),
	edit("a delegation may be long", openerFile, "d.NotAfter-d.NotBefore >", "0*d.NotAfter >").
		killed("the HSM is asked again every ten minutes", inWire, "TestDelegations"),
	edit("a delegation is not attested", openerFile,
		"d.leaf(o.manifest)); err != nil", "d.leaf(o.manifest)); err != nil && false").
		killed("only the HSM delegates", inWire, "TestDelegations"),
	edit("a delegation's key is not attested", delegationFile, "d.Key, be64(d.NotBefore)", "be64(d.NotBefore)").
		killed("the HSM says which session key speaks", inWire, "TestDelegations"),
	edit("a delegation's beginning is not attested", delegationFile, "be64(d.NotBefore), ", "").
		killed("the HSM says from when a session key speaks", inWire, "TestDelegations"),
	edit("a delegation's end is not attested", delegationFile, ", be64(d.NotAfter))", ")").
		killed("the HSM says how long a session key speaks", inWire, "TestDelegations"),

	// Attestations.
	edit("a path's last sibling is taken for the root", merkleFile,
		"return nodeHash(l, sibling), err", "_ = l\n\t\treturn sibling, err").
		killed("an attestation is of its leaf", inWire, "TestAttestation"),
	edit("leaves and nodes hash alike", merkleFile, "append([]byte{0}, leaf...)", "append([]byte{1}, leaf...)").
		killed("no inner node is a leaf (RFC 6962)", inWire, "TestMerkleKnownAnswers"),
	never("a path's index may be outside the tree", merkleFile, "i < 0 || i >= size").
		killed("a path fits its tree", inWire, "TestMerklePaths"),
	edit("a known device signature serves all leaves", attestFile, "Be32(node), digest[:]", "Be32(node)").
		killed("what was signed is remembered with the signature", inWire, "TestAttestedIsRemembered"),
	edit("a known device signature serves all nodes", attestFile, "Be32(node), digest[:]", "digest[:]").
		killed("who signed is remembered with the signature", inWire, "TestAttestedIsRemembered"),
	edit("an attestation is not over its fleet", attestFile, "mh[:], Be32(size)", "mh[:0], Be32(size)").
		killed("an attestation is good in one fleet only", inWire, "TestAttestation"),

	// Commitments.
	never("commitments are not attested", messagesFile, "o.manifest.AttestSigning").
		killed("the HSM signs every commitment", inWire, "TestCommitmentIsAttested"),
	edit("an attested commitment's points are free", messagesFile, "Be32(node), points)", "Be32(node))").
		killed("the HSM signs what is committed to", inWire, "TestCommitmentIsAttested"),
	edit("an attested commitment's session is free", messagesFile, "session[:], Be32(node)", "Be32(node)").
		killed("a commitment is of one session", inWire, "TestCommitmentIsAttested"),
	never("a commitment's session is not compared", messagesFile, "c.Session != session").
		killed("a commitment is of one session, also without attestations", inWire, "TestCommitmentIsOfItsSession"),
	never("a share's session is not compared", messagesFile, "s.Session != session").
		killed("a share is of one session", inWire, "TestShareBounds"),
	edit("the set's name leaves the points out", setFile, "Be32(c.Index), c.Points", "Be32(c.Index)").
		killed("a set is who committed to what", inProtocol, "TestCommitSet"),

	// Certificates.
	edit("a certificate is not attested", dkgFile, "c.Leaf(m)); err != nil", "c.Leaf(m)); err != nil && false").
		killed("only the HSM certifies", inProtocol, "TestVerifyKeys"),
	never("a certificate may be in another's name", dkgFile, "int(c.Node) != i").
		killed("a node certifies for itself", inWire, "TestCertificateBindsItsFields"),
	edit("a certificate's context is free", dkgFile, "c.Context[:], ", "").
		killed("a certificate is of one batch", inWire, "TestCertificateBindsItsFields"),
	edit("a certificate's transcript is free", dkgFile, "c.Transcript[:], ", "").
		killed("a certificate is over one transcript", inWire, "TestCertificateBindsItsFields"),
	edit("a certificate's root is free", dkgFile, " c.Root[:],", "").
		killed("a certificate is over one root", inWire, "TestCertificateBindsItsFields"),
	edit("certificates agree over other transcripts", dkgFile, "c.Transcript == o.Transcript && ", "").
		killed("all nodes certify one transcript", inProtocol, "TestVerifyKeysWantsEveryNode"),
	edit("certificates agree over other roots", dkgFile, " && c.Root == o.Root", "").
		killed("all nodes certify one root", "internal/board", "TestBatch"),

	// Entries of the register.
	never("an entry's deals are free", entryFile, "DealDigest(body) != e.Deals[deal]").
		killed("a deal stands against its digest", inWire, "TestEntry"),
	edit("an entry's keys may be others", entryFile, " || cert.Root != e.Root", "").
		killed("an entry's keys are the certified ones", inWire, "TestEntryRefused"),
	edit("an entry's certificates may be another batch's", entryFile, "cert.Context != e.Context || ", "").
		killed("an entry is of its header's batch", inWire, "TestEntryRefused"),
	edit("an entry may be another fleet's", entryFile, "m == nil || e.Generation == 0 && e.Origin != e.Manifest", "m == nil").
		killed("an entry is of this manifest", inWire, "TestEntryRefused"),
	edit("an entry's chain codes are free", entryFile, "k.ChainCode != ChainCode(e.MadeBy, i)", "false").
		killed("chain codes follow from the deals", inWire, "TestEntryRefused"),
	edit("an entry may lack a certificate", entryFile, "len(e.Certificates) != m.N || ", "").
		killed("all n nodes certify an entry", inWire, "TestEntryRefused"),
	edit("an entry's keys may be others' than its header's", entryFile, "k.Owner != h.Client", "false").
		killed("an entry's keys are its owner's", inWire, "TestEntryRefused"),
	edit("an entry's indices are free", entryFile, "int(k.Index) != i", "false").
		killed("a key id names one key", inWire, "TestEntryRefused"),
	never("an entry may be of a generation that nobody reads", entryFile, "(e.Generation == 0) != first").
		killed("a later generation is named and not misread", inWire, "TestEntryRefused"),
	edit("an entry's deal says nothing of its proofs", compactFile, "ProofsHash: frost.HashProofs(b.Proofs)", "ProofsHash: [32]byte{}").
		killed("certificates cover the proofs that an entry leaves out", inWire, "TestCompactDeal"),
	edit("a compact entry takes more keys than it has", compactFile, " || len(c.PublicKeys) != int(h.K)*suite.PublicKeySize()", "").
		killed("a head is bounded by its bytes", inWire, "TestCompactEntryRefused"),
	never("a deal may stand for two dealers", entryFile, "seen[digest] {").
		killed("an entry has n deals", inWire, "TestEntryRefused"),
	edit("a certificate may be of another generation", dkgFile, " && c.Generation != generation", " && false").
		killed("a certificate is of one generation", inWire, "TestCertificateBindsItsFields"),
	edit("a certificate's generation is free", dkgFile, "Be32(c.Generation), ", "").
		and(dkgFile, " && c.Generation != generation", " && false").
		killed("the HSM signs the generation", inWire, "TestCertificateBindsItsFields"),

	// What names batches and sessions.
	edit("a batch's id leaves its client out", idsFile, "[]byte(h.Client), ", "").
		killed("a batch is its owner's", inWire, "TestBatchContextBindsTheHeader"),
	edit("a batch's id leaves its attempt out", idsFile, "Be32(h.Attempt), ", "").
		killed("an attempt has slots of its own", inWire, "TestBatchContextBindsTheHeader"),
	edit("a session's id leaves its exclusions out", messagesFile, "items, t.Exclude}", "items}").
		killed("all members of a session exclude the same nodes", inWire, "TestSessionBindsTheTask"),
	edit("a session's id leaves its job out", messagesFile,
		"digest[:], Be32(t.Attempt)", "digest[:0], Be32(t.Attempt)").
		killed("a session is of one job", inWire, "TestSessionBindsTheTask"),
	edit("the manifest's hash leaves the network out", manifestFile, "[]byte(m.Network), ", "").
		killed("keys are of one network", inWire, "TestManifestHashBindsEveryField"),
	edit("the manifest's hash leaves the threshold out", manifestFile, "Be32(m.T), ", "").
		killed("keys are of one threshold", inWire, "TestManifestHashBindsEveryField"),
	edit("an encryption key may be of small order", manifestFile,
		"probe.ECDH(pub); err != nil", "probe.ECDH(pub); err != nil && false").
		killed("a deal's boxes have secret keys", inWire, "TestManifestFaults"),

	// Keys and their owners.
	edit("the keys' root leaves the owner out", merkleFile, "append(buf, k.Owner...)", "buf").
		killed("certified keys are their owner's", inWire, "TestKeyTree"),
	never("a result's signature is not checked", resultFile, "!key.verify(").
		killed("only a gateway answers", inProtocol, "TestVerifyResult"),
	never("a result's job is not compared", certifiedFile, "!bytes.Equal(r.Digest, digest[:])").
		killed("a result answers one job", inProtocol, "TestVerifyKeys"),
	never("a result's manifest is not compared", certifiedFile, "!bytes.Equal(r.Manifest, fleet[:])").
		killed("a result is of one fleet", inProtocol, "TestVerifyKeys"),
	edit("a batch's context is not compared", certifiedFile, "cert.Context != ctx || ", "").
		killed("an older batch does not answer a new job", inProtocol, "TestOlderBatchAnswersNoNewJob"),
	edit("a batch's root is not compared", certifiedFile, "cert.Root != root", "len(root) == 0").
		killed("the keys are those that were certified", inProtocol, "TestVerifyKeys"),
	edit("a batch's certificates need not agree", certifiedFile, " || !cert.Agrees(first)", "").
		killed("all nodes certify one transcript", inProtocol, "TestVerifyKeysWantsEveryNode"),
	never("a batch's id is not compared", certifiedFile, "b.ID != ShortID(ctx)").
		killed("the client's key ids are those of its job", inProtocol, "TestOlderBatchAnswersNoNewJob"),
	never("a result's chain codes are not compared", certifiedFile,
		"len(k.ChainCode) > 0 && !bytes.Equal(k.ChainCode, certified[i].ChainCode[:])").
		killed("a key's children are those of the certified root", inProtocol, "TestVerifyKeys"),
	never("some certificates suffice", certifiedFile, "len(b.Certificates) != m.N").
		killed("all n nodes certify", inProtocol, "TestVerifyKeysWantsEveryNode"),
}
