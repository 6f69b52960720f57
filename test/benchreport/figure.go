package benchreport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/frostfleet/frostfleet/test/fitness"
)

// A Figure is one thing that was measured.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // null if Error says why there is none
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal"` // as in ">= 0.9"; empty: it is only reported
	// FloorRatio is how near a figure is to the ideal of the same run, of which it is a
	// share: 1 would be all that processors can do (test/ideal).
	FloorRatio *float64 `json:"floor_ratio"`
	// Floor is that ideal, in Unit.
	Floor *float64 `json:"floor,omitempty"`
	// Scaled says that the goal is one of speed, for a quiet machine whose
	// bytemare/dkg key takes QuietKey, and GoalHere is what it amounts to on this one.
	Scaled   bool   `json:"scaled,omitempty"`
	GoalHere string `json:"goal_here,omitempty"`
	// Machine is what the machine was like while this was measured.
	Machine *fitness.State `json:"machine,omitempty"`
	// Text is the value of what is no number.
	Text string `json:"-"`
	// Error says why it could not be measured.
	Error string `json:"error,omitempty"`
}

// plain is Figure without its methods.
type plain Figure

// MarshalJSON has a value that is a number, a text, or null.
func (f Figure) MarshalJSON() ([]byte, error) {
	out := struct {
		Name  string `json:"name"`
		Value any    `json:"value"`
		plain
	}{f.Name, f.Value, plain(f)}
	if f.Text != "" {
		out.Value = f.Text
	}
	if f.Error != "" {
		out.Value = nil
	}
	text := new(bytes.Buffer)
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false) // goals read >= 0.9
	err := enc.Encode(out)
	return text.Bytes(), err
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Figure) UnmarshalJSON(text []byte) error {
	in := struct {
		Value any `json:"value"`
		*plain
	}{plain: (*plain)(f)}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	switch v := in.Value.(type) {
	case float64:
		f.Value = v
	case string:
		f.Text = v
	case nil:
	default:
		return fmt.Errorf("the value of %s is %T", f.Name, v)
	}
	return nil
}

// What a figure's verdict may be, beside "UNFIT (why)".
const (
	Met       = "met"
	Missed    = "MISSED"
	NotJudged = "not judged" // the goal is relative to what was not measured
)

// unfit begins the verdict on a figure that missed its goal on an unfit machine.
const unfit = "UNFIT"

// Verdict says whether the goal was met, and is empty where there is none. What was missed
// while the machine was unfit is not missed. It panics if the goal does not read as a
// relation and a number.
func (f Figure) Verdict() string {
	goal := f.Goal
	if f.GoalHere != "" {
		goal = f.GoalHere
	}
	switch {
	case goal == "" || f.Error != "":
		return ""
	case strings.Contains(goal, "syncs"):
		return NotJudged
	case f.meets(goal):
		return Met
	case f.Machine != nil && f.Machine.Unfit != "":
		return fmt.Sprintf("%s (%s)", unfit, f.Machine.Unfit)
	}
	return Missed
}

func (f Figure) meets(goal string) bool {
	relation, bound := parseGoal(goal)
	switch relation {
	case ">=":
		return f.Value >= bound
	case "<=":
		return f.Value <= bound
	case "<":
		return f.Value < bound
	}
	panic("goal " + goal)
}

// parseGoal reads a relation and the number after it. It panics if there are none.
func parseGoal(goal string) (relation string, bound float64) {
	if _, err := fmt.Sscanf(goal, "%s %g", &relation, &bound); err != nil {
		panic("goal " + goal + ": " + err.Error())
	}
	return relation, bound
}
