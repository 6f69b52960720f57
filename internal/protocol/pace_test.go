package protocol

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// passTime has a time pass at all nodes.
func (f *fleet) passTime(d time.Duration) {
	f.now = f.now.Add(d)
	for _, a := range f.nodes {
		a.do(Tick{f.now})
	}
}

// second adds a gateway to the access list, and returns how it posts tasks.
func (f *fleet) second() (post func(task *wire.Task, jobID string)) {
	pub, key, err := ed25519.GenerateKey(nil)
	f.check(err)
	var clients []wire.Client
	for name, key := range f.clients {
		clients = append(clients, wire.Client{Name: name, Key: key.Public().(ed25519.PublicKey), Kinds: clientKinds[name]})
	}
	f.access = must(wire.NewAccess(clients,
		map[string]ed25519.PublicKey{"gw": f.gateway.Public().(ed25519.PublicKey), "second": pub}))
	for _, a := range f.nodes {
		a.do(AccessChanged{Access: f.access})
	}
	return func(task *wire.Task, jobID string) {
		subject := wire.TaskSubject(task, jobID)
		f.post(subject, wire.SealGateway(key, "second", f.m, subject, wire.Encode(task)))
	}
}

// deals lists the attempts at a job that a node wants to publish a deal of.
func (f *fleet) deals(node int, job wire.SignedJob) (attempts []int) {
	for attempt := range wire.MaxAttempts + 1 {
		id := wire.ShortID(f.header(job, 0, attempt).Context(f.m))
		if slices.ContainsFunc(f.nodes[node].out, func(w wish) bool { return w.slot.ID == id && w.slot.Kind == wire.SlotDeal }) {
			attempts = append(attempts, attempt)
		}
	}
	return attempts
}

// A gateway that opens every attempt at a part at once, or another one from the end, has
// nodes make a few deals, and then no more than honest gateways would have them make.
// None of these attempts is lost to a gateway that comes to it in its time.
func TestAttemptsComeInTheirTime(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk = nil
	post := f.second()
	job := f.keygen(1, "alice", "solana", 1)
	for attempt := wire.MaxAttempts; attempt >= 0; attempt -= 2 {
		post(&wire.Task{Job: job, Attempt: uint32(attempt)}, jobID(1))
	}
	for attempt := 1; attempt <= wire.MaxAttempts; attempt += 2 {
		f.task(&wire.Task{Job: job, Attempt: uint32(attempt)}, jobID(1))
	}
	if got := f.deals(0, job); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("at once: deals of attempts %v", got)
	}
	var honest time.Duration // when a gateway that has all attempts fail opens the next one
	for attempt := range 20 {
		if honest >= 28*time.Minute {
			break // the job expires after 30
		}
		f.passTime(t0.Add(honest).Sub(f.now))
		if got := f.deals(0, job); !slices.Contains(got, attempt) || len(got) > 2*attempt+freeAttempts {
			t.Errorf("after %v: deals of attempts %v", honest, got)
		}
		honest += keygenPause(attempt)
	}
	f.passTime(wire.MaxJobLife)
	if n := len(f.nodes[0].Node.dealer.parts); n != 0 {
		t.Errorf("%d parts of expired jobs are remembered", n)
	}
}

// A node remembers so many parts and no more. Attempts at others begin where they need
// not wait.
func TestPartsAreBounded(t *testing.T) {
	f := newFleet(t, 2, 3).start()
	f.desk = nil
	job := f.keygen(1, "alice", "solana", 1)
	parsed, _ := job.Parse(f.now)
	parts := f.nodes[0].Node.dealer.parts
	for i := range maxParts {
		parts[partID{part: uint32(i)}] = &part{job: parsed}
	}
	for _, attempt := range []uint32{wire.MaxAttempts, 0} {
		f.task(&wire.Task{Job: job, Attempt: attempt}, jobID(1))
	}
	if got := f.deals(0, job); !slices.Equal(got, []int{0}) || len(parts) != maxParts {
		t.Errorf("deals of attempts %v, %d parts", got, len(parts))
	}
}

// An attempt that waits for its time begins nothing once its gateway or its client is
// off the list, or a node is revoked.
func TestWaitingAttemptsOfTheRevoked(t *testing.T) {
	for name, change := range map[string]func(f *fleet) *wire.Access{
		"nothing": func(f *fleet) *wire.Access { return f.access },
		"the gateway": func(f *fleet) *wire.Access {
			return must(wire.NewAccess(f.listed("alice"), map[string]ed25519.PublicKey{"gw": f.gateway.Public().(ed25519.PublicKey)}))
		},
		"the client": func(f *fleet) *wire.Access {
			a := must(wire.NewAccess(f.listed("bob"), nil))
			return a
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, 2, 3).start()
			f.desk = nil
			post := f.second()
			job := f.keygen(1, "alice", "solana", 1)
			post(&wire.Task{Job: job, Attempt: freeAttempts}, jobID(1))
			if got := f.deals(0, job); len(got) != 0 {
				t.Fatalf("attempts %v did not wait", got)
			}
			for _, a := range f.nodes {
				a.do(AccessChanged{Access: change(f)})
			}
			f.passTime(attemptDue(freeAttempts))
			if got := f.deals(0, job); (len(got) == 1) != (name == "nothing") {
				t.Errorf("deals of attempts %v", got)
			}
		})
	}
}

func (f *fleet) listed(name string) []wire.Client {
	return []wire.Client{{Name: name, Key: f.clients[name].Public().(ed25519.PublicKey), Kinds: clientKinds[name]}}
}

// A gateway that opens every attempt of a sign job at once has nodes begin a few, and
// one each five seconds from then on. Another gateway's begin at once.
func TestFewSessionsOfOneJob(t *testing.T) {
	s := agedFleet(t)
	s.desk = nil
	post := s.second()
	job := s.signing(10, "alice", item(s.btc, 0, "one"))
	for attempt := range wire.MaxAttempts {
		post(wire.SignTask(job, attempt, []uint32{0}, nil), jobID(10))
	}
	begun := func() int { return len(s.nodes[0].Node.signer.sessions) }
	atOnce := s.m.N - s.m.T + someAttempts
	equal(t, "sessions", begun(), atOnce)
	s.task(wire.SignTask(job, wire.MaxAttempts, []uint32{0}, nil), jobID(10))
	equal(t, "with another gateway's", begun(), atOnce+1)
	equal(t, "jobs with a rate", len(s.nodes[0].Node.signer.rate.full), 2)
	s.passTime(time.Duration(atOnce) * attemptEvery)
	equal(t, "jobs with a rate", len(s.nodes[0].Node.signer.rate.full), 0)
}
