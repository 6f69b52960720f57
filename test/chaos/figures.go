package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// Figure is one that the long form measures.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal"`

	reached bool
}

// goal is what a figure is to reach: at most, or at least.
type goal struct {
	name, unit string
	most       float64
	least      bool
}

func (g goal) String() string {
	if g.least {
		return fmt.Sprintf("at least %g", g.most)
	}
	return fmt.Sprintf("at most %g", g.most)
}

func (g goal) reached(v float64) bool {
	if g.least {
		return v >= g.most
	}
	return v <= g.most
}

// WriteTable prints the goals with what was measured.
func WriteTable(w io.Writer, all []Figure) error {
	measured := map[string]Figure{}
	for _, f := range all {
		measured[f.Name] = f
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\tgoal\t")
	for _, s := range scenarios {
		for _, g := range s.goals {
			f, ok := measured[g.name]
			switch {
			case !ok:
				fmt.Fprintf(t, "%s\tnot measured\t%s %s\t\n", g.name, g, g.unit)
			case f.reached:
				fmt.Fprintf(t, "%s\t%.2f\t%s %s\treached\n", g.name, f.Value, g, g.unit)
			default:
				fmt.Fprintf(t, "%s\t%.2f\t%s %s\tMISSED\n", g.name, f.Value, g, g.unit)
			}
		}
	}
	return t.Flush()
}

// WriteJSON replaces a file with the figures that were measured.
func WriteJSON(path string, all []Figure) error {
	if all == nil {
		all = []Figure{}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
