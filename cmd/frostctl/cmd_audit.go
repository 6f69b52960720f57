package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/audit"
)

func newAuditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "audit", Short: "Read and check the audit logs of workers and gateways",
		Long: `Each worker and each gateway with an audit_path writes down who asked for what,
and what it decided, in a log whose records are a chain of hashes:
docs/audit.md. These commands read the files of such a log, of any size, and
need no fleet.`,
		Example: `  frostctl audit verify data0/audit`,
	}
	cmd.AddCommand(newAuditVerify(), newAuditShow(), newAuditHeads())
	return cmd
}

// auditVerify are the flags of audit verify.
type auditVerify struct {
	heads []string
	from  string // another log, which has heads of this one
	epoch int    // of a later manifest that its node is in as well; 0: of none
}

func newAuditVerify() *cobra.Command {
	var o auditVerify
	cmd := &cobra.Command{
		Use: "verify DIR|FILE... [--head SEQ:HASH]", Short: "Check that an audit log is what was written",
		Args: cobra.MinimumNArgs(1),
		Long: `Verify checks the chain of an audit log over all its files: a record that was
changed, dropped, put in or moved is named with its file and line, and the exit
code is 4. Name the folder of a log, and those of its archive.

That an end was cut shows by heads that others heard: --head, as audit heads
prints them, or --heads-from, the audit log of a gateway, which notes the heads
of all nodes each minute. Without one of them a log that was cut looks like one
that is shorter.`,
		Example: `  frostctl audit verify data0/audit
  frostctl audit verify archive/node0 data0/audit --head 1234:5f0c...
  frostctl audit verify data0/audit --heads-from gateway/audit --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.heads, "head", nil, "SEQ:HASH that was told of this log; may be repeated")
	f.StringVar(&o.from, "heads-from", "", "folder of a gateway's audit log, whose heads this one must have")
	f.IntVar(&o.epoch, "epoch", 0, "with --heads-from: also heads of the node of the manifest of this epoch, if it writes this log")
	return cmd
}

func (o *auditVerify) run(cmd *cobra.Command, paths []string) error {
	files, err := audit.Files(paths...)
	if err != nil {
		return err
	}
	var heads []audit.Head
	for _, text := range o.heads {
		head, err := audit.ParseHead(text)
		if err != nil {
			return usagef("--head %.100q: %w", text, err)
		}
		heads = append(heads, head)
	}
	if o.from != "" {
		heard, err := headsFrom(cmd, files[0], o.from, o.epoch)
		if err != nil {
			return fmt.Errorf("--heads-from: %w", err)
		}
		heads = append(heads, heard...)
	}
	p := newAuditProgress(cmd)
	sum, err := audit.Verify(cmd.Context(), files, audit.Options{Heads: heads, Progress: p.update})
	p.finish()
	if err == nil || isBroken(err) {
		err = errors.Join(toldAudit(cmd, sum, len(heads), err), unproven(err))
	}
	return err
}

// headsFrom are the heads of the log that a file is of, as another log has them.
func headsFrom(cmd *cobra.Command, of audit.File, path string, epoch int) (heads []audit.Head, err error) {
	by, err := audit.Name(of)
	if err != nil {
		return nil, unproven(err)
	}
	files, err := audit.Files(path)
	if err != nil {
		return nil, err
	}
	p := newAuditProgress(cmd)
	defer p.finish()
	_, err = audit.Verify(cmd.Context(), files, audit.Options{Progress: p.update, Each: func(_ audit.File, r *audit.Record) error {
		for _, seen := range r.Heads {
			if seen.By != by && (epoch == 0 || seen.By != fmt.Sprintf("%s of epoch %d", by, epoch)) {
				continue
			}
			head, err := audit.ParseHead(seen.Head)
			if err != nil {
				return err
			}
			if r.Event == audit.EventRewound {
				note(cmd, "its gateway saw the log of %s go back at %s: heads from before are not compared", by,
					r.Time.Format(time.RFC3339))
				heads = nil
			}
			if head != (audit.Head{}) {
				heads = append(heads, head)
			}
		}
		return nil
	}})
	if err == nil && len(heads) == 0 {
		err = fmt.Errorf("%s has no head of the log of %s", path, by)
	}
	return heads, unproven(err)
}

func isBroken(err error) bool { return is[*audit.Break](err) }

// unproven makes a log that is not what was written an error with an exit code of its own.
func unproven(err error) error {
	if isBroken(err) {
		return fmt.Errorf("%w: %w", errUnproven, err)
	}
	return err
}

// verifiedLine is what audit verify prints with --json.
type verifiedLine struct {
	OK bool `json:"ok"`
	*audit.Summary
	First  string       `json:"after,omitempty"` // head that the first file comes after
	Head   string       `json:"head"`
	Heads  int          `json:"heads_compared"`
	Broken *audit.Break `json:"broken,omitempty"`
}

func toldAudit(cmd *cobra.Command, sum *audit.Summary, heads int, err error) error {
	line := verifiedLine{OK: err == nil, Summary: sum, Head: sum.Last.String(), Heads: heads}
	errors.As(err, &line.Broken)
	if sum.First.Seq > 0 {
		line.First = sum.First.String()
	}
	return show(cmd, line, func(w io.Writer) error {
		good := "verified"
		if err != nil {
			good = "verified up to the break"
		}
		fmt.Fprintf(w, "%s: %d records of %s %s in %d files\n", good, sum.Records, sum.Role, plainText(sum.By), sum.Files)
		if line.First != "" {
			fmt.Fprintf(w, "after:    %s (in a file that was not named)\n", line.First)
		}
		fmt.Fprintf(w, "head:     %s\n", line.Head)
		for _, tear := range sum.Torn {
			fmt.Fprintf(w, "torn:     %s, line %d: %d bytes that a crash left; the next file says so\n", tear.File, tear.Line, tear.Bytes)
		}
		if u := sum.Unfinished; u != nil {
			fmt.Fprintf(w, "unfinished: %s, line %d: %d bytes: being written, or left by a crash\n", u.File, u.Line, u.Bytes)
		}
		if sum.Lost > 0 {
			fmt.Fprintf(w, "lost:     %d records for which there was no room; the log says where\n", sum.Lost)
		}
		if heads == 0 {
			fmt.Fprintln(w, "no head was compared: a cut end would not show (--head, --heads-from)")
		}
		return nil
	})
}

// plainText is a text without what works a terminal.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// auditShow are the flags of audit show.
type auditShow struct {
	clients, jobs, decisions, events, rules []string
	since                                   timeFlag
}

func newAuditShow() *cobra.Command {
	var o auditShow
	cmd := &cobra.Command{
		Use: "show DIR|FILE...", Short: "Print the records of an audit log", Args: cobra.MinimumNArgs(1),
		Long: `Show prints the records of an audit log, the oldest first, and checks the chain
on the way: what it prints is what was written. With --json each record is a
JSON object as it stands in the file, without its hash.`,
		Example: `  frostctl audit show data0/audit --since 24h
  frostctl audit show data0/audit --client treasury --decision denied --decision needs_approval
  frostctl audit show gateway/audit --job 0198c0de-7a10-7cc3-98c4-dc0c0c07398f --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, args) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.clients, "client", nil, "records of this client")
	f.StringArrayVar(&o.jobs, "job", nil, "records of this job")
	f.StringArrayVar(&o.decisions, "decision", nil, "records with this decision: "+names(audit.Decisions))
	f.StringArrayVar(&o.events, "event", nil, "records of this kind: "+names(audit.Events))
	f.StringArrayVar(&o.rules, "rule", nil, "records that this rule of the policy decided")
	f.Var(&o.since, "since", "records from then on: 2026-01-31, 2026-01-31T12:00:00Z, or 36h, which is so long ago")
	return cmd
}

func names[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, name := range all {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}

func (o *auditShow) run(cmd *cobra.Command, paths []string) error {
	for _, d := range o.decisions {
		if !slices.Contains(audit.Decisions, audit.Decision(d)) {
			return usagef("--decision %.40q: use %s", d, names(audit.Decisions))
		}
	}
	for _, e := range o.events {
		if !slices.Contains(audit.Events, audit.Event(e)) {
			return usagef("--event %.40q: use %s", e, names(audit.Events))
		}
	}
	files, err := audit.Files(paths...)
	if err != nil {
		return err
	}
	p := newAuditProgress(cmd)
	p.quiet = isTerminal(cmd.OutOrStdout())
	defer p.finish()
	_, err = audit.Verify(cmd.Context(), files, audit.Options{Progress: p.update, Each: func(_ audit.File, r *audit.Record) error {
		if r.Time.Before(time.Time(o.since)) || !o.wanted(r) {
			return nil
		}
		return show(cmd, r, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, auditLine(r))
			return err
		})
	}})
	return unproven(err)
}

func (o *auditShow) wanted(r *audit.Record) bool {
	for _, f := range []struct {
		want []string
		has  string
	}{
		{o.clients, r.Client}, {o.jobs, r.Job}, {o.decisions, string(r.Decision)}, {o.events, string(r.Event)}, {o.rules, r.Rule},
	} {
		if len(f.want) > 0 && !slices.Contains(f.want, f.has) {
			return false
		}
	}
	return true
}

// auditLine is a record for people.
func auditLine(r *audit.Record) string {
	var b strings.Builder
	what := string(r.Decision)
	if what == "" {
		what = string(r.Event)
	}
	fmt.Fprintf(&b, "%s  %s  %-8s", r.Time.Format("2006-01-02 15:04:05.000Z"), r.By, what)
	add := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format, args...) }
	if r.Client != "" || r.Job != "" {
		add("%s/%s", r.Client, r.Job)
	}
	if r.Kind != "" {
		add("%s", strings.TrimSpace(r.Kind+" "+r.Form))
	}
	if r.Count > 0 {
		add("%d of %s", r.Count, r.Suite)
	}
	if len(r.Nodes) > 0 {
		add("by nodes %s", strings.Trim(fmt.Sprint(r.Nodes), "[]"))
	}
	for _, a := range r.Outflow {
		add("out %d %s", a.Units, a.Asset)
	}
	if len(r.Approved) > 0 {
		add("approved by %s", strings.Join(r.Approved, ", "))
	}
	if r.Rule != "" {
		add("rule %s", r.Rule)
	}
	if r.Begin != nil {
		add("file %d of %s", r.Begin.File, r.Begin.Role)
		if t := r.Begin.Torn; t != nil {
			add("after a crash that left %d bytes", t.Bytes)
		}
	}
	for _, label := range [][2]string{{"build", r.Build}, {"policy", r.Policy}, {"session", r.Session}, {"digest", r.Digest}} {
		if label[1] != "" {
			add("%s %s", label[0], label[1])
		}
	}
	for _, seen := range r.Heads {
		add("%s at %s", seen.By, seen.Head)
	}
	if r.Lost > 0 {
		add("%d more, not listed", r.Lost)
	}
	if r.Code != "" || r.Reason != "" {
		add("%s", strings.Trim(r.Code+": "+r.Reason, ": "))
	}
	return plainText(b.String())
}

// auditProgress shows how far a command is with files that may be large: the first sign comes
// after a second, and then one each second.
type auditProgress struct {
	cmd   *cobra.Command
	bar   *progress
	next  time.Time
	quiet bool
}

func newAuditProgress(cmd *cobra.Command) *auditProgress {
	return &auditProgress{cmd: cmd, next: time.Now().Add(time.Second)}
}

func (p *auditProgress) update(done, total int64) {
	if p.quiet || time.Now().Before(p.next) {
		return
	}
	if p.bar == nil {
		p.bar = newProgress(p.cmd, "bytes of the audit log", int(total))
	}
	p.next = time.Now().Add(time.Second)
	p.bar.update(int(done), int(total))
}

func (p *auditProgress) finish() {
	if p.bar != nil {
		p.bar.finish()
	}
}
