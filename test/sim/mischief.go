package sim

import (
	"encoding/json"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/protocol"
)

// mischief is what a lying client does. None of it may succeed, but for a
// reused id: there the other job may have come second.
func (c *client) mischief() {
	w := c.w
	if w.fault(ClientForges) {
		c.forge()
	}
	if w.fault(ClientMalformed) {
		c.malformed()
	}
	if w.fault(ClientReuses) && len(c.jobs) > 0 {
		c.reuse()
	}
	for _, other := range w.clients {
		if other != c && len(other.keys) > 0 && w.fault(ClientForeign) {
			c.dishonest(protocol.Job{Kind: protocol.KindSign, Items: []protocol.JobItem{
				{Key: other.keys[0].id.String(), Message: make([]byte, 32)},
			}})
		}
	}
	if w.elapsed < faultTime/2 {
		c.later(2*time.Second, 6*time.Second, c.mischief)
	}
}

// dishonest publishes a well signed job that must not succeed.
func (c *client) dishonest(job protocol.Job) {
	if job.ID == "" {
		job.ID = c.w.uuid()
	}
	if job.Expires.IsZero() {
		job.Expires = c.w.now().Add(20 * time.Second)
	}
	c.w.jobs.push(c.watch(job, nil).signed)
}

// forge signs a job with a key that is not the client's.
func (c *client) forge() {
	j := &clientJob{c: c, job: protocol.Job{ID: c.w.uuid(), Kind: protocol.KindKeygen, Chain: "bitcoin", Count: 1, Expires: c.w.now().Add(20 * time.Second)}}
	payload, err := json.Marshal(j.job)
	if err != nil {
		panic(err)
	}
	j.signed = protocol.SignJob(c.w.gateways[0].key, c.w.manifest.Fleet, j.job.Kind, c.name, payload)
	c.expect(j)
	c.w.jobs.push(j.signed)
}

// reuse takes the id of an earlier job for another.
func (c *client) reuse() {
	first := c.jobs[c.w.rng.IntN(len(c.jobs))]
	first.must = false // whichever comes first is the job of this id
	j := c.watch(protocol.Job{ID: first.job.ID, Kind: protocol.KindKeygen, Chain: "solana", Count: 1, Expires: c.w.now().Add(25 * time.Second)}, nil)
	j.honest = true
	c.w.jobs.push(j.signed)
}

// malformed publishes jobs that are wrong in one way each.
func (c *client) malformed() {
	w := c.w
	item := protocol.JobItem{Key: protocol.KeyID{Batch: "00000000000000000000000000000000"}.String(), Message: make([]byte, 32)}
	wrong := []protocol.Job{
		{Kind: protocol.KindKeygen, Chain: "dogecoin", Count: 1},
		{Kind: protocol.KindKeygen, Chain: "bitcoin"},
		{Kind: protocol.KindKeygen, Chain: "bitcoin", Count: protocol.MaxJobKeys + 1},
		{Kind: protocol.KindKeygen, Chain: "bitcoin", Count: 1, Expires: w.now().Add(-time.Minute)},
		{Kind: protocol.KindKeygen, Chain: "bitcoin", Count: 1, Expires: w.now().Add(24 * time.Hour)},
		{Kind: protocol.KindSign},
		{Kind: protocol.KindSign, Items: []protocol.JobItem{item}},
		{Kind: protocol.KindSign, Items: []protocol.JobItem{{Key: "key", Message: item.Message}}},
		{Kind: protocol.KindSign, Chain: "bitcoin", Items: []protocol.JobItem{item}},
		{Kind: protocol.KindKeygen, Chain: "bitcoin", Count: 1, ID: "not-a-uuid"},
	}
	for _, k := range c.keys {
		it := protocol.JobItem{Key: k.id.String(), Message: make([]byte, 32)}
		if k.suite == frost.Ed25519 {
			it.ScriptRoot = make([]byte, 32)
		} else {
			it.Message = it.Message[:31]
		}
		wrong = append(wrong, protocol.Job{Kind: protocol.KindSign, Items: []protocol.JobItem{it}})
	}
	c.dishonest(wrong[w.rng.IntN(len(wrong))])
	c.garbage()
}

// garbage is well signed bytes that are no job at all. Its answer has no id.
func (c *client) garbage() {
	payload := []byte(`{"job":` + string(rune(c.w.rng.IntN(128))) + `}`)
	j := &clientJob{c: c, job: protocol.Job{Kind: protocol.KindSign, Expires: c.w.now().Add(10 * time.Second)}}
	j.signed = protocol.SignJob(c.key, c.w.manifest.Fleet, j.job.Kind, c.name, payload)
	c.expect(j)
	c.w.jobs.push(j.signed)
}
