package main

const (
	auditVerifyFile = "internal/audit/verify.go"
	auditRecordFile = "internal/audit/record.go"

	inAudit = "internal/audit"
)

// auditMutants are of the logs of who asked for what.
var auditMutants = []Mutant{
	never("a changed record verifies", auditVerifyFile, "next.Hash != l.hash").
		killed("a record is what was written", inAudit, "TestDamage"),
	edit("a record has many forms", auditRecordFile, " || !bytes.Equal(scratch.Bytes(), l.body)", "").
		killed("a record has one form", inAudit, "TestOneForm"),
	never("a log may be shorter than its program said", auditVerifyFile, "heard.Seq > v.sum.Last.Seq").
		killed("a cut end shows", inAudit, "TestCutTail"),
	never("a log may be another one than its program told of", auditVerifyFile, "heard != v.sum.Last").
		killed("a cut end shows", inAudit, "TestCutTail"),
	edit("what a crash left may be changed", auditVerifyFile,
		"said != nil && *said == was.what", "said != nil").
		killed("what a crash left stays", inAudit, "TestTorn"),
	edit("heartbeats tell of what may get lost", "internal/audit/write.go", "\tw.pending, w.head = text, head\n",
		"\tw.pending, w.head = text, head\n\tw.synced.Store(&head)\n").
		killed("a crash is no cut log", inAudit, "TestSyncFails"),
	edit("a node signs what nobody can read of later", "internal/worker/audit.go", " && !m.host.audit.Room()", " && false").
		killed("what is signed can be read later", inWorker, "TestUnaudited"),
	edit("a gateway takes a log that went back", "internal/gateway/audit.go", "is.Seq < was.Seq || ", "").
		killed("a cut end shows", "internal/gateway", "TestHeads"),
}
