package main

import (
	"io"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

// progress shows how far a request is, on standard error: a bar on a
// terminal, JSON lines otherwise or with --json.
type progress struct {
	w    io.Writer
	what string
	bar  *progressbar.ProgressBar // nil: JSON lines
}

// progressLine is one line of progress.
type progressLine struct {
	What  string `json:"progress"` // keys or signatures
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

func newProgress(cmd *cobra.Command, what string, total int) *progress {
	p := &progress{w: cmd.ErrOrStderr(), what: what}
	if isTerminal(p.w) && !wantJSON(cmd) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetRenderBlankState(true),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// update is a Progress callback. Progress that can't be shown is no reason to
// stop.
func (p *progress) update(done, total int) {
	if p.bar != nil {
		_ = p.bar.Set(done)
		return
	}
	_ = printJSON(p.w, progressLine{p.what, done, total})
}

// finish takes the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
