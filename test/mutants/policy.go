package main

const (
	inPolicy = "internal/policy"

	chargeFile  = "internal/policy/charge.go"
	checksFile  = "internal/policy/checks.go"
	memoryFile  = "internal/policy/memory.go"
	openedFile  = "internal/policy/open.go"
	outflowFile = "internal/policy/outflow.go"
	savesFile   = "internal/policy/save.go"
	seenFile    = "internal/policy/seen.go"
)

// policyMutants are of what a node decides, and counts.
var policyMutants = []Mutant{
	edit("change may be anywhere", outflowFile, "len(c.Path) == 2 && j.near(c)", "len(c.Path) == 2").
		killed("change is near what was spent from", inPolicy, "TestDecideBitcoin"),
	edit("change may be on any chain", outflowFile, "found && c.Path[0] == 1", "found").
		killed("change is on chain 1", inPolicy, "TestDecideBitcoin"),
	edit("open outputs have change", outflowFile, "c.Path[0] == 1 && !open", "(c.Path[0] == 1 || open)").
		killed("what a signature leaves open counts whole", inPolicy, "TestOpenOutputs"),
	edit("an index moves without bound", seenFile, "uint64(index) > uint64(was)+uint64(gap)", "false").
		killed("a made-up input moves change by a step", inPolicy, "TestChangeMoves"),
	edit("everything is understood", checksFile, "range j.in.Unclear", "range j.in.Unclear[:0]").
		killed("what nobody can account for is refused", inPolicy, "TestDecideBitcoin"),
	edit("any sighash passes", checksFile, "!j.rule.sighash[s.Sighash]", "false").
		killed("a signature covers what the rule wants", inPolicy, "TestDecideBitcoin"),
	edit("any program passes", checksFile, `u.Program == "" || !j.programs[u.Program]`, `u.Program == ""`).
		killed("a program is listed, or understood", inPolicy, "TestDecideSolana"),
	edit("a limit is reached by one more", chargeFile, "used > c.limit.max-c.Units", "used > c.limit.max").
		killed("a limit holds", inPolicy, "TestLimitSlides"),
	edit("nothing waits for the disk", chargeFile, "return n.pending > block, n.taken", "return false, n.taken").
		killed("no more than a block is allowed that is not on the disk", inPolicy, "TestCrashesNeverDouble"),
	edit("a job waits for the state before its own", savesFile, "return s.last + 1", "return s.last").
		killed("a share waits for the state that has its job", inPolicy, "TestBlocks"),
	never("a crash is forgotten", openedFile, "!s.Clean").
		killed("what may have been used counts after a crash", inPolicy, "TestCrashesNeverDouble"),
	edit("time runs over a restart twice", openedFile, "l.time = s.Time + max(0, passed)",
		"l.time = s.Time + 2*max(0, passed)").
		killed("windows are whole", inPolicy, "TestCrashesNeverDouble"),
	edit("any job is a fee bump", memoryFile, "earlier.group.id != groupID(ask.Intent, payments)", "false").
		killed("a fee bump has the same inputs and payments", inPolicy, "TestReplaces"),
	edit("fee bumps forget what was paid", memoryFile, "dearest(c.group.charges, d.Charges)", "dearest(c.group.charges, nil)").
		killed("fee bumps cost what the dearest does", inPolicy, "TestReplaces"),
	edit("one approver is many", "internal/policy/approve.go", "given[name] = true",
		"given[name+string(rune(len(given)))] = true").
		killed("approvals are of different people", inPolicy, "TestApprovals"),
}
