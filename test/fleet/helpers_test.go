package fleet_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// jobTime is how long a test waits for a job's end on a busy machine.
const jobTime = 3 * time.Minute

// raw publishes jobs without the client package, so that they can be wrong.
type raw struct {
	t       testing.TB
	bus     *bus.Bus
	name    string
	fleet   *wire.Manifest
	key     ed25519.PrivateKey
	results chan *nats.Msg
}

func newRaw(t testing.TB, f *fleettest.Fleet) *raw {
	t.Helper()
	key, err := config.LoadKey(f.Dir + "/client.key")
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{t: t, bus: f.Bus(), name: fleettest.Client, fleet: f.Manifest, key: key, results: make(chan *nats.Msg, 64)}
	r.listen(r.name)
	return r
}

func (r *raw) listen(client string) {
	r.t.Helper()
	subject := wire.FleetSubject(fleettest.Name, wire.ResultSubject(client, "*"))
	if _, err := r.bus.Conn().ChanSubscribe(subject, r.results); err != nil {
		r.t.Fatal(err)
	}
}

// job is a valid job of a kind, to be spoilt.
func job(kind wire.Kind) wire.Job {
	j := wire.Job{ID: uuid.Must(uuid.NewV7()).String(), Kind: kind, Expires: time.Now().Add(10 * time.Minute)}
	if kind == wire.KindKeygen {
		j.Chain, j.Count = "bitcoin", 1
	}
	return j
}

func payload(t testing.TB, j wire.Job) []byte {
	t.Helper()
	data, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (r *raw) sign(kind wire.Kind, payload []byte) wire.SignedJob {
	return wire.SignJob(r.key, r.fleet, kind, r.name, payload)
}

// publish makes one attempt to store a job; it returns the server's refusal.
func (r *raw) publish(s wire.SignedJob) error {
	r.t.Helper()
	_, err := r.bus.Conn().Store(r.t.Context(), &nats.Msg{
		Subject: wire.FleetSubject(fleettest.Name, wire.SizedJobSubject(s.Kind, s.Client, len(s.Payload))), Data: s.Payload, Header: nats.Header{
			wire.HeaderClient: {s.Client}, wire.HeaderSignature: {hex.EncodeToString(s.Signature)},
		},
	})
	if err != nil {
		return natsconn.Classify(err)
	}
	return nil
}

// answer waits for the next result of a job. A gateway that stopped before it
// had acknowledged another job announces that one's result again; it is passed
// over.
func (r *raw) answer(id string) *wire.Result {
	r.t.Helper()
	deadline := time.After(jobTime)
	for {
		select {
		case m := <-r.results:
			var result wire.Result
			if err := json.Unmarshal(m.Data, &result); err != nil {
				r.t.Fatal(err)
			}
			if result.Job == id {
				return &result
			}
		case <-deadline:
			r.t.Fatalf("no answer within %s", jobTime)
		}
	}
}

// do publishes a job and waits for its end.
func (r *raw) do(s wire.SignedJob) *wire.Result {
	r.t.Helper()
	if err := r.publish(s); err != nil {
		r.t.Fatal(err)
	}
	return r.answer(wire.PeekJobID(s.Payload))
}

// keygen makes keys and checks what proves them.
func (r *raw) keygen(f *fleettest.Fleet, chain string, count int) []wire.Key {
	r.t.Helper()
	j := job(wire.KindKeygen)
	j.Chain, j.Count = chain, count
	s := r.sign(j.Kind, payload(r.t, j))
	result := r.do(s)
	if result.Status != wire.StatusDone {
		r.t.Fatalf("keygen: %s: %s", result.Code, result.Error)
	}
	if err := wire.VerifyKeys(f.Manifest, s, result); err != nil {
		r.t.Fatal(err)
	}
	return result.Keys
}

// signJob is a sign job over one message of 32 bytes for each key.
func signJob(keys ...string) wire.Job {
	j := job(wire.KindSign)
	for i, key := range keys {
		message := make([]byte, 32)
		message[0] = byte(i)
		j.Items = append(j.Items, wire.JobItem{Key: key, Message: message})
	}
	return j
}

// mustSign has messages signed and verifies every signature with a library
// that did not make it.
func (r *raw) mustSign(keys []wire.Key) {
	r.t.Helper()
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID)
	}
	j := signJob(ids...)
	result := r.do(r.sign(j.Kind, payload(r.t, j)))
	if result.Status != wire.StatusDone || len(result.Sigs) != len(keys) {
		r.t.Fatalf("sign: %s: %s", result.Code, result.Error)
	}
	for i, s := range result.Sigs {
		verify(r.t, keys[i].PublicKey, j.Items[i].Message, s)
	}
}
