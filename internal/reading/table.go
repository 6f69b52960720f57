package reading

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// table is rows of a label and cells. A label that repeats is not repeated. Nothing that
// came from a stranger reaches the terminal as more than text.
type table struct {
	t     *tabwriter.Writer
	label string
}

func (t *table) row(label, format string, args ...any) {
	shown := label
	if label == t.label {
		shown = ""
	}
	if label != "" {
		t.label = label
	}
	cells := strings.Split(fmt.Sprintf(format, plainArgs(args)...), "\t")
	fmt.Fprintf(t.t, "  %s\t%s\n", shown, strings.Join(cells, "\t"))
}

// plainArgs makes texts harmless one by one, so that a tab in one is no cell.
func plainArgs(args []any) []any {
	args = slices.Clone(args)
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = Visible(s)
		}
	}
	return args
}

// Visible shows what does not print as what it is: control characters, and those that
// change the direction of a text or have no width, which would have a person read something
// else than what is signed.
func Visible(s string) string {
	var b strings.Builder
	for _, r := range s { // an invalid byte is U+FFFD here
		if r != utf8.RuneError && strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}
