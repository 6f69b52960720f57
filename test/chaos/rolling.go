package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/test/chaos/history"
)

// Rolling is a fleet whose programs are replaced one after the other, under load.
type Rolling struct {
	*Stand
	load *load
}

// Rolling starts the load.
func (s *Stand) Rolling() *Rolling {
	s.t.Helper()
	l := s.startLoad()
	s.Event("the load is on")
	return &Rolling{s, l}
}

// Programs are the names of the gateways and workers.
func (s *Stand) Programs() (gatewayNames, nodeNames []string) {
	return names(gatewayName, gateways), names(nodeName, nodes)
}

// Bin is the folder with the programs that are here.
func (s *Stand) Bin() string { return s.bin }

// Dir is the fleet's directory.
func (s *Stand) Dir() string { return s.dir }

// URL is of all NATS servers.
func (s *Stand) URL() string { return s.url() }

// Replace ends a program in order, and starts that of another folder in its place.
func (s *Stand) Replace(name, bin string) {
	s.t.Helper()
	p := s.proc(name)
	s.must(p.end())
	p.argv[0] = filepath.Join(bin, filepath.Base(p.argv[0]))
	s.must(p.start())
	s.await(name+" gets ready", func() error {
		ready, text := s.ready(name)
		if !ready {
			return fmt.Errorf("it says %s", text)
		}
		return nil
	})
	s.Event("%s is %s now", name, s.Version(name))
}

var versionLabel = regexp.MustCompile(`(?m)^frostfleet_info\{.*\bversion="([^"]*)"`)

// Version is the build of a program that runs, as it says itself.
func (s *Stand) Version(name string) string {
	s.t.Helper()
	var version string
	s.await("the version of "+name, func() error {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", s.httpPort(name)))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
		if err != nil {
			return err
		}
		found := versionLabel.FindSubmatch(text)
		if found == nil {
			return fmt.Errorf("no frostfleet_info in %d bytes of metrics", len(text))
		}
		version = string(found[1])
		return nil
	})
	return version
}

// Amounts of jobs that must be done before the next step: of the load's, in which the tenth
// sign job is a bulk job, and one that is stored apart for its size.
const (
	signsAStep = 10
	largeJob   = 600
)

// Passed waits until the fleet has done jobs of all kinds that were asked for from now on.
func (r *Rolling) Passed() {
	r.t.Helper()
	first := r.jobCount()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	_ = r.load.signWith(ctx, r.load.some(chains[first%2], largeJob), ctx) // how it ends is in the history
	var signed, made int
	r.await("jobs of all kinds", func() error {
		signed, made = r.done(first)
		if signed < signsAStep || made < 1 {
			return fmt.Errorf("%d signed, %d generated keys", signed, made)
		}
		return nil
	})
	r.Event("%d jobs signed and %d generated keys since then", signed, made)
}

// done counts the jobs that are done, from one on.
func (r *Rolling) done(first int) (signed, made int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.seen.Jobs[first:] {
		switch {
		case j.Outcome != history.Done:
		case j.Kind == history.Sign:
			signed++
		default:
			made++
		}
	}
	return signed, made
}

// Finish ends the load and checks all that chaos checks, and that no job failed, expired or
// was not taken: nothing was broken here.
func (r *Rolling) Finish() {
	r.t.Helper()
	r.finish(r.load)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range Failed(r.seen.Jobs) {
		r.t.Errorf("%s", v)
	}
}

// Failed says which jobs did not end well, beside those that were asked for as the load
// ended.
func Failed(jobs []history.Job) (all []string) {
	for _, j := range jobs {
		switch {
		case j.Acked.IsZero() && strings.Contains(j.Detail, context.Canceled.Error()): // as the load ended
		case j.Acked.IsZero():
			all = append(all, fmt.Sprintf("%s job %s was not taken: %s", j.Kind, j.ID, j.Detail))
		case !j.Acked.IsZero() && j.Outcome != history.Done:
			all = append(all, fmt.Sprintf("%s job %s ended as %q after %s: %s", j.Kind, j.ID, j.Outcome,
				j.Ended.Sub(j.Asked).Round(time.Millisecond), j.Detail))
		}
	}
	return all
}
