package wire

import "testing"

// Approvals that were taken back prove a manifest for whoever kept them: two of a 3-of-5 fleet's
// honest nodes change their minds, two others are malicious, and both manifests have enough.
func TestApprovalsThatWereTakenBack(t *testing.T) {
	f := newFleet(t, 3, 5)
	before, after := f.next(3, 5), f.next(3, 5)
	kept, said := f.succession(before.m, false, 0, 1, 3, 4), f.succession(after.m, false, 0, 1, 2, 3)
	l, err := NewLineage(f.m).WithSuccession(said)
	if err != nil {
		t.Fatal(err)
	}
	if shown, err := NewLineage(f.m).WithSuccession(kept); err != nil || shown.Newest().Hash() != before.m.Hash() {
		t.Errorf("who is shown the one that was taken back: %v", err)
	}
	if both, err := l.WithSuccession(kept); err != nil || both.Fork() == nil {
		t.Errorf("who is shown both: %v", err)
	}
}
