package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Value is one series of an answer, at one time.
type Value struct {
	Labels map[string]string
	Value  float64
}

// Query evaluates an expression now. A scalar is a value without labels.
func (p *Prometheus) Query(ctx context.Context, expr string) ([]Value, error) {
	return p.QueryAt(ctx, expr, time.Now())
}

// QueryAt evaluates an expression as of a time.
func (p *Prometheus) QueryAt(ctx context.Context, expr string, at time.Time) ([]Value, error) {
	var answer struct {
		ResultType string
		Result     json.RawMessage
	}
	arguments := url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	if err := p.call(ctx, "/api/v1/query", arguments, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	if answer.ResultType == "scalar" {
		var s sample
		err := json.Unmarshal(answer.Result, &s)
		return []Value{{Value: s.value}}, err
	}
	var series []struct {
		Metric map[string]string
		Value  sample
	}
	if err := json.Unmarshal(answer.Result, &series); err != nil {
		return nil, fmt.Errorf("%s: a %s: %w", expr, answer.ResultType, err)
	}
	var values []Value
	for _, s := range series {
		values = append(values, Value{s.Metric, s.Value.value})
	}
	return values, nil
}

// sample is [time, "value"].
type sample struct{ value float64 }

func (s *sample) UnmarshalJSON(data []byte) error {
	var at float64
	var text string
	if err := json.Unmarshal(data, &[2]any{&at, &text}); err != nil {
		return err
	}
	var err error
	s.value, err = strconv.ParseFloat(text, 64)
	return err
}

// Rule is an alert or a recording rule, and how its last evaluation went.
type Rule struct {
	Name, Type, Query string
	Health            string // ok, err, or unknown before the first evaluation
	LastError         string
}

// Rules gives every rule that is loaded.
func (p *Prometheus) Rules(ctx context.Context) ([]Rule, error) {
	var answer struct{ Groups []struct{ Rules []Rule } }
	if err := p.call(ctx, "/api/v1/rules", nil, &answer); err != nil {
		return nil, err
	}
	var rules []Rule
	for _, group := range answer.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules, nil
}

// Alert is one that is pending or fires.
type Alert struct {
	Labels, Annotations map[string]string
	State               string
}

// Alerts gives the alerts that are pending or fire now.
func (p *Prometheus) Alerts(ctx context.Context) ([]Alert, error) {
	var answer struct{ Alerts []Alert }
	err := p.call(ctx, "/api/v1/alerts", nil, &answer)
	return answer.Alerts, err
}

// Firing gives the alerts that fire now.
func (p *Prometheus) Firing(ctx context.Context) ([]Alert, error) {
	alerts, err := p.Alerts(ctx)
	return slices.DeleteFunc(alerts, func(a Alert) bool { return a.State != "firing" }), err
}

// FiredSince names, sorted, the alerts that fired at any time since start.
func (p *Prometheus) FiredSince(ctx context.Context, start time.Time) ([]string, error) {
	ago := time.Since(start).Milliseconds()
	values, err := p.Query(ctx, fmt.Sprintf(`count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[%dms]))`, ago))
	var names []string
	for _, v := range values {
		names = append(names, v.Labels["alertname"])
	}
	slices.Sort(names)
	return names, err
}

func (p *Prometheus) call(ctx context.Context, path string, arguments url.Values, data any) error {
	body, err := p.get(ctx, path, arguments)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, &struct{ Data any }{data})
}

// get gives the body of an answer that is well.
func (p *Prometheus) get(ctx context.Context, path string, arguments url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path+"?"+arguments.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}
