package sim

import (
	"bytes"
	"encoding/hex"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// checker holds what the invariants need to know of the whole world.
type checker struct {
	w          *world
	watch      watchlist
	seals      map[string]sealInfo // by message: who sealed it, for where
	points     map[[32]byte]string // coordinates of public nonces: who drew them
	spentPairs map[string]string   // nonce pair to share
	certs      map[certKey]certified
	batches    map[wire.BatchRef][]byte // public keys and commitments of complete batches
	announced  map[string]string        // public key to batch
	owners     map[string]string        // batch to client
	entries    map[string]bool          // batches that are in the register
	sessions   map[string]signedFor
	shares     int
	signatures int
	children   int // of the signatures
	saves      int // states of ledgers
	book       moveBook
	denials    int // by policies
}

type certKey struct {
	node *machine
	id   string // of a batch, or of a resharing
}

type certified struct{ context, transcript, root [32]byte }

// sealInfo is what stands in a message that some process of a node sealed.
type sealInfo struct {
	slot   wire.Slot
	body   []byte
	at     time.Time // by the node's clock
	expiry time.Time
	stale  bool
}

// validity is what readers make of the time at which a message was stored.
type validity int

const (
	never validity = iota
	perhaps
	surely
)

// validAt says whether readers accept the message if it was stored then. Near
// the bounds it does not say.
func (s sealInfo) validAt(t time.Time) validity {
	const skew, margin = 2 * time.Minute, 10 * time.Second
	from, to := s.expiry.Add(-wire.DelegationLife-skew), s.expiry.Add(skew)
	switch {
	case t.After(from.Add(margin)) && t.Before(to.Add(-margin)):
		return surely
	case t.Before(from.Add(-margin)) || t.After(to.Add(margin)):
		return never
	}
	return perhaps
}

// liveAt says whether a reader whose clock says now accepts a message of a live
// stream that was stored at t.
func liveAt(t, now time.Time) validity {
	const margin = 10 * time.Second
	switch off, bound := now.Sub(t).Abs(), wire.LiveAge+wire.ClockSkew; {
	case off < bound-margin:
		return surely
	case off > bound+margin:
		return never
	}
	return perhaps
}

func newChecker(w *world) *checker {
	return &checker{
		w:          w,
		seals:      map[string]sealInfo{},
		points:     map[[32]byte]string{},
		spentPairs: map[string]string{},
		certs:      map[certKey]certified{},
		batches:    map[wire.BatchRef][]byte{},
		announced:  map[string]string{},
		owners:     map[string]string{},
		entries:    map[string]bool{},
		sessions:   map[string]signedFor{},
		book:       moveBook{heads: map[wire.BatchRef]*wire.Entry{}, shares: map[wire.BatchRef]map[int][]byte{}},
	}
}

// sealed notes who made a message.
func (c *checker) sealed(p *worker, slot wire.Slot, body, data []byte, key *wire.SessionKey) {
	c.seals[string(data)] = sealInfo{
		slot: slot, body: body, at: p.m.clock(), expiry: key.NotAfter(), stale: key != p.session,
	}
	if !p.liar {
		c.leaks(p.name, slot.String(), data)
	}
}

// leaks looks for secrets in a message.
func (c *checker) leaks(who, subject string, data []byte) {
	if m, found := c.watch.find(subject, data); found {
		c.w.fail(m.rule, "%s published %s under %s", who, m.what, subject)
	}
}

// opened marks the shares of a batch as secret.
func (c *checker) opened(r *protocol.BatchRecord) {
	shares := r.Batch.Shares.Expose()
	for i := 0; i+frost.ScalarSize <= len(shares); i += frost.ScalarSize {
		c.watch.forbid(RuleSecret, shares[i:], "a share of batch "+r.ID, "")
	}
}

// certifies checks a record before it is stored.
func (c *checker) certifies(p *worker, r *protocol.BatchRecord) {
	if r.Generation > 0 {
		return
	}
	if own := p.deals[r.ID]; own == nil || !bytes.Equal(own, r.Deals[p.m.index]) {
		c.w.fail(RuleOwnDeal, "%s certifies batch %s with a deal at its index that this process did not make", p.name, r.ID)
	}
}

// published checks what an honest process wants to say.
func (c *checker) published(p *worker, slot wire.Slot, body []byte) {
	c.allowed(p, slot)
	if slot.Kind == wire.SlotReshareDeal {
		c.redeals(p, slot, body)
	}
	if slot.Kind != wire.SlotCert && slot.Kind != wire.SlotReshareCert {
		return
	}
	cert, ok := decode[wire.Certificate](body)
	if !ok {
		c.w.fail(RuleCertifyOnce, "%s publishes a certificate that can't be read", p.name)
		return
	}
	if r := p.disk.certified(cert.Context); r == nil || r.Transcript != cert.Transcript || r.Generation != cert.Generation {
		c.w.fail(RuleCertifyOnce, "%s certifies batch %s without having stored that transcript", p.name, slot.ID)
	}
	key, content := certKey{p.m, slot.ID}, certified{cert.Context, cert.Transcript, cert.Root}
	if old, ok := c.certs[key]; ok && old != content && !(c.w.plan.lies && p.m.amnesia) {
		// Who forgot what it certified and is shown no log can't know better.
		c.w.fail(RuleCertifyOnce, "%s certifies batch %s a second time, with other content", p.name, slot.ID)
	}
	c.certs[key] = content
}

// faithful reports whether there is an honest node that never forgot anything.
func (c *checker) faithful() bool {
	for _, m := range c.w.machines {
		if !m.amnesia && m.honest() {
			return true
		}
	}
	return false
}

// completed checks a batch that became usable at a node.
func (c *checker) completed(p *worker, r *record) {
	if p.liar {
		return // it fools itself
	}
	// The shares belong to the commitments: two polynomials can have one public key.
	c.continues(p, r)
	keys := append(bytes.Join(r.Batch.PublicKeys, nil), r.Batch.Commitments...)
	if old, ok := c.batches[r.Ref()]; !ok {
		c.batches[r.Ref()] = keys
	} else if !bytes.Equal(old, keys) && (c.faithful() || !c.w.plan.lies) {
		c.w.fail(RuleAgreement, "%s has other keys in batch %s than another node", p.name, r.ID)
	}
	if r.Generation > 0 {
		return
	}
	for _, client := range c.w.clients {
		for _, j := range client.jobs {
			if j.signed.Digest(c.w.manifest) == r.Header.Digest {
				res := c.w.resultOf(p, j, r)
				c.certifiedTogether(res)
				if err := wire.VerifyKeys(c.w.manifest, j.signed, res); err != nil {
					c.w.fail(RuleCertificates, "%s completes batch %s: %v", p.name, r.ID, err)
				}
				return
			}
		}
	}
	c.w.fail(RuleCertificates, "%s completes batch %s, for which nobody asked", p.name, r.ID)
}

// resultOf is the result that a record is worth.
func (w *world) resultOf(p *worker, j *clientJob, r *record) *wire.Result {
	b := wire.Batch{ID: r.ID, Part: r.Header.Part, Attempt: r.Header.Attempt, Count: r.Header.K}
	for _, cert := range r.certificates {
		b.Certificates = append(b.Certificates, cert)
	}
	mh, digest := w.manifest.Hash(), j.signed.Digest(w.manifest)
	res := &wire.Result{
		Job: j.job.ID, Client: j.c.name, Kind: j.job.Kind, Digest: digest[:], Status: wire.StatusDone,
		Fleet: w.manifest.Fleet, Network: w.manifest.Network, Manifest: mh[:],
		Chain: j.job.Chain, Suite: frost.Suite(r.Header.Suite).String(),
	}
	if p.m.manifest != w.manifest {
		maker := p.m.manifest.Hash()
		b.Manifest = maker[:]
		for _, proof := range w.change.proofs() {
			res.Successions = append(res.Successions, proof)
		}
	}
	res.Batches = []wire.Batch{b}
	for i, key := range r.Batch.PublicKeys {
		res.Keys = append(res.Keys, wire.Key{ID: wire.KeyID{Batch: r.ID, Index: i}.String(), PublicKey: key})
	}
	return res
}

// certifiedTogether checks, apart from the program's own check, that the nodes
// certified one and the same thing.
func (c *checker) certifiedTogether(r *wire.Result) {
	for _, b := range r.Batches {
		var first certified
		for i, raw := range b.Certificates {
			cert, ok := decode[wire.Certificate](raw)
			said := certified{cert.Context, cert.Transcript, cert.Root}
			if i == 0 {
				first = said
			}
			if !ok || said != first {
				c.w.fail(RuleCertificates, "batch %s: node %d certified something else than node 0", b.ID, i)
			}
		}
	}
}

// announces checks the keys of a result.
func (c *checker) announces(j *clientJob, r *wire.Result) (keys []announcedKey) {
	certified, err := wire.CertifiedKeys(c.w.manifest, j.signed, r)
	if err != nil {
		c.w.fail(RuleCertificates, "result of job %s: %v", j.job.ID, err)
		return nil
	}
	c.certifiedTogether(r)
	suite, _ := wire.ChainSuite(j.job.Chain)
	for i, k := range r.Keys {
		id, err := wire.ParseKeyID(k.ID)
		if err != nil || k.Address != address(j.job.Chain, k.PublicKey) {
			c.w.fail(RuleCertificates, "job %s: key %s with address %s: %v", j.job.ID, k.ID, k.Address, err)
		}
		if !c.registered(id.Batch) {
			c.w.fail(RuleRegistered, "job %s: key %s is announced, and KEYS has not all of its entry", j.job.ID, k.ID)
		}
		name := hex.EncodeToString(k.PublicKey)
		if other, ok := c.announced[name]; ok {
			c.w.fail(RuleNoDouble, "key %s of batch %s was announced in batch %s", name, id.Batch, other)
		}
		c.announced[name] = id.Batch
		c.owners[id.Batch] = j.c.name
		keys = append(keys, announcedKey{
			id: id, suite: suite, public: k.PublicKey, chain: certified[i].ChainCode, owner: j.c.name,
		})
	}
	return keys
}

// refuses is called when a job succeeded that must not.
func (c *checker) refuses(j *clientJob) {
	rule := RuleJobEnds
	if j.job.Kind == wire.KindSign {
		rule = RuleOwner
	}
	c.w.fail(rule, "job %s of %s succeeded and must not", j.job.ID, j.c.name)
}
