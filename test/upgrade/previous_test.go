package upgrade

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/test/chaos"
	"github.com/frostfleet/frostfleet/test/chaos/history"
)

// TestHistoryThatIsNotThere: without the previous release's commit the test fails, and says
// what to do about it.
func TestHistoryThatIsNotThere(t *testing.T) {
	shallow := t.TempDir()
	if _, err := git(shallow, "init", "--quiet"); err != nil {
		t.Fatal(err)
	}
	if _, err := previousCommit(shallow); err == nil || !strings.Contains(err.Error(), releaseFile) {
		t.Errorf("without %s: %v", releaseFile, err)
	}
	commit := strings.Repeat("5a", 20)
	if err := os.WriteFile(filepath.Join(shallow, releaseFile), []byte(commit+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := previousCommit(shallow)
	for _, part := range []string{commit, "is not in this clone", "git fetch --unshallow", "whole history"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("does not say %q: %v", part, err)
		}
	}
}

// TestFailedJobs: a job that ends otherwise than well is told of.
func TestFailedJobs(t *testing.T) {
	begin := time.Now()
	job := func(o history.Outcome, acked time.Time, detail string) history.Job {
		return history.Job{ID: "x", Kind: history.Sign, Asked: begin, Acked: acked, Ended: begin, Outcome: o, Detail: detail}
	}
	for want, j := range map[string]history.Job{
		"":                              job(history.Done, begin, ""),
		`ended as "failed"`:             job(history.Failed, begin, "signing_failed"),
		`ended as "expired"`:            job(history.Expired, begin, ""),
		`ended as ""`:                   job(history.Open, begin, ""),
		`ended as "unproven"`:           job(history.Unproven, begin, ""),
		"was not taken: no such stream": job(history.Open, time.Time{}, "no such stream"),
	} {
		all := chaos.Failed([]history.Job{j})
		if (len(all) > 0) != (want != "") || want != "" && !strings.Contains(all[0], want) {
			t.Errorf("want %q, got %q", want, all)
		}
	}
}
