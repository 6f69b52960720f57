package httpapi

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/frostfleet/frostfleet/internal/recent"
)

var _ = resource((*Server).addStats)

func (s *Server) addStats() {
	if s.cfg.Recent == nil {
		return
	}
	register(s, operation{
		id: "getStats", method: http.MethodGet, path: "/v1/stats", tag: "Fleet", scopes: []Scope{Read},
		summary: "Show the last 15 minutes",
		text: "What charts need, of the jobs that this gateway finished, in steps of 5 seconds: jobs, keys and signatures, how " +
			"long they took, and why some failed. Each gateway has its own.",
	}, s.getStats)
}

// StatsView are the last 15 minutes of one gateway.
type StatsView struct {
	Step     int         `json:"step" minimum:"1" doc:"Length of a step, in seconds"`
	Until    time.Time   `json:"until" doc:"End of the last step"`
	Kinds    []KindStats `json:"kinds"`
	Failures []Failure   `json:"failures" doc:"Jobs that failed, by code, most first"`
	Denials  []Denial    `json:"denials" doc:"Jobs that policies denied, by rule, most first"`
}

// KindStats are the jobs of one kind, step by step, the oldest first.
type KindStats struct {
	Kind   string `json:"kind" enum:"keygen,sign"`
	Jobs   []int  `json:"jobs" doc:"That ended"`
	Items  []int  `json:"items" doc:"Keys or signatures that they made"`
	Median Times  `json:"median" doc:"Seconds, of those that went well; null where there were none"`
	P99    Times  `json:"p99" doc:"Seconds"`
}

// Times are seconds, or null.
type Times []*float64

// Schema implements huma.SchemaProvider.
func (Times) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeNumber, Nullable: true}}
	s.PrecomputeMessages()
	return s
}

// Failure is a code and how many jobs ended with it.
type Failure struct {
	Code  string `json:"code"`
	Count int    `json:"count" minimum:"1"`
}

// Denial is a rule of a policy and how many jobs it denied.
type Denial struct {
	Rule  string `json:"rule"`
	Count int    `json:"count" minimum:"1"`
}

// StatsOutput is the answer.
type StatsOutput struct{ Body StatsView }

func (s *Server) getStats(context.Context, *struct{}) (*StatsOutput, error) {
	look := s.cfg.Recent(s.cfg.Now())
	v := StatsView{Step: int(recent.Step / time.Second), Until: look.Until, Failures: []Failure{}, Denials: []Denial{}}
	for i, kind := range recent.Kinds {
		of := look.Kinds[i]
		v.Kinds = append(v.Kinds, KindStats{string(kind), of.Jobs, of.Items, numbers(of.Median), numbers(of.P99)})
	}
	for _, c := range look.Codes {
		v.Failures = append(v.Failures, Failure{c.Name, c.Count})
	}
	for _, c := range look.Rules {
		v.Denials = append(v.Denials, Denial{c.Name, c.Count})
	}
	return &StatsOutput{v}, nil
}

// numbers has null for what is no number.
func numbers(list []float64) Times {
	all := make(Times, len(list))
	for i, v := range list {
		if !math.IsNaN(v) {
			all[i] = &v
		}
	}
	return all
}
