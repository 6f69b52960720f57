package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/fleet"
)

// beside measures undisturbed, and again beside a fault of the schedules.
func (m *measuring) beside(name, target string) (before, during taken) {
	m.t.Helper()
	before = m.user.singles(undisturbed)
	ctx, cancel := context.WithCancel(m.t.Context())
	defer cancel()
	step := Step{Fault: name, Target: target, Hold: disturbed}
	heal := faultNamed(name).begin(&breaking{Stand: m.Stand, Step: step, ctx: ctx, rand: rand.New(rand.NewPCG(1, 1))})
	during = m.user.singles(disturbed)
	cancel()
	if heal != nil {
		heal()
	}
	return before, during
}

func atItsQuota(m *measuring) {
	before, during := m.beside("quota", flooder)
	m.figure("another client at its quota: p50 of single signatures", ratio(during.p50, before.p50))
	m.figure("another client at its quota: p99 of single signatures", ratio(during.p99, before.p99))
}

func floods(m *measuring) {
	before, during := m.beside("flood-worker", nodeName(0))
	m.figure("a worker's credentials flood: p99 of single signatures", ratio(during.p99, before.p99))
	before, during = m.beside("flood-gateway", gatewayName(0))
	m.figure("a gateway's credentials flood: p99 of single signatures", ratio(during.p99, before.p99))
}

// bulkJobs measures beside another client's jobs of 1,000 signatures.
func bulkJobs(m *measuring) {
	u := m.otherUser()
	before := m.user.singles(undisturbed)
	during := m.besideJobs(4, func(ctx context.Context) error { return u.sign(ctx, chains[0], 1000) })
	m.figure("another client's bulk jobs: p99 of single signatures", ratio(during.p99, before.p99))
}

// otherClients measures beside another client's other kinds of jobs.
func otherClients(m *measuring) {
	u := m.otherUser()
	before := m.user.singles(undisturbed)
	during := m.besideJobs(2, func(ctx context.Context) error { return u.keygen(ctx, chains[0], 200) })
	m.figure("another client's key generations: p99 of single signatures", ratio(during.p99, before.p99))
	unknown := []client.Key{{ID: "00112233445566778899aabbccddeeff.0", PublicKey: u.keys[chains[0]][0].PublicKey}}
	during = m.besideJobs(64, func(ctx context.Context) error { return m.refused(u, ctx, unknown) })
	m.figure("another client's jobs for unknown keys: p99 of single signatures", ratio(during.p99, before.p99))
	_, during = m.beside("flood-client", flooder)
	m.figure("another client's rejected 1 MB jobs: p99 of single signatures", ratio(during.p99, before.p99))
}

func (m *measuring) otherUser() *user {
	m.t.Helper()
	u := m.newUser("clients/" + flooder + "/" + fleet.ClientFile)
	m.must(u.keygen(m.t.Context(), chains[0], 50))
	return u
}

// besideJobs measures while another client has so many jobs under way all the time.
func (m *measuring) besideJobs(underWay int, ask func(ctx context.Context) error) taken {
	ctx, cancel := context.WithCancel(m.t.Context())
	var asking sync.WaitGroup
	for range underWay {
		asking.Go(func() {
			for ctx.Err() == nil {
				if ask(ctx) != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	defer asking.Wait()
	defer cancel()
	return m.user.singles(disturbed)
}

// refused asks for what the fleet must refuse. It is in no history: that it fails is
// right.
func (m *measuring) refused(u *user, ctx context.Context, keys []client.Key) error {
	_, err := u.c.Sign(ctx, client.SignRequest{Items: []client.SignItem{
		{Key: keys[0].ID, PublicKey: keys[0].PublicKey, Message: make([]byte, 32)},
	}})
	var refusal *client.JobError
	if errors.As(err, &refusal) && refusal.Code == client.CodeUnknownKey {
		return nil
	}
	return err
}

// everyFault has each fault once, under load, and counts the sign jobs that fail. What
// deletes jobs or results is left out: those may be lost.
func everyFault(m *measuring) {
	l := m.loadOf(m.user)
	for i, f := range faults {
		if f.name == "delete-stream" {
			continue
		}
		step := Step{Fault: f.name, Target: f.targets[i%len(f.targets)], Hold: 8 * time.Second, Seed: uint64(i)}
		m.Event("%d of %d. %s", i+1, len(faults), step)
		m.step(l, step)
	}
	m.awaitReady()
	l.stopLoad()
	m.figure("sign jobs failed under any single fault", float64(m.failedSigns()))
}
