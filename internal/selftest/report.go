package selftest

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/keyprovider"
)

// Status is how a step ended.
type Status string

// Statuses.
const (
	Passed  Status = "ok"
	Failed  Status = "failed"
	NotRun  Status = "not run" // a step that it needs failed
	Skipped Status = "skipped" // as was asked for
)

// Report is all that a test found.
type Report struct {
	OK       bool     `json:"ok"`
	Config   string   `json:"config"`
	Provider string   `json:"provider,omitempty"` // aws-kms, pkcs11, software
	Steps    []Step   `json:"steps"`
	Timings  []Timing `json:"timings,omitempty"`
}

// Step is what was found in one step.
type Step struct {
	Name   string             `json:"name"`
	OK     bool               `json:"ok"` // passed or skipped
	Status Status             `json:"status"`
	TookMS float64            `json:"took_ms"`
	Detail string             `json:"detail,omitempty"`
	Facts  []keyprovider.Fact `json:"facts,omitempty"`
	Error  string             `json:"error,omitempty"`
	Reason keyprovider.Reason `json:"reason,omitempty"`
	Remedy string             `json:"remedy,omitempty"`
}

// Timing is how long the timed calls of one kind took, in milliseconds.
type Timing struct {
	Operation string  `json:"operation"` // sign or derive
	Calls     int     `json:"calls"`
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
}

func (s *Step) fail(err error) {
	s.Status, s.Error = Failed, err.Error()
	if reason := keyprovider.ReasonOf(err); reason != keyprovider.Other {
		s.Reason = reason
	}
	if device, ok := errors.AsType[*keyprovider.Error](err); ok {
		s.Remedy = keyprovider.RemedyOf(err)
		short := *device // without the remedy, which has a line of its own
		short.Remedy = ""
		s.Error = strings.Replace(s.Error, device.Error(), short.Error(), 1)
	}
}

// Print writes a step for people, with what failed and its remedy on lines
// of their own.
func (s Step) Print(w io.Writer) error {
	status := string(s.Status)
	if s.Status == Failed {
		status = "FAILED"
	}
	took := ""
	if s.Status == Passed || s.Status == Failed {
		took = fmt.Sprintf("%.1f ms", s.TookMS)
	}
	line := strings.TrimRight(fmt.Sprintf("%-13s %-8s %10s  %s", s.Name, status, took, s.Detail), " ") + "\n"
	for _, f := range s.Facts {
		line += fmt.Sprintf("  %s: %s\n", f.Name, f.Value)
		if f.Warning != "" {
			line += fmt.Sprintf("  WARNING: %s\n", f.Warning)
		}
	}
	for _, part := range []struct{ name, text string }{{"", s.Error}, {"remedy: ", s.Remedy}} {
		if part.text != "" {
			line += "  " + part.name + strings.ReplaceAll(strings.TrimRight(part.text, "\n"), "\n", "\n  ") + "\n"
		}
	}
	_, err := io.WriteString(w, line)
	return err
}

// Failed lists the steps that failed.
func (r *Report) Failed() (names []string) {
	for _, s := range r.Steps {
		if s.Status == Failed {
			names = append(names, s.Name)
		}
	}
	return names
}

func newTiming(operation string, took []time.Duration) Timing {
	slices.Sort(took)
	return Timing{operation, len(took), milliseconds(quantile(took, 50)), milliseconds(quantile(took, 99))}
}

// quantile is the nearest rank: the smallest value that q percent don't
// exceed. Of 20 calls, the 99th percentile is the slowest.
func quantile(sorted []time.Duration, q int) time.Duration {
	rank := (q*len(sorted) + 99) / 100
	return sorted[max(rank, 1)-1]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
