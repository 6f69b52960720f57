package benchreport

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// value as a person reads it.
func (f Figure) value() string {
	switch {
	case f.Error != "":
		return "not measured"
	case f.Text != "":
		return f.Text
	}
	return strconv.FormatFloat(f.Value, 'g', -1, 64)
}

// Print writes the table: the goal, what it amounts to on this machine, the ideal and the
// share of it.
func Print(w io.Writer, figures []Figure) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nname\tvalue\tunit\tgoal\there\t\tideal\tshare\t")
	for _, f := range Scale(figures) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t", f.Name, f.value(), f.Unit, f.Goal, f.GoalHere, f.Verdict())
		if f.FloorRatio != nil && f.Floor != nil {
			fmt.Fprintf(table, "%g\t%g\t", *f.Floor, *f.FloorRatio)
		} else {
			fmt.Fprint(table, "\t\t")
		}
		fmt.Fprintln(table)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, f := range figures {
		if f.Machine != nil && strings.HasPrefix(f.Name, machineRow) {
			fmt.Fprintf(w, "%s: %s\n", f.Name, f.Machine)
		}
	}
	return nil
}
