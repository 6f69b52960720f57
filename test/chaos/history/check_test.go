package history_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/chaos/history"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

// good is a history in which nothing is wrong, although much went wrong.
func good() *history.History {
	return &history.History{
		Jobs: []history.Job{
			{ID: "a", Client: "c", Kind: history.Sign, Acked: at(1), Ended: at(2), Expires: at(1800),
				Outcome: history.Done, Answer: "A"},
			{ID: "b", Client: "c", Kind: history.Keygen, Acked: at(1), Ended: at(1801), Expires: at(1800),
				Outcome: history.Expired},
			{ID: "g", Client: "c", Kind: history.Keygen, Acked: at(1), Ended: at(3), Expires: at(1800),
				Outcome: history.Done, Answer: "G", Keys: []string{"k"}},
			{ID: "n", Client: "c", Kind: history.Sign}, // never acknowledged, so nothing is owed
		},
		Results: []history.Result{
			{Job: "a", Client: "c", Stream: "1", Seq: 7, Answer: "A"},
			{Job: "a", Client: "c", Stream: "1", Seq: 7, Answer: "A"}, // seen twice
			{Job: "b", Client: "c", Stream: "1", Seq: 8},
			{Job: "g", Client: "c", Stream: "1", Seq: 9, Answer: "G"},
		},
		Messages: []history.Message{
			{Node: 0, Session: "s", Points: "P"},
			{Node: 0, Session: "s", Set: "S", Shares: "X"},
			{Node: 0, Session: "s", Set: "S", Shares: "X"}, // published again
			{Node: 1, Session: "s", Points: "Q"},
			{Node: 1, Session: "s", Set: "S", Shares: "Y"},
		},
		Subsets: []history.Subset{{Key: "k", Without: 1}},
		Entries: []history.Entry{{ID: "e", Keys: []string{"k"}}, {ID: "f"}},
		Losses:  []history.Loss{{Stream: "JOBS", At: at(-50), Until: at(-40), Reported: at(-21)}},
		Spoken: []history.Utterance{
			{Node: 0, Voice: "old", At: at(4)}, {Node: 0, Voice: "old", At: at(11)}, {Node: 0, Voice: "new", At: at(11)},
			{Node: 0, Voice: "new", At: at(30)}, {Node: 1, Voice: "other", At: at(40)},
		},
		Handovers: []history.Handover{
			{Node: 0, Old: map[string]bool{"old": true}, Resumed: at(10), Within: 2 * time.Second},
		},
	}
}

// TestViolations shows the checker one wrong at a time. It must see each, and none in
// the history without it.
func TestViolations(t *testing.T) {
	if all := good().Violations(); len(all) > 0 {
		t.Fatalf("a good history: %q", all)
	}
	acked := func(h *history.History) *history.Job { return &h.Jobs[0] }
	for want, spoil := range map[string]func(h *history.History){
		"never answered": func(h *history.History) {
			acked(h).Outcome, acked(h).Ended = history.Open, time.Time{}
		},
		"acknowledged and failed":       func(h *history.History) { acked(h).Outcome = history.Failed },
		"expired before its time":       func(h *history.History) { acked(h).Outcome = history.Expired },
		"does not prove itself":         func(h *history.History) { acked(h).Outcome = history.Unproven },
		"has two results, at 7 and 9":   func(h *history.History) { h.Results = append(h.Results, result(9, "A")) },
		"has two results, at 7 and 7":   func(h *history.History) { h.Results = append(h.Results, result(7, "B")) },
		"no result is stored":           func(h *history.History) { h.Results = h.Results[2:] },
		"answered otherwise than store": func(h *history.History) { acked(h).Answer = "B" },
		"answered its commitment in session s twice": func(h *history.History) {
			h.Messages = append(h.Messages, history.Message{Node: 0, Session: "s", Set: "T", Shares: "Z"})
		},
		"node 1 answered its commitment": func(h *history.History) {
			h.Messages = append(h.Messages, history.Message{Node: 1, Session: "s", Set: "S", Shares: "Z"})
		},
		"the same nonces in sessions s and t": func(h *history.History) {
			h.Messages = append(h.Messages, history.Message{Node: 0, Session: "t", Points: "P"})
		},
		"does not sign without node 1": func(h *history.History) { h.Subsets[0].Err = "no answer" },
		"entry f of the register":      func(h *history.History) { h.Entries[1].Err = "a certificate is false" },
		"no entry of the register has": func(h *history.History) { h.Entries = h.Entries[1:] },
		"no program reported":          func(h *history.History) { h.Losses[0].Reported = time.Time{} },
		"was reported after 31s":       func(h *history.History) { h.Losses[0].Reported = at(-19) },
		"signed 3s after it went on": func(h *history.History) {
			h.Spoken = append(h.Spoken, history.Utterance{Node: 0, Voice: "old", At: at(13)})
		},
		"was never heard": func(h *history.History) {
			h.Spoken = slices.DeleteFunc(h.Spoken, func(u history.Utterance) bool { return u.Voice == "new" })
		},
		"a program crashed": func(h *history.History) { h.Crashes = []string{"panic"} },
	} {
		h := good()
		spoil(h)
		all := h.Violations()
		if len(all) != 1 || !strings.Contains(all[0], want) {
			t.Errorf("%s: found %q", want, all)
		}
	}
}

func result(seq uint64, answer string) history.Result {
	return history.Result{Job: "a", Client: "c", Stream: "1", Seq: seq, Answer: answer}
}

// TestLosses: only the jobs that a loss may have taken are excused, and only of what
// it takes.
func TestLosses(t *testing.T) {
	open := func(acked int) history.Job {
		return history.Job{ID: "x", Client: "c", Kind: history.Sign, Acked: at(acked), Expires: at(1800)}
	}
	done := func(acked, ended int) history.Job {
		j := open(acked)
		j.Outcome, j.Ended, j.Answer = history.Done, at(ended), "A"
		return j
	}
	for name, tt := range map[string]struct {
		stream string
		job    history.Job
		bad    bool
	}{
		"waited in JOBS":                      {"JOBS", open(99), false},
		"asked while JOBS was away":           {"JOBS", open(105), false},
		"asked after JOBS came back":          {"JOBS", open(111), true},
		"JOBS holds no results":               {"JOBS", done(90, 95), true},
		"its result was in RESULTS":           {"RESULTS", done(90, 95), false},
		"its result came after RESULTS did":   {"RESULTS", done(111, 112), true},
		"its answer went with RESULTS":        {"RESULTS", open(99), false},
		"asked after RESULTS came back, open": {"RESULTS", open(111), true},
	} {
		h := &history.History{
			Jobs:   []history.Job{tt.job},
			Losses: []history.Loss{{Stream: tt.stream, At: at(100), Until: at(110), Reported: at(101)}},
		}
		if owed := tt.bad && tt.job.Outcome == history.Open; h.Owed() > 0 != owed {
			t.Errorf("%s: %d jobs are owed, want some: %v", name, h.Owed(), owed)
		}
		if all := h.Violations(); len(all) > 0 != tt.bad {
			t.Errorf("%s: found %q, want a violation: %v", name, all, tt.bad)
		}
	}
}
