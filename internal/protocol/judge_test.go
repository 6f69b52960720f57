package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// policed gives nodes the policy that text returns for each; "": none.
func (f aged) policed(text func(node int) string) {
	f.t.Helper()
	for i, a := range f.nodes {
		a.govern(text(i))
	}
}

// govern starts a node anew under a policy.
func (a *actor) govern(text string) {
	a.f.t.Helper()
	a.rules, a.ledger = nil, nil
	if text != "" {
		a.rules = must(policy.Parse([]byte("version = 1\n"+text), "regtest"))
		var save policy.Save
		a.ledger, save = policy.NewLedger(a.rules, a.f.now)
		a.saves = []SaveLedger{{save}}
		a.ledger.Saved(save.Seq)
	}
	a.restart()
}

// one is one rule for everybody.
func one(kinds string, more ...string) string {
	return fmt.Sprintf("[[rule]]\nname = \"all\"\nclients = [\"*\"]\nkeys = [\"*\"]\nkinds = [%s]\n%s\n", kinds, strings.Join(more, "\n"))
}

// daily is a rule that lets so many satoshis go in a day.
func daily(satoshis int) string {
	return one(`"psbt"`, fmt.Sprintf("[[rule.limit]]\namount = \"0.%08d BTC\"\nper = \"day\"", satoshis))
}

func all(text string) func(int) string { return func(int) string { return text } }

// spending is a job n that spends an input of one key and has so much leave.
func (f aged) spending(n, satoshis int) wire.SignedJob {
	p := f.packet()
	p.spend(0, derive.Path{0, uint32(n)}, int64(satoshis))
	p.pay(payee(), int64(satoshis-1000))
	return f.request(n, func(j *wire.Job) { j.PSBT, j.Keys = p.bytes(), keysOf(f.btc, 0) })
}

// ends has the fleet work on a job and returns the result.
func (f aged) ends(job wire.SignedJob) *wire.Result {
	f.t.Helper()
	f.desk.finished = nil
	f.desk.arrive(job, nil)
	f.toil()
	return f.desk.result()
}

// toil has the fleet work, those that stand by included.
func (f aged) toil() {
	f.drain()
	for _, a := range f.nodes {
		timers := a.timers
		a.timers = nil
		for _, timer := range timers {
			if timer.Kind == timerStandby {
				a.do(timer)
			}
		}
	}
	f.drain()
}

func (f aged) wants(job wire.SignedJob, status wire.Status, code wire.Code, says string) *wire.Result {
	f.t.Helper()
	r := f.ends(job)
	if r.Status != status || r.Code != code || !strings.Contains(r.Error, says) {
		f.t.Fatalf("%s: %s: %s, want %s: %s: %s", r.Status, r.Code, r.Error, status, code, says)
	}
	return r
}

// strikes counts what the gateway holds against nodes.
func (f aged) strikes() (sum int) {
	for _, n := range f.desk.view().nodes.nodes {
		sum += n.strikes
	}
	return sum
}

// What all nodes deny ends as denied, with the rule. Nobody draws a nonce, and nobody loses
// rank.
func TestDenied(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(one(`"psbt"`)))
	r := f.wants(f.signing(9, "alice", item(f.btc, 0, "x")), wire.StatusDenied, wire.CodePolicyDenied, "rule all: kind_not_allowed: ")
	if !strings.Contains(r.Error, "nodes in all)") || !strings.HasPrefix(r.Error, "node ") {
		t.Error(r.Error)
	}
	equal(t, "strikes", f.strikes(), 0)
	refused := 0
	for _, a := range f.nodes {
		if drawn, _, _ := a.NonceCounts(); drawn != 0 {
			t.Error("nonces were drawn")
		}
		if report, n := a.reported(ReportRefused); n > 0 {
			refused++
			if report.Asked.Decision != Denied || report.Asked.Rule != "all" || report.Asked.Form != "" {
				t.Errorf("%+v", report.Asked)
			}
		}
	}
	if refused <= f.m.N-f.m.T {
		t.Errorf("%d nodes refused", refused)
	}
	f.wants(f.spending(10, 5000), wire.StatusDone, "", "")
}

// Nodes that deny are done without, for as long as enough are left, and lose no rank by it.
func TestSomeDeny(t *testing.T) {
	for denying := range 4 {
		f := agedFleet(t)
		f.policed(func(i int) string {
			if i < denying {
				return one(`"solana_message"`)
			}
			return ""
		})
		status, code := wire.StatusDone, wire.Code("")
		if denying > f.m.N-f.m.T {
			status, code = wire.StatusDenied, wire.CodePolicyDenied
		}
		r := f.ends(f.spending(9, 5000))
		if r.Status != status || r.Code != code {
			t.Errorf("%d deny: %s: %s: %s", denying, r.Status, r.Code, r.Error)
		}
		equal(t, "strikes", f.strikes(), 0)
		for i := range denying {
			if _, shared := f.nodes[i].reported(ReportShared); shared > 0 {
				t.Errorf("node %d denies, and signed", i)
			}
		}
	}
}

// A limit counts a job once, however many attempts it takes, and at all nodes, whoever
// signed.
func TestLimits(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(10_000)))
	job := f.spending(9, 6000)
	f.desk.arrive(job, nil)
	f.drainTasks()
	for _, a := range f.nodes {
		a.mute = []wire.SlotKind{wire.SlotShare}
	}
	f.drain()
	for _, a := range f.nodes {
		a.mute, a.out = nil, nil
	}
	f.desk.timeout(timerLate) // all hang: another attempt, by whoever is there
	f.drain()
	f.toil()
	equal(t, "status", f.desk.result().Status, wire.StatusDone)
	if a := f.desk.result().Attempts; a < 2 {
		t.Fatalf("%d attempts", a)
	}
	for i, a := range f.nodes {
		if !a.ledger.Charged(job.Digest(f.m)) {
			t.Errorf("node %d did not count the job", i)
		}
	}
	f.wants(f.spending(10, 5000), wire.StatusDenied, wire.CodePolicyDenied, "limit_reached: ")
	f.wants(f.spending(11, 4000), wire.StatusDone, "", "")
	f.wants(f.spending(12, 1500), wire.StatusDenied, wire.CodePolicyDenied, "limit_reached: ")
	f.now = f.now.Add(26 * time.Hour)
	f.again()
	f.wants(f.spending(13, 9000), wire.StatusDone, "", "")
}

// again lets all know the time, with session keys that are good then.
func (f aged) again() {
	f.sessions = slices.Clone(f.sessions) // the others' are shared by all tests
	for i := range f.m.N {
		f.sessions[i] = f.session(i)
	}
	f.desk.do(Tick{f.now})
	for _, a := range f.nodes {
		a.do(Tick{f.now})
	}
}

// Nodes that a gateway leaves out count what the others sign, from the moment that t have
// committed, and so do those that deny it: nobody multiplies a limit by choosing who signs.
func TestNodesLeftOutCount(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(10_000)))
	job := f.spending(7, 6000)
	s := f.readSession(job, 0)
	s.task.Exclude = []uint8{0, 1}
	s.session = s.task.Session(f.m)
	s.id, s.order = wire.ShortID(s.session), ranking(s.session, s.task.Exclude, f.m.N)
	s.deliver()
	counted := func() (nodes []int) {
		for i, a := range f.nodes {
			if a.ledger.Charged(job.Digest(f.m)) {
				nodes = append(nodes, i)
			}
		}
		return nodes
	}
	equal(t, "before commitments", fmt.Sprint(counted()), "[2 3]")
	s.release(0, wire.SlotCommit)
	equal(t, "with one", fmt.Sprint(counted()), "[2 3]")
	s.release(1, wire.SlotCommit)
	equal(t, "with two", fmt.Sprint(counted()), "[0 1 2 3]")

	// The other half is asked for another job.
	f = aged{fleet: f.fleet, btc: f.btc}
	second := f.spending(8, 6000)
	s = f.readSession(second, 0)
	s.task.Exclude = []uint8{2, 3}
	s.fleet.task(s.task, jobID(8))
	for _, i := range []int{0, 1} {
		c := must(wire.DecodeComplaint(f.nodes[i].want(wire.SlotRefuse).body))
		if c.Code != wire.CodePolicyDenied || !strings.Contains(c.Reason, "limit_reached") {
			t.Errorf("node %d: %s: %s", i, c.Code, c.Reason)
		}
	}
}

// Who only counts what others sign has no share loaded for that, of what it reads and of what
// lists its items alike.
func TestCountingLoadsNoShare(t *testing.T) {
	signed := `[[rule.limit]]
amount = "1000 signatures"
per = "day"`
	for name, of := range map[string]func(f aged) (job wire.SignedJob, items []uint32){
		"read":   func(f aged) (wire.SignedJob, []uint32) { return f.spending(7, 6000), []uint32{0} },
		"listed": func(f aged) (wire.SignedJob, []uint32) { return f.listing(7, 1) },
		"many":   func(f aged) (wire.SignedJob, []uint32) { return f.listing(7, 2*inlineChecks) },
	} {
		t.Run(name, func(t *testing.T) {
			f := agedFleet(t)
			f.policed(all(one(`"psbt", "raw"`, signed)))
			job, items := of(f)
			s := f.readSession(job, items...)
			s.task.Exclude = []uint8{0, 1}
			s.session = s.task.Session(f.m)
			s.id, s.order = wire.ShortID(s.session), ranking(s.session, s.task.Exclude, f.m.N)
			loaded := 0
			for _, i := range s.task.Exclude {
				f.nodes[i].loaded = func(keys []LoadedKey) {
					loaded++
					for _, k := range keys {
						if k.Key.Share.Expose() != nil || k.Key.VSSCommitment != nil || !k.Public {
							t.Errorf("node %d, which signs nothing, has more than a public key of %+v", i, k)
						}
					}
				}
			}
			s.deliver()
			s.release(0, wire.SlotCommit)
			s.release(1, wire.SlotCommit)
			for i, a := range f.nodes {
				if !a.ledger.Charged(job.Digest(f.m)) {
					t.Errorf("node %d did not count the job", i)
				}
			}
			equal(t, "keys loaded", loaded, len(s.task.Exclude))
		})
	}
}

// listing is a job n that lists so many items.
func (f aged) listing(n, count int) (job wire.SignedJob, all []uint32) {
	items := make([]wire.JobItem, count)
	for i := range items {
		items[i] = item(f.btc, i%2, fmt.Sprint(n, i))
		all = append(all, uint32(i))
	}
	return f.signing(n, "alice", items...), all
}

// One that denies counts as well what others sign all the same.
func TestDenyingNodesCount(t *testing.T) {
	f := agedFleet(t)
	f.policed(func(i int) string {
		if i < 2 {
			return daily(5_000)
		}
		return daily(10_000)
	})
	job := f.spending(7, 6000)
	s := f.readSession(job, 0)
	s.deliver()
	for rank := range s.m.T {
		if a := s.at(rank); a.cfg.Index < 2 {
			equal(t, "code", must(wire.DecodeComplaint(a.want(wire.SlotRefuse).body)).Code, wire.CodePolicyDenied)
		}
	}
	for rank := s.m.T; rank < s.m.N; rank++ {
		s.hedge(rank)
	}
	for _, i := range []int{2, 3} {
		a := s.nodes[i]
		w := a.want(wire.SlotCommit)
		a.out = nil
		a.fill(w)
	}
	for i, a := range s.nodes {
		if !a.ledger.Charged(job.Digest(f.m)) {
			t.Errorf("node %d did not count the job", i)
		}
	}
}

// The commitments of a node that counted more than its disk knows wait for the disk. One
// that the log has tells a later life of the node that the job was counted: it must not be
// there while a crash would forget that.
func TestCommitmentWaitsForTheLedger(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(100_000)))
	for _, a := range f.nodes {
		a.slowDisk = true
	}
	s := f.readSession(f.spending(7, 50_000), 0)
	s.deliver()
	for rank := range s.m.T {
		equal(t, "phase", s.phase(rank), signCommitted)
		equal(t, "messages", len(s.at(rank).out), 0)
		saves := s.at(rank).saves
		equal(t, "saves", len(saves), 2)
		s.at(rank).do(LedgerSaved{saves[1].Seq})
		s.at(rank).want(wire.SlotCommit)
	}
	for rank := range s.m.T {
		s.release(rank, wire.SlotCommit)
	}
	for rank := range s.m.T {
		s.at(rank).want(wire.SlotShare)
	}

	// What is far below the limit waits for nothing.
	for _, a := range f.nodes {
		a.do(LedgerSaved{a.saves[len(a.saves)-1].Seq})
	}
	s = f.readSession(f.spending(8, 1500), 0)
	s.fleet.task(s.task, jobID(8))
	for rank := range s.m.T {
		s.at(rank).out = slices.DeleteFunc(s.at(rank).out, func(w wish) bool { return w.slot.ID != s.id })
		s.release(rank, wire.SlotCommit)
	}
	for rank := range s.m.T {
		s.at(rank).want(wire.SlotShare)
	}
}

// A commitment that waits is not sent once nobody waits for it.
func TestCommitmentThatWaitedTooLong(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(100_000)))
	s := f.readSession(f.spending(7, 50_000), 0)
	s.at(0).slowDisk = true
	s.deliver()
	a := s.at(0)
	f.now = f.now.Add(11 * time.Minute)
	a.do(Tick{f.now})
	a.do(LedgerSaved{a.saves[1].Seq})
	for _, w := range a.out {
		if w.slot.Kind == wire.SlotCommit {
			t.Error("a commitment left after the job had expired")
		}
	}
}

// A node whose disk takes no ledger promises nothing, so the others sign without it, in
// the first attempt.
func TestDiskThatTakesNoLedger(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(1_000_000)))
	for i, a := range f.nodes {
		a.slowDisk = true
		r := f.wants(f.spending(20+i, 70_000), wire.StatusDone, "", "")
		equal(t, "attempts", r.Attempts, 1)
		a.slowDisk = false
		a.do(LedgerSaved{a.saves[len(a.saves)-1].Seq})
	}
}

// What a node keeps of jobs that it denied, in case that others sign them, is bounded: it
// counts the oldest at once, and forgets none.
func TestDebtsAreBounded(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(10_000)))
	for _, a := range f.nodes {
		a.signer.judge.most = 10 << 10
	}
	var jobs []wire.SignedJob
	for n := range 40 {
		jobs = append(jobs, f.spending(20+n, 20_000))
		f.wants(jobs[n], wire.StatusDenied, wire.CodePolicyDenied, "above_limit: ")
		for i, a := range f.nodes {
			held := 0
			for _, s := range a.signer.sessions {
				if s.debt != nil && s.debt.size > 0 {
					held += s.debt.size
				}
			}
			if j := &a.signer.judge; held != j.owed || held > j.most+4<<10 {
				t.Fatalf("node %d holds debts of %d bytes, and counts %d", i, held, j.owed)
			}
		}
	}
	for i, a := range f.nodes {
		if !a.ledger.Charged(jobs[0].Digest(f.m)) || a.ledger.Charged(jobs[39].Digest(f.m)) {
			t.Errorf("node %d does not count the oldest job, or counts the newest", i)
		}
	}
	f.now = f.now.Add(2 * sessionLife)
	f.again()
	for i, a := range f.nodes {
		if j := &a.signer.judge; j.owed != 0 {
			t.Errorf("node %d: %d bytes are left", i, j.owed)
		}
	}
}

// What a node let through is counted after it starts again.
func TestLimitsAfterARestart(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(10_000)))
	f.wants(f.spending(9, 6000), wire.StatusDone, "", "")
	for _, a := range f.nodes {
		f.work, f.sign = nil, nil // long ago
		state := a.ledger.Close(f.now)
		var save policy.Save
		var err error
		if a.ledger, save, err = policy.OpenLedger(a.rules, state.Encode(), f.now); err != nil {
			t.Fatal(err)
		}
		a.ledger.Saved(save.Seq)
		a.restart()
	}
	f.wants(f.spending(10, 5000), wire.StatusDenied, wire.CodePolicyDenied, "limit_reached: ")
	f.wants(f.spending(11, 3900), wire.StatusDone, "", "")
}

// approver is somebody who approves.
func approver(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func approvers(keys map[string]ed25519.PrivateKey) (text string) {
	for name, key := range keys {
		text += fmt.Sprintf("[[approver]]\nname = %q\npublic_key = \"%x\"\n", name, key.Public())
	}
	return text
}

// Approvals go with the job and are verified by every node: over this job, by keys that its
// policy names, and never by the client's own.
func TestApprovals(t *testing.T) {
	f := agedFleet(t)
	anna, ben := approver("anna"), approver("ben")
	text := one(`"psbt"`, "[rule.approvals]\nrequire = 2\nfrom = [\"anna\", \"ben\", \"own\"]\nalways = true") +
		approvers(map[string]ed25519.PrivateKey{"anna": anna, "ben": ben, "own": f.clients["alice"]})
	f.policed(all(text))
	n := 10
	try := func(name string, ok bool, sign func(digest [32]byte) []wire.Approval) {
		t.Helper()
		n++
		job := f.spending(n, 5000)
		job.Approvals = wire.MergeApprovals(sign(job.Digest(f.m)), nil)
		if ok {
			f.wants(job, wire.StatusDone, "", "")
			return
		}
		r := f.wants(job, wire.StatusDenied, wire.CodeApprovalRequired, "rule all: approvals_missing: ")
		if !strings.Contains(r.Error, "more of ") {
			t.Errorf("%s: %s", name, r.Error)
		}
	}
	approve := func(who string, key ed25519.PrivateKey, digest [32]byte) wire.Approval {
		return wire.Approve(key, who, f.m, digest, f.now)
	}
	try("two", true, func(d [32]byte) []wire.Approval {
		return []wire.Approval{approve("ben", ben, d), approve("anna", anna, d)}
	})
	try("none", false, func([32]byte) []wire.Approval { return nil })
	try("one", false, func(d [32]byte) []wire.Approval { return []wire.Approval{approve("anna", anna, d)} })
	try("one, under two names", false, func(d [32]byte) []wire.Approval {
		return []wire.Approval{approve("anna", anna, d), approve("ben", anna, d)}
	})
	try("the client's own", false, func(d [32]byte) []wire.Approval {
		return []wire.Approval{approve("anna", anna, d), approve("own", f.clients["alice"], d)}
	})
	try("of another job", false, func(d [32]byte) []wire.Approval {
		other := d
		other[0]++
		return []wire.Approval{approve("anna", anna, d), approve("ben", ben, other)}
	})
	try("a stranger's", false, func(d [32]byte) []wire.Approval {
		return []wire.Approval{approve("anna", anna, d), approve("carl", ben, d)}
	})
}

// Approvals that come with another copy of a job in work are added to those that it has.
func TestApprovalsOfACopy(t *testing.T) {
	f := agedFleet(t)
	anna := approver("anna")
	f.policed(all(one(`"psbt"`, "[rule.approvals]\nrequire = 1\nfrom = [\"anna\"]\nalways = true") +
		approvers(map[string]ed25519.PrivateKey{"anna": anna})))
	job := f.spending(9, 5000)
	f.desk.arrive(job, nil)
	f.drainTasks()
	a := f.nodes[0]
	for _, node := range f.nodes {
		if len(node.out) > 0 {
			a = node
		}
	}
	a.fill(a.want(wire.SlotRefuse))
	for _, node := range f.nodes {
		node.out = nil
	}
	j := f.desk.signing.jobs[f.desk.jobs[jobKey("alice", jobID(9))]]
	equal(t, "denials", len(f.desk.met(j).denied), 1)
	copied := job
	copied.Approvals = []wire.Approval{wire.Approve(anna, "anna", f.m, job.Digest(f.m), f.now)}
	f.desk.arrive(copied, nil)
	equal(t, "denials after the copy", len(f.desk.met(j).denied), 0)
	f.desk.timeout(timerLate)
	f.drain()
	equal(t, "status", f.desk.result().Status, wire.StatusDone)
}

// Approvals that come while nodes are asked without them are not lost: who refused is asked again.
func TestApprovalsWhileNodesAreAsked(t *testing.T) {
	f := agedFleet(t)
	anna := approver("anna")
	f.policed(all(one(`"psbt"`, "[rule.approvals]\nrequire = 1\nfrom = [\"anna\"]\nalways = true") +
		approvers(map[string]ed25519.PrivateKey{"anna": anna})))
	job := f.spending(9, 5000)
	f.desk.arrive(job, nil)
	f.drainTasks()
	copied := job
	copied.Approvals = []wire.Approval{wire.Approve(anna, "anna", f.m, job.Digest(f.m), f.now)}
	f.desk.arrive(copied, nil)
	f.drain()
	equal(t, "status", f.desk.result().Status, wire.StatusDone)
}

// So many approvals may want what others deny for good that approvals would not help.
func TestVerdicts(t *testing.T) {
	deny, want, other := wire.CodePolicyDenied, wire.CodeApprovalRequired, wire.CodeNotOwner
	for name, test := range map[string]struct {
		codes []wire.Code // by node
		spare int
		code  wire.Code
		says  string
	}{
		"all deny":               {[]wire.Code{deny, deny, deny}, 2, deny, "node 0 denied: why 0 (as did 3 nodes in all)"},
		"all want approvals":     {[]wire.Code{want, want, want}, 2, want, "node 0 denied: why 0 (as did 3 nodes in all)"},
		"approvals would do":     {[]wire.Code{deny, deny, want}, 2, want, "node 2 denied: why 2"},
		"approvals would not do": {[]wire.Code{deny, want, deny, deny}, 2, deny, "node 0 denied: why 0 (as did 3 nodes in all)"},
		"none denies":            {[]wire.Code{other, other, other}, 2, other, "node 2 refused: why 2"},
		"one denies":             {[]wire.Code{other, deny, other}, 2, deny, "node 1 denied: why 1"},
		"an invention":           {[]wire.Code{"x", "x", "x"}, 2, wire.CodeSigningFailed, "node 2 refused: why 2"},
	} {
		j := newTrouble(nil)
		for i, code := range test.codes {
			j.denied[i] = &wire.Complaint{Code: code, Reason: fmt.Sprintf("why %d", i)}
		}
		if err := j.verdict(test.spare, len(test.codes)-1); err.Code != test.code || err.Reason != test.says {
			t.Errorf("%s: %v, want %s: %s", name, err, test.code, test.says)
		}
	}
}

// A policy that changes ends what began under the one before. One that only learned an
// address is the same.
func TestPolicyChanges(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(100_000)))
	s := f.readSession(f.spending(7, 5000), 0)
	s.deliver()
	a := s.at(0)
	a.do(PolicyChanged{must(a.rules.WithKeys(nil))})
	equal(t, "phase under the same policy", s.phase(0), signCommitted)
	stricter := must(policy.Parse([]byte("version = 1\n"+daily(5_500)), "regtest"))
	a.do(PolicyChanged{stricter})
	equal(t, "phase under another policy", s.phase(0), signOut)
	held, _, dropped := a.NonceCounts()
	equal(t, "nonces dropped", dropped, held)

	s = f.readSession(f.spending(8, 2000), 0)
	a.out = nil
	s.fleet.task(s.task, jobID(8))
	if s.order[0] == a.cfg.Index || s.order[1] == a.cfg.Index {
		equal(t, "code", must(wire.DecodeComplaint(a.want(wire.SlotRefuse).body)).Code, wire.CodePolicyDenied)
	}
	a.do(PolicyChanged{nil})
	if a.signer.judge.policy == nil {
		t.Error("a policy was taken away")
	}
}

// Without a policy nothing of this happens: nothing is counted and nothing saved.
func TestNoPolicy(t *testing.T) {
	f := agedFleet(t)
	f.wants(f.spending(9, 6000), wire.StatusDone, "", "")
	for _, a := range f.nodes {
		if len(a.saves) > 0 || len(a.signer.judge.tallies) > 0 {
			t.Error("there is a ledger")
		}
		for _, r := range a.reports {
			if r.Asked != nil && r.Asked.Decision != "" {
				t.Errorf("decided: %+v", r.Asked)
			}
		}
		a.do(PolicyChanged{must(policy.Parse([]byte("version = 1\n"+daily(1)), "regtest"))})
		if a.signer.judge.policy != nil {
			t.Error("a policy without a ledger is in force")
		}
	}
}

// Junk in the slots of t commitments makes nodes count a job that they deny, and doesn't make
// them sign it: the broker can put it there.
func TestJunkCommitmentsLiftNoLimit(t *testing.T) {
	f := agedFleet(t)
	f.policed(all(daily(10_000)))
	f.wants(f.spending(6, 6000), wire.StatusDone, "", "")
	job := f.spending(7, 6000)
	s := f.readSession(job, 0)
	s.deliver()
	for _, a := range f.nodes {
		for node := range f.m.T + 1 {
			slot := wire.Slot{Kind: wire.SlotCommit, ID: s.id, Node: (a.cfg.Index + node) % f.m.N}
			a.do(SignMessage{LogMessage: wire.LogMessage{Subject: slot.String(), Time: f.now, Data: []byte("junk")}})
		}
		if !a.ledger.Charged(job.Digest(f.m)) {
			t.Errorf("node %d does not count", a.cfg.Index)
		}
		a.out = nil
	}
	s.task = wire.SignTask(job, 1, []uint32{0}, nil)
	s.session = s.task.Session(f.m)
	s.id, s.order = wire.ShortID(s.session), ranking(s.session, nil, f.m.N)
	s.deliver()
	for rank := range s.m.T {
		c := must(wire.DecodeComplaint(s.at(rank).want(wire.SlotRefuse).body))
		if c.Code != wire.CodePolicyDenied || !strings.Contains(c.Reason, "limit_reached") {
			t.Errorf("node %d: %s: %s", s.at(rank).cfg.Index, c.Code, c.Reason)
		}
	}
}
