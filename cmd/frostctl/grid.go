package main

import (
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// column is one of a grid's.
type column struct {
	name string
	// least is how narrow it gets on a terminal that is too narrow for all of it: what is
	// longer is cut, and has an ellipsis there. 0: it is never cut.
	least int
	// middle cuts in the middle, as the end of an id tells it from others.
	middle bool
}

// grid is a table. On a terminal it fits the terminal's width, and the sentence that a row may
// have stands below it. Elsewhere nothing is cut, each row is one line, and the sentence is its
// last column: what reads it are other programs.
type grid struct {
	columns  []column
	sentence string // name of the column of sentences; empty: there is none
	rows     []gridRow
	headless bool // it goes on with one before
}

type gridRow struct {
	cells    []string
	sentence string
}

// add adds a row of one cell a column. What is in them may come from anybody.
func (g *grid) add(sentence string, cells ...string) {
	row := gridRow{make([]string, len(cells)), harmless(sentence)}
	for i, c := range cells {
		if row.cells[i] = harmless(c); row.cells[i] == "" {
			row.cells[i] = "-"
		}
	}
	g.rows = append(g.rows, row)
}

// harmless keeps what works a terminal off it: control characters, and those that turn the
// direction of text.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}

// gap stands between two columns.
const gap = 2

// write writes the grid for a terminal of that many cells, or with 0 for other programs.
func (g *grid) write(w io.Writer, width int) error {
	columns, head := g.columns, make([]string, 0, len(g.columns)+1)
	for _, c := range columns {
		head = append(head, c.name)
	}
	lines := [][]string{head}
	if width == 0 && g.sentence != "" {
		columns, lines[0] = append(columns[:len(columns):len(columns)], column{}), append(head, g.sentence)
	}
	for _, row := range g.rows {
		cells := row.cells
		if width == 0 && g.sentence != "" {
			cells = append(cells[:len(cells):len(cells)], row.sentence)
		}
		lines = append(lines, cells)
	}
	widths := fit(columns, lines, width)
	var out strings.Builder
	for i, cells := range lines {
		if i == 0 && g.headless {
			continue
		}
		writeRow(&out, columns, widths, cells)
		if i > 0 && width > 0 && g.rows[i-1].sentence != "" {
			writeSentence(&out, g.rows[i-1].sentence, width)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// fit says how wide each column is: as its widest cell, or less where all of them are wider
// than the terminal. Then the widest gives way first.
func fit(columns []column, lines [][]string, width int) []int {
	widths, sum := make([]int, len(columns)), gap*(len(columns)-1)
	for i := range columns {
		for _, cells := range lines {
			widths[i] = max(widths[i], uniseg.StringWidth(cells[i]))
		}
		sum += widths[i]
	}
	for ; width > 0 && sum > width; sum-- {
		widest := -1
		for i, c := range columns {
			if c.least > 0 && widths[i] > c.least && (widest < 0 || widths[i]-c.least > widths[widest]-columns[widest].least) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

func writeRow(out *strings.Builder, columns []column, widths []int, cells []string) {
	for i, cell := range cells {
		cell = cut(cell, widths[i], columns[i].middle)
		out.WriteString(cell)
		if i < len(cells)-1 && !blank(cells[i+1:]) {
			out.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+gap))
		}
	}
	out.WriteByte('\n')
}

// blank reports whether nothing follows, not even spaces.
func blank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return c != "" })
}

// cut shortens a text to so many cells.
func cut(text string, width int, middle bool) string {
	if uniseg.StringWidth(text) <= width {
		return text
	}
	room := width - 1
	if !middle {
		return head(text, room) + "…"
	}
	tail := room / 2
	return head(text, room-tail) + "…" + reversed(head(reversed(text), tail))
}

// head is the beginning of a text that fills at most so many cells.
func head(text string, width int) string {
	graphemes, end := uniseg.NewGraphemes(text), 0
	for graphemes.Next() {
		if width -= graphemes.Width(); width < 0 {
			break
		}
		_, end = graphemes.Positions()
	}
	return text[:end]
}

// reversed turns a text round, by grapheme clusters.
func reversed(text string) string { return uniseg.ReverseString(text) }

// writeSentence writes a sentence below its row, wrapped at spaces.
func writeSentence(out *strings.Builder, text string, width int) {
	const indent = "  "
	line := ""
	flush := func() {
		if line != "" {
			out.WriteString(indent + line + "\n")
		}
		line = ""
	}
	room := max(width-len(indent), 1)
	for _, word := range strings.Fields(text) {
		if line != "" && uniseg.StringWidth(line)+1+uniseg.StringWidth(word) > room {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
		for uniseg.StringWidth(line) > room { // a word that is longer than a line
			part := head(line, room)
			if part == "" {
				break // a terminal of one cell, and a character of two
			}
			rest := line[len(part):]
			line = part
			flush()
			line = rest
		}
	}
	flush()
}

// terminalWidth is how many cells a line of a command's output has; 0: it is no terminal.
func terminalWidth(cmd *cobra.Command) int {
	f, ok := cmd.OutOrStdout().(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// gridPage is how many rows of a long list are laid out together: memory does not grow with it.
const gridPage = 1000

// flush prints the rows of a long list once there are enough of them.
func (g *grid) flush(cmd *cobra.Command) error {
	if len(g.rows) < gridPage {
		return nil
	}
	return g.end(cmd)
}

// end prints the rows that are left of a list, without a head if that is there already.
func (g *grid) end(cmd *cobra.Command) error {
	if len(g.rows) == 0 {
		return nil
	}
	err := g.print(cmd)
	g.rows, g.headless = nil, true
	return err
}

// print writes the grid to where the command's results go.
func (g *grid) print(cmd *cobra.Command) error { return g.write(cmd.OutOrStdout(), terminalWidth(cmd)) }

// instant is a time as tables have it.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
