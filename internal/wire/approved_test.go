package wire

import (
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"testing"
	"time"
)

// However approvals are listed, each approver counts once, and by their own newest time.
func TestApproved(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2, 3)
	signed := f.waitingJob(func(j *Job) { j.ApproveUntil = f.now.Add(time.Hour) })
	job, refusal := signed.Parse(f.now)
	if refusal != nil {
		t.Fatal(refusal)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := signed.Digest(f.m)
	at := func(name string, ago time.Duration) Approval {
		return Approve(private, name, f.m, digest, f.now.Add(-ago))
	}
	list := []Approval{at("dora", time.Minute), at("zoe", 0), at("dora", 2*time.Minute)}
	keys := map[string]ed25519.PublicKey{"dora": public}
	names, over := job.Approved(list, keys, f.m, digest, f.now)
	if !slices.Equal(names, []string{"dora"}) || over.Unix() != f.now.Add(9*time.Minute).Unix() {
		t.Errorf("%v until %s", names, over)
	}
	if names, over = job.Approved(list, keys, f.m, digest, f.now.Add(10*time.Minute)); names != nil || !over.Equal(job.Over()) {
		t.Errorf("too old: %v until %s", names, over)
	}
	if names, _ = job.Approved(list, nil, f.m, digest, f.now); names != nil {
		t.Errorf("no approvers: %v", names)
	}
}
