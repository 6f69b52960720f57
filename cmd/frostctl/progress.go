package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// progress shows how far a request is, on standard error: JSON lines with
// --json, otherwise a bar on a terminal and plain lines elsewhere.
type progress struct {
	w    io.Writer
	what string
	json bool
	bar  *progressbar.ProgressBar // nil: lines
}

// progressLine is one line of progress.
type progressLine struct {
	What  string `json:"progress"` // keys, signatures or addresses
	Done  int    `json:"done"`
	Total int    `json:"total,omitempty"`
	Job   string `json:"job,omitempty"` // the one that was done last
}

// unknownTotal is the total of what is counted without one.
const unknownTotal = -1

func newProgress(cmd *cobra.Command, what string, total int) *progress {
	p := &progress{w: cmd.ErrOrStderr(), what: what, json: wantJSON(cmd)}
	if isTerminal(p.w) && !p.json {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetRenderBlankState(true),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// update is a Progress callback. Progress that can't be shown is no reason to
// stop.
func (p *progress) update(done, total int) { p.updateJob(done, total, "") }

// updateJob also says which job was done last, except in a bar.
func (p *progress) updateJob(done, total int, job string) {
	switch {
	case p.bar != nil:
		_ = p.bar.Set(done)
	case p.json:
		_ = printJSON(p.w, progressLine{p.what, done, max(total, 0), job})
	case total == unknownTotal:
		fmt.Fprintf(p.w, "%d %s\n", done, p.what)
	case job != "":
		fmt.Fprintf(p.w, "%d of %d %s (job %s)\n", done, total, p.what, job)
	default:
		fmt.Fprintf(p.w, "%d of %d %s\n", done, total, p.what)
	}
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// slowProgress shows how far a command is that may be done at once: the first sign
// comes after a second, and then one each second.
type slowProgress struct {
	cmd   *cobra.Command
	what  string
	total int
	bar   *progress // nil: not yet
	next  time.Time
	quiet bool // results go to a terminal, where a bar between them would be in the way
}

func newSlowProgress(cmd *cobra.Command, what string, total int) *slowProgress {
	return &slowProgress{
		cmd: cmd, what: what, total: total, next: time.Now().Add(time.Second), quiet: isTerminal(cmd.OutOrStdout()),
	}
}

func (p *slowProgress) update(done int) {
	const often = 256 // so many for a look at the clock
	if p.quiet || done%often != 0 || time.Now().Before(p.next) {
		return
	}
	if p.bar == nil {
		p.bar = newProgress(p.cmd, p.what, p.total)
	}
	p.next = time.Now().Add(time.Second)
	p.bar.update(done, p.total)
}

func (p *slowProgress) finish() {
	if p.bar != nil {
		p.bar.finish()
	}
}
