package sim

import (
	"encoding/json"
	"time"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
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
			foreign := wire.JobItem{Key: other.keys[0].id.String(), Message: make([]byte, 32)}
			child := foreign
			child.Path = new("0/17")
			c.dishonest(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{foreign}})
			c.dishonest(wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{child}})
		}
	}
	if w.elapsed < faultTime/2 {
		c.later(2*time.Second, 6*time.Second, c.mischief)
	}
}

// dishonest publishes a well signed job that must not succeed.
func (c *client) dishonest(job wire.Job) {
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
	j := &clientJob{
		c: c,
		job: wire.Job{
			ID:      c.w.uuid(),
			Kind:    wire.KindKeygen,
			Chain:   "bitcoin",
			Count:   1,
			Expires: c.w.now().Add(20 * time.Second),
		},
	}
	payload, err := json.Marshal(j.job)
	if err != nil {
		panic(err)
	}
	j.signed = wire.SignJob(c.w.gateways[0].key, c.w.manifest, j.job.Kind, c.name, payload)
	c.expect(j)
	c.w.jobs.push(j.signed)
}

// reuse takes the id of an earlier job for another.
func (c *client) reuse() {
	first := c.jobs[c.w.rng.IntN(len(c.jobs))]
	first.must = false // whichever comes first is the job of this id
	j := c.watch(
		wire.Job{
			ID:      first.job.ID,
			Kind:    wire.KindKeygen,
			Chain:   "solana",
			Count:   1,
			Expires: c.w.now().Add(25 * time.Second),
		},
		nil,
	)
	j.honest = true
	c.w.jobs.push(j.signed)
}

// malformed publishes jobs that are wrong in one way each.
func (c *client) malformed() {
	w := c.w
	item := wire.JobItem{Key: wire.KeyID{Batch: "00000000000000000000000000000000"}.String(), Message: make([]byte, 32)}
	wrong := []wire.Job{
		{Kind: wire.KindKeygen, Chain: "dogecoin", Count: 1},
		{Kind: wire.KindKeygen, Chain: "bitcoin"},
		{Kind: wire.KindKeygen, Chain: "bitcoin", Count: wire.MaxJobKeys + 1},
		{Kind: wire.KindKeygen, Chain: "bitcoin", Count: 1, Expires: w.now().Add(-time.Minute)},
		{Kind: wire.KindKeygen, Chain: "bitcoin", Count: 1, Expires: w.now().Add(24 * time.Hour)},
		{Kind: wire.KindSign},
		{Kind: wire.KindSign, Items: []wire.JobItem{item}},
		{Kind: wire.KindSign, Items: []wire.JobItem{{Key: "key", Message: item.Message}}},
		{Kind: wire.KindSign, Chain: "bitcoin", Items: []wire.JobItem{item}},
		{Kind: wire.KindKeygen, Chain: "bitcoin", Count: 1, ID: "not-a-uuid"},
	}
	for _, path := range []string{"", "0'", "m/0", "1/2/3/4/5/6/7/8/9", "2147483648"} {
		it := item
		if len(c.keys) > 0 {
			it.Key = c.keys[0].id.String()
		}
		it.Path = &path
		wrong = append(wrong, wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{it}})
	}
	for _, k := range c.keys {
		it := wire.JobItem{Key: k.id.String(), Message: make([]byte, 32)}
		if k.suite == frost.Ed25519 {
			it.ScriptRoot = make([]byte, 32)
		} else {
			it.Message = it.Message[:31]
		}
		wrong = append(wrong, wire.Job{Kind: wire.KindSign, Items: []wire.JobItem{it}})
	}
	c.dishonest(wrong[w.rng.IntN(len(wrong))])
	c.garbage()
}

// garbage is well signed bytes that are no job at all. Its answer has no id.
func (c *client) garbage() {
	payload := []byte(`{"job":` + string(rune(c.w.rng.IntN(128))) + `}`)
	j := &clientJob{c: c, job: wire.Job{Kind: wire.KindSign, Expires: c.w.now().Add(10 * time.Second)}}
	j.signed = wire.SignJob(c.key, c.w.manifest, j.job.Kind, c.name, payload)
	c.expect(j)
	c.w.jobs.push(j.signed)
}
