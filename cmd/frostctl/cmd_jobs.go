package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/httpclient"
	"github.com/frostfleet/frostfleet/internal/wire"
)

func newJobsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jobs [JOB...]",
		Short: "Show how this client's jobs ended; list and watch them",
		Long: `Jobs shows stored results (kept for 24 hours) and dead letters (30 days) of this
client: when, status, code and the sentence that explains it. Jobs that are
still in work are not listed.

A client may read its results one by one, by the id of the job. Listing them
all, and dead letters, takes an account that may read the streams RESULTS and
DEADLETTER, such as the administrator's. Over HTTP, jobs list shows them all,
and jobs watch those in work.`,
		Example: `  frostctl jobs
  frostctl jobs 0198c0de-7a10-7cc3-98c4-dc0c0c07398f
  frostctl jobs --json | jq 'select(.status == "failed")'`,
		Args: cobra.ArbitraryArgs,
		RunE: jobs,
	}
	addConfigFlag(cmd)
	cmd.AddCommand(newJobsListCommand(), newJobsWatchCommand(), newJobsResultCommand(), newJobsPublishCommand(),
		newJobsPendingCommand())
	return cmd
}

// jobLine is what is known of one job.
type jobLine struct {
	Job     string      `json:"job"`
	Kind    wire.Kind   `json:"kind"`
	Time    time.Time   `json:"time"`
	Status  wire.Status `json:"status"` // done, partial, denied, failed, pending; accepted; or unverified: no gateway's
	Code    wire.Code   `json:"code,omitempty"`
	Error   string      `json:"error,omitempty"`
	Amount  int         `json:"amount,omitempty"`  // keys or signatures
	Gateway string      `json:"gateway,omitempty"` // whose signature over the result verified
	Letter  bool        `json:"dead_letter,omitempty"`

	// What a gateway's directory has besides.
	Client   string            `json:"client,omitempty"`
	Chain    string            `json:"chain,omitempty"`
	Count    int               `json:"count,omitempty"` // keys or signatures that it asks for
	Created  time.Time         `json:"created,omitzero"`
	Ended    time.Time         `json:"ended,omitzero"`
	Label    string            `json:"label,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// jobLineOf is a job as a gateway says it. Its time is that of its end, if it has ended.
func jobLineOf(j httpclient.Job) jobLine {
	l := jobLine{Job: j.ID, Kind: wire.Kind(j.Kind), Time: j.Created, Status: wire.Status(j.Status),
		Code:  wire.Code(j.Code),
		Error: j.Error, Amount: j.Done, Gateway: j.Gateway, Client: j.Client, Chain: j.Chain, Count: j.Count,
		Created: j.Created, Ended: j.EndedAt, Label: j.Label, Metadata: j.Metadata}
	if !l.Ended.IsZero() {
		l.Time = l.Ended
	}
	return l
}

func jobs(cmd *cobra.Command, ids []string) error {
	if err := checkIDs(ids); err != nil {
		return err
	}
	lines, err := busJobs(cmd, ids)
	return errors.Join(err, printJobs(cmd, lines))
}

// printJobs prints jobs, a line each.
func printJobs(cmd *cobra.Command, lines []jobLine) (err error) {
	if !wantJSON(cmd) {
		if len(lines) == 0 {
			return nil
		}
		return jobGrid(lines).print(cmd)
	}
	for _, l := range lines {
		err = errors.Join(err, printJSON(cmd.OutOrStdout(), l))
	}
	return err
}

// busJobs reads jobs from the streams: those with these ids, or all.
func busJobs(cmd *cobra.Command, ids []string) (lines []jobLine, err error) {
	r, err := newJobReader(cmd)
	if err != nil {
		return nil, err
	}
	cfg := r.cfg
	o := bus.Options{Fleet: cfg.Manifest.Fleet, Name: "frostctl jobs of " + cfg.Name, URL: cfg.URL}
	o.Credentials, o.TLSCA, o.TLSCert, o.TLSKey = cfg.Credentials, cfg.TLSCA, cfg.TLSCert, cfg.TLSKey
	err = withBus(cmd, o, dialTimeout, 30*time.Second, func(ctx context.Context, b *bus.Bus) (err error) {
		if r.bus = b; len(ids) > 0 {
			lines, err = r.byID(ctx, ids)
		} else {
			lines, err = r.list(ctx)
		}
		return err
	})
	if err == nil && len(lines) == 0 {
		note(cmd, "client %s has no stored results and no dead letters", cfg.Name)
	}
	return lines, err
}

// jobReader reads results and dead letters.
type jobReader struct {
	cfg      client.Config
	manifest *wire.Manifest
	access   *wire.Access
	bus      *bus.Bus
}

// newJobReader makes one of what the client's file names. It has no bus yet.
func newJobReader(cmd *cobra.Command) (r *jobReader, err error) {
	r = &jobReader{}
	if r.cfg, err = loadConfig(cmd); err != nil {
		return nil, err
	}
	if r.manifest, err = loadManifest(cmd); err != nil {
		return nil, err
	}
	if r.access, err = wire.NewAccess(nil, r.cfg.Gateways); err == nil {
		r.access, err = r.access.WithSecondKeys(nil, r.cfg.SecondKeys)
	}
	return r, err
}

// errListing explains what a client can do instead.
var errListing = errors.New("this account may not list results and dead letters: " +
	"name the jobs (frostctl jobs JOB), or ask an administrator")

func (r *jobReader) list(ctx context.Context) ([]jobLine, error) {
	results, err := r.bus.Slots(ctx, bus.Results, "res."+r.cfg.Name+".*")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errListing, err)
	}
	letters, err := r.bus.Slots(ctx, bus.DeadLetter, "dead.*."+r.cfg.Name+".*")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errListing, err)
	}
	var lines []jobLine
	failed := map[string]bool{} // a job that failed has a dead letter as well
	for _, m := range results {
		line := r.result(m)
		lines = append(lines, line)
		failed[line.Job] = line.Status == wire.StatusFailed
	}
	for _, m := range letters {
		if line := letter(m); !failed[line.Job] {
			lines = append(lines, line)
		}
	}
	slices.SortStableFunc(lines, func(a, b jobLine) int { return a.Time.Compare(b.Time) })
	return lines, nil
}

func checkIDs(ids []string) error {
	for _, id := range ids {
		if !wire.IsJobID(id) {
			return usagef("%.64q is not the id of a job, which is a UUID", id)
		}
	}
	return nil
}

func (r *jobReader) byID(ctx context.Context, ids []string) (lines []jobLine, err error) {
	for _, id := range ids {
		m, ok, err := r.bus.Last(ctx, bus.Results, wire.StoredResultSubject(r.cfg.Name, id))
		if err != nil {
			return lines, fmt.Errorf("job %s: %w", id, err)
		}
		if waits, err := r.waits(ctx, id); !ok && err == nil && waits != nil {
			lines = append(lines, *waits)
			continue
		}
		if !ok {
			return lines, fmt.Errorf("job %s has no stored result: it is in progress, was turned away, "+
				"ended more than 24 hours ago, or is not of client %s", id, r.cfg.Name)
		}
		lines = append(lines, r.result(m))
	}
	return lines, nil
}

// result reads a stored result. What does not carry a gateway's signature is
// shown as such.
func (r *jobReader) result(m bus.Message) jobLine {
	ref, err := wire.ParseResult(m.Subject)
	line := jobLine{Job: ref.Job, Time: m.Time.UTC()}
	gateway := strings.Join(m.Header[wire.HeaderGateway], "")
	raw, errHex := hex.DecodeString(strings.Join(m.Header[wire.HeaderSignature], ""))
	var res wire.Result
	err = errors.Join(err, errHex,
		r.access.VerifyResult(r.manifest, gateway, r.cfg.Name, ref.Job, m.Data, raw),
		json.Unmarshal(m.Data, &res))
	if err != nil {
		line.Status, line.Error = "unverified", command.Sentence(err)
		return line
	}
	line.Kind, line.Status, line.Code, line.Error = res.Kind, res.Status, res.Code, res.Error
	line.Amount, line.Gateway = res.Amount(), gateway
	return line
}

// letter reads a dead letter. Dead letters are not signed: they inform, and
// nothing is decided by them.
func letter(m bus.Message) jobLine {
	line := jobLine{Time: m.Time.UTC(), Status: wire.StatusFailed, Letter: true}
	if ref, err := wire.ParseDead(m.Subject); err == nil {
		line.Kind = ref.Kind
	}
	var d wire.DeadLetter
	if err := json.Unmarshal(m.Data, &d); err != nil {
		line.Error = "unreadable: " + command.Sentence(err)
		return line
	}
	line.Job, line.Code, line.Error = cmp.Or(d.Job, "-"), d.Code, d.Error
	return line
}

// jobColumns are those of every table of jobs.
var jobColumns = []column{
	{name: "TIME"}, {name: "JOB", least: 13, middle: true}, {name: "KIND"}, {name: "STATUS"}, {name: "AMOUNT"},
	{name: "CODE", least: 10},
}

func jobGrid(lines []jobLine) *grid {
	g := &grid{columns: jobColumns, sentence: "REASON"}
	for _, l := range lines {
		addJobRow(g, l)
	}
	return g
}

func addJobRow(g *grid, l jobLine) {
	g.add(l.Error, instant(l.Time), l.Job, string(l.Kind), string(l.Status), strconv.Itoa(l.Amount), string(l.Code))
}

// printable keeps control characters of untrusted text off the terminal.
func printable(s string) string {
	return string(slices.DeleteFunc([]rune(s), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }))
}
