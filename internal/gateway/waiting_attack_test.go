package gateway

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// copyWith publishes a job with approvals beside it.
func (c *council) copyWith(job wire.SignedJob, list ...wire.Approval) {
	c.Helper()
	job.Approvals = list
	if _, err := c.Bus.Publish(c.Context(), wire.JobSubject(wire.KindSign, job.Client), job.Payload, job.Headers()); err != nil {
		c.Fatal(err)
	}
}

// ends skips notices that a job waits.
func (c *council) ends(id string) *wire.Result {
	c.Helper()
	for {
		if r := c.Result(id); r.Status != wire.StatusPending {
			return r
		}
	}
}

func (c *council) idle() {
	c.Helper()
	eventually(c, "all is acknowledged", func() bool { return c.left() == 0 })
}

// TestJunkInCopies: whoever can publish a client's job again, with as much junk beside it as
// there is room for, also under the approvers' names, keeps no approver out.
func TestJunkInCopies(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.start()
	c.generate()
	job, id := c.message("hello", time.Hour)
	junk := func(round int) (list []wire.Approval) {
		at := time.Now().Add(time.Minute).Unix() + int64(round)
		for _, name := range []string{"anna", "ben", "carl"} {
			list = append(list, wire.Approval{Name: name, Time: at, Signature: make([]byte, ed25519.SignatureSize)})
		}
		for i := len(list); i < wire.MaxApprovals; i++ {
			list = append(list, wire.Approval{Name: fmt.Sprintf("a%d-%d", round, i), Time: at,
				Signature: make([]byte, ed25519.SignatureSize)})
		}
		return list
	}
	c.copyWith(job, junk(1)...)
	c.pending(id)
	c.idle()
	c.approve("anna", job, id, time.Now())
	c.idle()
	for round := range 3 {
		c.copyWith(job, junk(2+round)...)
		c.idle()
	}
	c.approve("ben", job, id, time.Now())
	if r := c.ends(id); r.Status != wire.StatusDone {
		t.Errorf("%s, %s: %s", r.Status, r.Code, r.Error)
	}
}

// TestCopyBringsTheLastApproval: what a copy brings counts with what stands in PENDING.
func TestCopyBringsTheLastApproval(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	c.start()
	c.generate()
	job, id := c.message("hello", time.Hour)
	c.Publish(job)
	c.pending(id)
	c.approve("ben", job, id, time.Now())
	c.idle()
	c.copyWith(job, wire.Approve(c.approvers["anna"], "anna", c.Manifest, job.Digest(c.Manifest), time.Now()))
	if r := c.ends(id); r.Status != wire.StatusDone {
		t.Errorf("%s, %s: %s", r.Status, r.Code, r.Error)
	}
}
