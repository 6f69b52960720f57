package main

const (
	heartbeatFile = "internal/wire/heartbeat.go"
	presenceFile  = "internal/protocol/presence.go"
	beatFile      = "internal/presence/swap.go"
	takeFile      = "internal/presence/take.go"
	leaseFile     = "internal/worker/lease.go"
	deadlineFile  = "internal/protocol/deadline.go"
	overFile      = "internal/protocol/signing_over.go"

	inPresence = "internal/presence"
)

// presenceMutants are of heartbeats, the lease of an index, and work that is too late.
var presenceMutants = []Mutant{
	edit("copies of heartbeats count", presenceFile, "before == 0 || h.After != before", "before == 0").
		killed("whoever copies a heartbeat is not heard", inProtocol, "TestReplayedHeartbeats"),
	edit("heartbeats are not opened for their sender", heartbeatFile,
		"return o.FromNode(ref.Node, msg)", "return UnverifiedBody(msg.Data), nil").
		killed("a heartbeat is its sender's", "internal/wire", "TestHeartbeatIsItsSenders"),
	never("a gateway speaks for another", heartbeatFile, "e.Gateway != ref.Gateway").
		killed("a heartbeat is its sender's", "internal/wire", "TestHeartbeatIsItsSenders"),
	never("heartbeats of another manifest count", heartbeatFile, "h.Manifest != o.manifest.Hash()").
		killed("a heartbeat is of one manifest", "internal/wire", "TestHeartbeatIsItsSenders"),
	never("a later version is read as strictly", heartbeatFile, "h.Version <= HeartbeatVersion {").
		killed("this version has one form", "internal/wire", "TestHeartbeatGrows"),
	edit("nodes that are not heard are asked like others", "internal/protocol/trouble.go", " || v.presence.out(i)", "").
		killed("a killed node is not waited for", inProtocol, "TestKilledNodeIsNotWaitedFor"),
	edit("a node that is not heard is never asked", presenceFile, "return n.absent && p.fleet.now.Before(n.probe)",
		"return n.absent").
		killed("a node that is not heard is tried again", inProtocol, "TestAbsentNodesAreTheLastChoice"),
	edit("answers do not count as heartbeats", presenceFile, "\tn.answered = now\n", "").
		killed("a node that answers is there", inProtocol, "TestAnswersCountAsHeartbeats"),
	edit("where PRESENCE is away all are absent", presenceFile, "p.fleet.now.Sub(p.fleet.heard) > blindAfter || ", "").
		killed("a gateway that hears nobody judges nobody", inProtocol, "TestBlindGateway"),
	never("a twin is reported as often as somebody says so", presenceFile, "h == nil || h.After <= n.twin").
		killed("copies of a word are one", inProtocol, "TestTwinIsReported"),

	edit("who starts takes the subject at once", takeFile, "if err != nil || before == nil {", "if true {").
		killed("the process that comes later ends", inPresence, "TestTwoProcesses"),
	edit("a lost swap is replaced", beatFile, "|| h.Leaving || h.After < max(b.mine", "|| h.Leaving || h.After >= max(b.mine").
		killed("who loses a swap ends", inPresence, "TestLostSwap"),
	edit("a copy of an older heartbeat ends the node", beatFile, " || h.After < max(b.mine, b.past)", "").
		killed("nobody without the device ends a node", inPresence, "TestJunkEndsNobody"),
	never("a copy of its own heartbeat ends the node", beatFile, "b.sent.has(m.Data)").
		killed("nobody without the device ends a node", inPresence, "TestOwnCopiesInANewStream"),
	never("what stood in an earlier stream counts", heartbeatFile, "h.After >= msg.Seq").
		killed("nobody without the device ends a node", "internal/wire", "TestHeartbeatIsItsSenders"),
	edit("copies keep who starts from the lease", takeFile, "\tb.past = from\n", "").
		killed("nobody without the device keeps a node from its lease", inPresence, "TestCopiesKeepNobodyOut"),
	never("a stream that begins anew takes the lease away", takeFile, "b.last < from").
		killed("the process that comes later ends", inPresence, "TestNewStreamWhileListening"),
	edit("a snapshot that is resumed twice is one process", beatFile, "if err != nil || h.Leaving",
		"if err != nil || h.Boot == b.self.Boot || h.Leaving").
		killed("one process runs as a node", inPresence, "TestSnapshot"),
	never("an earlier stream's twins hide this one's", presenceFile, "seq < p.seq").
		killed("a second process is reported", inProtocol, "TestTwinsInANewStream"),
	edit("a node speaks before it has the lease", "internal/worker/member.go",
		"m.sessions.unleased = true", "m.sessions.unleased = false").
		killed("a process says nothing before it has the lease", inWorker, "TestRestartTakesTheLease"),
	edit("who lost the lease still seals", leaseFile, "\tm.sessions.end()\n", "").
		killed("who lost the lease says nothing more", inWorker, "TestLostLeaseSealsNothing"),
	edit("who lost the lease drains first", leaseFile, "m.run.Abandon(twin)", "m.run.Fail(twin)").
		killed("who lost the lease ends at once", inWorker, "TestLostLeaseEndsAtOnce"),
	edit("an orderly end says nothing", leaseFile, "\tm.beat.Stop(ctx)\n", "\t_ = ctx\n").
		killed("after an orderly end nobody waits", inWorker, "TestRestartTakesTheLease"),

	never("late tasks begin", "internal/protocol/node.go", "past(e.request.deadline, n.now)").
		killed("what nobody waits for is not begun", inProtocol, "TestLateTasksAreDropped"),
	edit("deadlines go by the stream's clock as if it were the own one", deadlineFile,
		"return c.at.Add(stream.Sub(c.stream))", "return stream").
		killed("deadlines are by the own clock", inProtocol, "TestLateTasksAreDropped"),
	never("late sessions go on", overFile, "past(s.request.deadline, s.node.now)").
		killed("a session ends with its attempt", inProtocol, "TestLateSessionsAreDropped"),
	edit("late computations are begun", "internal/machine/effects.go", "clock.Now().After(e.Until)", "clock.Now().IsZero()").
		killed("what nobody waits for is not computed", "internal/machine", "TestLateComputations"),
	edit("messages leave after their attempt", requestFile, "r.deadline.Before(r.expires)", "false").
		killed("what nobody waits for is not published", inProtocol, "TestMessagesCarryTheirDeadline"),
	never("a stream's clock that was set is believed", deadlineFile, "stored.Add(stepBack).Before(c.newest)").
		killed("a clock that was set is measured again", inProtocol, "TestStreamClockSteps"),
	never("measurements count for ever", deadlineFile, "now.Sub(c.at) > measuredFor").
		killed("a clock that was set is measured again", inProtocol, "TestOldMeasurementsDropNothing"),
	edit("the oldest goes first, however late", "internal/pool/queue.go", "taken = len(all) - 1", "taken = 0").
		killed("who is behind does the newest first", "internal/pool", "TestNewestFirstWhenBehind"),
}
