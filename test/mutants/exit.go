package main

const (
	inExit         = "internal/exit"
	exitRootsFile  = inExit + "/roots.go"
	exportFile     = "cmd/frost-worker/export.go"
	exportKeysFile = "cmd/frost-worker/export_keys.go"
	configExitFile = "internal/config/exit.go"
)

// exitMutants are of the way out: what leaves a node, and what is made of it.
var exitMutants = []Mutant{
	edit("a node exports to whoever asks", configExitFile, "case !n.Exit.Allow:", "case false:").
		killed("only what its operator allows leaves a node", "internal/config", "TestExit"),
	edit("a node exports to any recipient", configExitFile, "case n.Exit.Recipient != r.String():", "case false:").
		killed("only the recipient that its file pins gets a node's shares", "internal/config", "TestExit"),
	edit("export-share asks nobody", exportFile, "n.AllowsExit(recipient); err", "n.AllowsExit(recipient); false && err").
		killed("only what its operator allows leaves a node", "cmd/frost-worker", "TestExportShareRefuses"),
	edit("what the audit log can't have leaves", exportFile,
		"return \"\", fmt.Errorf(\"nothing was exported: %w\", err)", "head = audit.Head{} // and on").
		killed("nothing leaves without a record", "cmd/frost-worker", "TestExportShareRefuses"),
	edit("what is frozen leaves", exportKeysFile, "; why != nil", "; false && why != nil").
		killed("what is frozen stays", "cmd/frost-worker", "TestExportShareRefuses"),
	never("what not all nodes certified leaves", exportKeysFile, "!k.Complete").
		killed("only certified keys leave", "cmd/frost-worker", "TestMayLeave"),
	edit("a wrong share is used", exitRootsFile, "err := check(files); err", "err := check(files); false && err").
		killed("who gave a wrong share is named", inExit, "TestReconstructRefuses"),
	edit("files of two fleets make a key", exitRootsFile,
		"err := agree(first, f); err", "err := agree(first, f); false && err").
		killed("files belong together", inExit, "TestReconstructRefuses"),
	edit("a share may be another node's", "internal/frost/share.go",
		" || !g.isSumVartime(g.baseMult(&share[0]), scalars, points)", "").
		killed("a share fits its commitments", "internal/frost", "TestCheckShare"),
}
