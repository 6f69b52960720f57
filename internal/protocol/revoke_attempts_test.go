package protocol

import (
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// onlyTask is the one task that the gateway wants published.
func (s *signCase) onlyTask() *wire.Task {
	s.t.Helper()
	if len(s.desk.tasks) != 1 {
		s.t.Fatalf("%d tasks wait, want one", len(s.desk.tasks))
	}
	return must(wire.DecodeTask(s.desk.tasks[0].Body, s.m))
}

// A revocation ends all attempts of a job that are open beside each other, and one
// comes in their place.
func TestRevocationEndsAllAttempts(t *testing.T) {
	s := newSignCase(t)
	first := s.attempt()
	s.desk.timeout(timerLate)
	s.drainTasks() // another beside it
	second := s.attempt()
	equal(t, "open", !first.closed && !second.closed && first != second, true)
	s.change(s.identityOf(1))
	if task := s.onlyTask(); task.Attempt != 2 || !slices.Contains(task.Exclude, 1) {
		t.Errorf("attempt %d excludes %v, node 1 is revoked", task.Attempt, task.Exclude)
	}
	equal(t, "first ended", first.closed, true)
	equal(t, "second ended", second.closed, true)
}

// A job that waits for its next attempt is not begun before its turn.
func TestRevocationWhileAJobWaits(t *testing.T) {
	s := newSignCase(t)
	s.desk.timeout(timerOver) // it pauses
	s.change(wire.Revoked{Nodes: []int{1}})
	equal(t, "tasks", len(s.desk.tasks), 0)
	s.desk.timeout(timerRetry)
	if task := s.onlyTask(); !slices.Contains(task.Exclude, 1) {
		t.Errorf("it excludes %v, node 1 is revoked", task.Exclude)
	}
	equal(t, "in flight", s.desk.signing.traffic.small.flying, 1)
}

// Who is revoked takes part in no attempt, also where the others do not suffice: that
// is no reason as being late is one.
func TestRevokedNodeIsNoSubstitute(t *testing.T) {
	s := newSignCase(t)
	s.change(wire.Revoked{Nodes: []int{0, 1}})
	if task := s.onlyTask(); len(task.Exclude) != 2 {
		t.Fatalf("it excludes %v, nodes 0 and 1 are revoked", task.Exclude)
	}
	s.drainTasks()
	s.desk.timeout(timerLate) // nobody committed: everyone is asked
	if task := s.onlyTask(); !slices.Equal(task.Exclude, []uint8{0, 1}) {
		t.Errorf("it excludes %v, nodes 0 and 1 are revoked", task.Exclude)
	}
	s.desk.tasks = nil
	s.change(wire.Revoked{Nodes: []int{0, 1, 2}})
	equal(t, "code", s.desk.result().Code, wire.CodeSigningFailed)
}

// An attempt that has all its shares needs nobody any more, and is answered.
func TestRevocationAfterTheLastShare(t *testing.T) {
	s := newSignCase(t)
	s.desk.hold = true
	for _, node := range s.members() {
		s.let(node, wire.SlotShare)
	}
	equal(t, "shares are being summed", s.attempt().aggregating, true)
	s.change(wire.Revoked{Nodes: []int{0, 1}})
	equal(t, "tasks", len(s.desk.tasks), 0)
	s.desk.hold = false
	for _, c := range s.desk.held {
		s.desk.do(c.Run())
	}
	s.done(1)
}
