package protocol

import (
	"bytes"
	"encoding/json"
	"github.com/frostfleet/frostfleet/internal/wire"
	"strconv"
	"strings"
)

// How a job comes in, and the ways in which it ends.

// onJob admits a job: who asks, what was answered before, and what is asked.
func (c *Coordinator) onJob(e JobArrived) []Effect {
	if err := e.Job.Authenticate(c.Manifest, c.Access); err != nil {
		return []Effect{c.reject(e, err)}
	}
	id := wire.PeekJobID(e.Job.Payload)
	if id == "" {
		return []Effect{c.reject(e, wire.Refuse(wire.CodeMalformedJob, "payload has no job id (a UUID in lower case)"))}
	}
	digest := e.Job.Digest(c.Manifest)
	if e.Existing != nil {
		return c.onExisting(e, id)
	}
	if r := c.jobs[jobKey(e.Job.Client, id)]; r != nil {
		if r.digest != digest {
			return []Effect{c.reject(e, wire.Refuse(wire.CodeJobIDReused, "job %s is in work with other content: take a new id", id))}
		}
		old := r.token
		r.token = e.Token
		return []Effect{Supersede{Old: old, New: e.Token}}
	}
	job, err := e.Job.Parse(e.Stored)
	if err != nil {
		return []Effect{c.fail(e.Token, e.Job, id, err)}
	}
	r := &run{token: e.Token, signed: e.Job, digest: digest, stored: e.Stored, job: job}
	if job.Kind == wire.KindKeygen {
		c.jobs[r.key()] = r
		return c.startKeygen(r)
	}
	return c.startSign(r)
}

// onExisting answers a job whose id has a stored result: the same job gets it
// again, another one is turned away.
func (c *Coordinator) onExisting(e JobArrived, id string) []Effect {
	digest := e.Job.Digest(c.Manifest)
	var stored wire.Result
	if json.Unmarshal(e.Existing, &stored) == nil && bytes.Equal(stored.Digest, digest[:]) {
		return []Effect{Replay{Token: e.Token, Client: e.Job.Client, Job: id}}
	}
	return []Effect{c.reject(e, wire.Refuse(wire.CodeJobIDReused, "job %s was another job before: take a new id", id))}
}

// onPoison gives up a job that came too often.
func (c *Coordinator) onPoison(e JobPoisoned) []Effect {
	err := wire.Refuse(wire.CodePoison, "given up at delivery %d: no gateway finished it", e.Deliveries)
	id := wire.PeekJobID(e.Job.Payload)
	if id == "" || e.Job.Authenticate(c.Manifest, c.Access) != nil {
		return []Effect{c.reject(JobArrived{Token: e.Token, Job: e.Job}, err)}
	}
	if e.Existing != nil {
		return c.onExisting(JobArrived{Token: e.Token, Job: e.Job, Existing: e.Existing}, id)
	}
	if r := c.jobs[jobKey(e.Job.Client, id)]; r != nil && r.digest == e.Job.Digest(c.Manifest) {
		old := r.token
		r.token = e.Token
		return append([]Effect{Supersede{Old: old, New: e.Token}}, c.endFailed(r, err)...)
	}
	return []Effect{c.fail(e.Token, e.Job, id, err)}
}

func (c *Coordinator) result(job wire.SignedJob, id string, err *wire.JobError) *wire.Result {
	digest, mh := job.Digest(c.Manifest), c.Manifest.Hash()
	r := &wire.Result{
		Job: id, Client: job.Client, Kind: job.Kind, Digest: digest[:], Status: wire.StatusDone,
		Fleet: c.Manifest.Fleet, Network: c.Manifest.Network, Manifest: mh[:],
	}
	if err != nil {
		r.Status, r.Code, r.Error = wire.StatusFailed, err.Code, err.Reason
	}
	return r
}

// reject turns a job away. The answer repeats the job's signature, so that
// nobody can pass it off as the answer to somebody else's job of that id.
func (c *Coordinator) reject(e JobArrived, err *wire.JobError) Effect {
	r := c.result(e.Job, wire.PeekJobID(e.Job.Payload), err)
	r.Rejected = e.Job.Signature
	return Reject{Token: e.Token, Job: e.Job, Result: r}
}

func (c *Coordinator) fail(token uint64, job wire.SignedJob, id string, err *wire.JobError) Effect {
	return Finish{Token: token, Job: job, Result: c.result(job, id, err)}
}

// end gives up or completes a job in work.
func (c *Coordinator) end(r *run, result *wire.Result) []Effect {
	return append([]Effect{Finish{Token: r.token, Job: r.signed, Result: result}}, c.drop(r)...)
}

// drop forgets a job in work, and gives its places to others.
func (c *Coordinator) drop(r *run) []Effect {
	delete(c.jobs, r.key())
	for _, p := range r.parts {
		c.release(p)
	}
	if r.sign == nil {
		return c.schedule()
	}
	for _, id := range r.sign.sessions {
		delete(c.attempts, id)
	}
	if r.sign.placed {
		r.sign.placed = false
		c.signing--
		if c.busy[r.signed.Client]--; c.busy[r.signed.Client] == 0 {
			delete(c.busy, r.signed.Client)
		}
	}
	return c.scheduleBulk()
}

// endFailed gives up a job in work.
func (c *Coordinator) endFailed(r *run, err *wire.JobError) []Effect {
	return c.end(r, c.result(r.signed, r.job.ID, err))
}

// why explains what an expired job was waiting for.
func (c *Coordinator) why(r *run) *wire.JobError {
	if r.sign != nil {
		return wire.Refuse(wire.CodeSigningFailed, "expired before %d of %d signatures were made: %s", len(r.sign.left), len(r.job.Items), r.sign.trouble())
	}
	for _, p := range r.parts {
		if p.keys != nil {
			continue
		}
		b := c.batches[p.id]
		switch {
		case b == nil || len(b.missing(wire.SlotDeal)) == c.Manifest.N:
			return wire.Refuse(wire.CodeKeygenFailed, "expired before any node dealt part %d", p.index)
		case !b.allDeals():
			return wire.Refuse(wire.CodeKeygenFailed, "expired waiting for the deal of %s", nodeList(b.missing(wire.SlotDeal)))
		}
		if absent := b.missing(wire.SlotCert); absent != nil {
			return wire.Refuse(wire.CodeKeygenFailed, "expired waiting for the certificate of %s", nodeList(absent))
		}
		return wire.Refuse(wire.CodeKeygenFailed, "expired: the certificates of part %d do not agree with each other", p.index)
	}
	return wire.Refuse(wire.CodeKeygenFailed, "expired")
}

// nodeList names nodes for a sentence.
func nodeList(nodes []int) string {
	words := make([]string, len(nodes))
	for i, n := range nodes {
		words[i] = strconv.Itoa(n)
	}
	return "node " + strings.Join(words, ", ")
}
