package sim

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// client publishes jobs and judges the results.
type client struct {
	w       *world
	name    string
	key     ed25519.PrivateKey
	jobs    []*clientJob
	keys    []announcedKey
	pending int // things that it still means to do
}

// announcedKey is a key from a result.
type announcedKey struct {
	id     wire.KeyID
	suite  frost.Suite
	public []byte
	chain  [32]byte // code
	owner  string
}

// clientJob is a job and what its client expects of it.
type clientJob struct {
	c      *client
	job    wire.Job
	signed wire.SignedJob
	keys   []announcedKey // sign: by item
	honest bool
	must   bool // it has to succeed
	ended  bool
	done   bool
}

func newClient(w *world, name string) *client {
	var seed [32]byte
	w.bytes(seed[:])
	return &client{w: w, name: name, key: ed25519.NewKeyFromSeed(seed[:]), pending: 1}
}

func (c *client) entry() wire.Client {
	return wire.Client{
		Name:  c.name,
		Key:   c.key.Public().(ed25519.PublicKey),
		Kinds: []wire.Kind{wire.KindKeygen, wire.KindSign},
	}
}

// idle reports whether all jobs have ended and no more will come.
func (c *client) idle() bool {
	for _, j := range c.jobs {
		if !j.ended {
			return false
		}
	}
	return c.pending == 0
}

// later counts on something that the client means to do.
func (c *client) later(low, high time.Duration, do func()) {
	c.pending++
	c.w.at(c.w.between(low, high), func() {
		c.pending--
		if !c.w.healed {
			do()
		}
	})
}

// begin is the workload: one or two key generations, and what follows.
func (c *client) begin() {
	c.pending--
	c.keygen()
	if c.w.rng.IntN(2) == 0 {
		c.later(time.Second, 8*time.Second, c.keygen)
	}
	c.later(time.Second, 6*time.Second, c.mischief)
}

func (c *client) keygen() {
	chain := []string{"bitcoin", "solana"}[c.w.rng.IntN(2)]
	c.submit(wire.Job{Kind: wire.KindKeygen, Chain: chain, Count: 1 + c.w.rng.IntN(3)}, nil, c.w.plan.benign())
}

// sign asks for a signature with each key.
func (c *client) sign(keys []announcedKey, must bool) *clientJob {
	job := wire.Job{Kind: wire.KindSign}
	for _, k := range keys {
		message := make([]byte, 32)
		c.w.bytes(message)
		item := wire.JobItem{Key: k.id.String(), Message: message}
		if k.suite == frost.Secp256k1TR && c.w.rng.IntN(3) == 0 {
			item.ScriptRoot = make([]byte, 32)
			c.w.bytes(item.ScriptRoot)
		}
		item.Path = pathOf(message)
		job.Items = append(job.Items, item)
	}
	return c.submit(job, keys, must)
}

// pathOf is the path of an item: of half of them, with up to three steps. It follows
// from the message and draws nothing, so that worlds are those that they were.
func pathOf(message []byte) *string {
	steps := int(message[0]) % 4
	if message[1]%2 == 0 || steps == 0 {
		return nil
	}
	path := fmt.Sprint(message[2] % 2)
	for i := range steps - 1 {
		path += fmt.Sprint("/", binary.BigEndian.Uint32(message[4+4*i:])>>1)
	}
	return &path
}

// signSome asks for signatures with up to three keys of one suite.
func (c *client) signSome() {
	first := c.keys[c.w.rng.IntN(len(c.keys))]
	keys := []announcedKey{first}
	for range c.w.rng.IntN(3) {
		if k := c.keys[c.w.rng.IntN(len(c.keys))]; k.suite == first.suite {
			keys = append(keys, k)
		}
	}
	c.sign(keys, c.w.plan.benign())
}

// submit completes, signs and publishes an honest job.
func (c *client) submit(job wire.Job, keys []announcedKey, must bool) *clientJob {
	w := c.w
	job.ID = w.uuid()
	life := w.between(30*time.Second, 60*time.Second)
	if must {
		life = 4 * time.Minute
	}
	job.Expires = w.now().Add(life)
	j := c.watch(job, keys)
	j.honest, j.must = true, must
	w.jobs.push(j.signed)
	if w.fault(ClientRepeats) {
		w.at(w.between(0, 3*time.Second), func() { w.jobs.push(j.signed) })
	}
	return j
}

// watch signs a job and waits for its end.
func (c *client) watch(job wire.Job, keys []announcedKey) *clientJob {
	payload, err := json.Marshal(job)
	if err != nil {
		panic(err)
	}
	j := &clientJob{c: c, job: job, keys: keys}
	j.signed = wire.SignJob(c.key, c.w.manifest, job.Kind, c.name, payload)
	c.expect(j)
	return j
}

// grace is what a job may take beyond its expiry: a gateway may have died a
// moment before.
const grace = 30 * time.Second

// expect notes a job; it must end in time.
func (c *client) expect(j *clientJob) {
	w := c.w
	c.jobs = append(c.jobs, j)
	w.tracef("%s asks %s %s %d keys %d items", c.name, j.job.Kind, j.job.ID, j.job.Count, len(j.job.Items))
	deadline := max(j.job.Expires.Sub(w.now()), 0) + grace
	w.at(deadline, func() {
		if !j.ended {
			w.fail(RuleJobEnds, "job %s of %s got no answer until %s after its expiry", j.job.ID, c.name, grace)
		}
	})
}

func (w *world) uuid() string {
	var b [16]byte
	w.bytes(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// answered is called when the first result of a job is stored.
func (w *world) answered(key string, payload []byte) {
	var r wire.Result
	if err := json.Unmarshal(payload, &r); err != nil {
		w.fail(RuleJobEnds, "result of %s is not JSON: %v", key, err)
		return
	}
	for _, c := range w.clients {
		for _, j := range c.jobs {
			digest := j.signed.Digest(w.manifest)
			if c.name == r.Client && bytes.Equal(digest[:], r.Digest) {
				j.end(&r)
			}
		}
	}
}

// rejected is called when a job is turned away.
func (w *world) rejected(r *wire.Result) {
	for _, c := range w.clients {
		for _, j := range c.jobs {
			if bytes.Equal(j.signed.Signature, r.Rejected) && !j.ended {
				j.end(r)
			}
		}
	}
}

// end judges a result.
func (j *clientJob) end(r *wire.Result) {
	c, w := j.c, j.c.w
	j.ended, j.done = true, r.Status == wire.StatusDone
	w.tracef("%s hears of %s: %s %s %s", c.name, j.job.ID, r.Status, r.Code, r.Error)
	if !j.done {
		if j.must {
			rule := RuleSuccess
			if w.healed {
				rule = RuleSigns
			}
			w.fail(rule, "job %s of %s failed: %s: %s", j.job.ID, c.name, r.Code, r.Error)
		}
		return
	}
	if !j.honest {
		w.check.refuses(j)
	}
	if j.job.Kind == wire.KindSign {
		w.check.signed(j, r)
		return
	}
	c.keys = append(c.keys, w.check.announces(j, r)...)
	for range 1 + w.rng.IntN(2) {
		if len(c.keys) > 0 && w.elapsed < faultTime {
			c.later(0, 5*time.Second, c.signSome)
		}
	}
}
