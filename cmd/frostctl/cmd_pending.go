package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/backoff"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/jobfile"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// pendingBus is how approvers reach the jobs that wait: without a file of their own.
type pendingBus struct {
	options bus.Options
	access  string
}

func (p *pendingBus) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.access, "access", "", "the fleet's access list (default: access.toml beside the manifest)")
	f.StringVar(&p.options.URL, "url", natsconn.DefaultURL, "NATS server")
	f.StringVar(&p.options.Credentials, "credentials", "", "credentials file (.creds or nkey seed)")
	f.StringVar(&p.options.TLSCA, "tls-ca", "", "PEM file of the server's CA")
	f.StringVar(&p.options.TLSCert, "tls-cert", "", "PEM file of the client certificate")
	f.StringVar(&p.options.TLSKey, "tls-key", "", "PEM file of its key")
}

// pendingJobs reads what waits, and believes it no further than its client's signature goes.
type pendingJobs struct {
	bus      *bus.Bus
	stated   *client.Manifest
	manifest *wire.Manifest
	access   *wire.Access
}

// open calls use with the fleet's jobs that wait.
func (p *pendingBus) open(cmd *cobra.Command, manifest string, use func(context.Context, *pendingJobs) error) error {
	jobs := &pendingJobs{}
	var err error
	if jobs.stated, err = statedManifest(cmd, manifest); err != nil {
		return err
	}
	path, err := statedManifestPath(cmd, manifest)
	if err != nil {
		return err
	}
	if jobs.manifest, err = config.LoadManifest(path); err != nil {
		return err
	}
	access := p.access
	if access == "" {
		access = filepath.Join(filepath.Dir(path), "access.toml")
	}
	if jobs.access, err = launch.LoadAccess(access); err != nil {
		return err
	}
	p.options.Fleet, p.options.Name = jobs.manifest.Fleet, "frostctl"
	return withBus(cmd, p.options, dialTimeout, pendingTime, func(ctx context.Context, b *bus.Bus) error {
		jobs.bus = b
		return use(ctx, jobs)
	})
}

// pendingTime bounds all of it, but for what a person reads.
const pendingTime = 10 * time.Minute

// pendingLine is one job, as it is printed.
type pendingLine struct {
	Client    string    `json:"client"`
	Job       string    `json:"job"`
	Kind      string    `json:"kind"` // of request
	Until     time.Time `json:"approve_until,omitzero"`
	After     int       `json:"expires_after,omitempty"` // seconds
	Approvals []string  `json:"approvals"`               // names: whose keys they are, policies know
	Verified  bool      `json:"verified"`                // a client of the access list signed it
	Error     string    `json:"error,omitempty"`
}

// get reads a job; nil if it does not wait.
func (p *pendingJobs) get(ctx context.Context, owner, id string) (*wire.SignedJob, *pendingLine, error) {
	m, found, err := p.bus.Last(ctx, bus.Pending, wire.PendingSubject(owner, id))
	if err != nil || !found {
		return nil, nil, err
	}
	signed := wire.ReadPending(owner, m.Data, m.Header).All()
	line := &pendingLine{Client: owner, Job: id,
		Approvals: each(signed.Approvals, func(a wire.Approval) string { return a.Name })}
	if line.Approvals == nil {
		line.Approvals = []string{}
	}
	if p.access != nil {
		if refusal := signed.Authenticate(p.manifest, p.access); refusal != nil {
			line.Error = refusal.Error()
			return &signed, line, nil
		}
		line.Verified = true
	}
	job, refusal := signed.Parse(m.Time)
	switch {
	case refusal != nil:
		line.Error, line.Verified = refusal.Error(), false
	case job.ID != id:
		line.Error, line.Verified = "it is another job than its subject says", false
	default:
		kind, _ := job.Request()
		line.Kind, line.Until, line.After = string(kind), job.ApproveUntil, job.ExpiresAfter
	}
	return &signed, line, nil
}

// list reads all jobs of a client, or of all: *.
func (p *pendingJobs) list(ctx context.Context, owner, id string) (lines []pendingLine, err error) {
	subjects, err := p.bus.Subjects(ctx, bus.Pending, wire.PendingSubject(owner, id))
	if err != nil {
		return nil, err
	}
	slices.Sort(subjects)
	for _, subject := range subjects {
		ref, err := wire.ParsePending(subject)
		if err != nil {
			continue
		}
		_, line, err := p.get(ctx, ref.Client, ref.Job)
		if err != nil {
			return lines, err
		}
		if line != nil {
			lines = append(lines, *line)
		}
	}
	return lines, nil
}

func newPendingCommand() *cobra.Command {
	var p pendingBus
	var manifest string
	cmd := &cobra.Command{
		Use:   "pending",
		Short: "List the jobs that wait for approvals (approver)",
		Long: `Pending lists the sign jobs that wait for approvals: whose they are, until when,
and who is said to have approved them. What a job means, frostctl approve --job
shows. A job that is not verified was signed by no client of the access list.`,
		Example: `  frostctl pending --manifest manifest.json --url tls://nats.example.com:4222 --credentials carol.nk
  frostctl pending --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.open(cmd, manifest, func(ctx context.Context, jobs *pendingJobs) error {
				lines, err := jobs.list(ctx, "*", "*")
				return errors.Join(err, printPending(cmd, lines))
			})
		},
	}
	addManifestFlag(cmd, &manifest)
	p.flags(cmd)
	addConfigFlag(cmd)
	return cmd
}

func printPending(cmd *cobra.Command, lines []pendingLine) error {
	if wantJSON(cmd) {
		var err error
		for _, l := range lines {
			err = errors.Join(err, printJSON(cmd.OutOrStdout(), l))
		}
		return err
	}
	if len(lines) == 0 {
		note(cmd, "no job waits for approvals")
		return nil
	}
	return pendingGrid(lines).print(cmd)
}

func pendingGrid(lines []pendingLine) *grid {
	g := &grid{sentence: "ERROR", columns: []column{
		{name: "CLIENT", least: 8}, {name: "JOB", least: 13, middle: true}, {name: "KIND", least: 11}, {name: "UNTIL"},
		{name: "APPROVED BY", least: 16},
	}}
	for _, l := range lines {
		g.add(l.Error, l.Client, l.Job, l.Kind, instant(l.Until), strings.Join(l.Approvals, ", "))
	}
	return g
}

// approvePending approves a job that waits in the fleet.
func approvePending(cmd *cobra.Command, o approveOptions) error {
	switch {
	case !wire.IsToken(o.name):
		return usagef("--approver %.64q: want a name of 1 to 64 letters, digits, _ and -", o.name)
	case !wire.IsJobID(o.job):
		return usagef("--job %.64q is not the id of a job, which is a UUID", o.job)
	case o.client != "" && !wire.IsToken(o.client):
		return usagef("--client %.64q is not the name of a client", o.client)
	}
	return o.bus.open(cmd, o.manifest, func(ctx context.Context, jobs *pendingJobs) error {
		owner, err := jobs.owner(ctx, o.client, o.job)
		if err != nil {
			return err
		}
		signed, line, err := jobs.get(ctx, owner, o.job)
		switch {
		case err != nil:
			return err
		case line == nil:
			return fmt.Errorf("job %s of client %s does not wait for approvals", o.job, owner)
		case !line.Verified:
			return fmt.Errorf("job %s of client %s: do not approve it: %s", o.job, owner, printable(line.Error))
		}
		f := signFile{&jobfile.File{Head: newSignHead(jobs.stated, owner), Payload: string(signed.Payload),
			Approvals: wire.NewestApprovals(signed.Approvals, wire.MaxApprovals)}}
		job, err := f.open(cmd, jobs.stated, o.keys)
		if err == nil {
			err = expired(job)
		}
		if err != nil {
			return fmt.Errorf("job %s: %w", o.job, err)
		}
		made, said, err := o.sign(cmd, f, jobs.stated, job)
		if err != nil {
			return err
		}
		if err := jobs.give(ctx, owner, o.job, wire.Approval(made)); err != nil {
			return err
		}
		return jobs.sayApproved(ctx, cmd, owner, made, said)
	})
}

// owner is the client whose job it is.
func (p *pendingJobs) owner(ctx context.Context, named, id string) (string, error) {
	if named != "" {
		return named, nil
	}
	subjects, err := p.bus.Subjects(ctx, bus.Pending, wire.PendingSubject("*", id))
	switch {
	case err != nil:
		return "", err
	case len(subjects) == 0:
		return "", fmt.Errorf("job %s does not wait for approvals", id)
	case len(subjects) > 1:
		return "", usagef("%d clients have a job %s that waits: name one with --client", len(subjects), id)
	}
	ref, err := wire.ParsePending(subjects[0])
	return ref.Client, err
}

func (p *pendingJobs) give(ctx context.Context, owner, id string, a wire.Approval) error {
	given := wire.Given{Version: wire.GivenVersion, Client: owner, Job: id, Approval: a}
	_, err := p.bus.Publish(ctx, wire.ApproveSubject(a.Name), wire.Encode(&given), nil)
	if errors.Is(err, bus.ErrDenied) {
		err = fmt.Errorf("this NATS account may not approve as %s: use its credentials: %w", a.Name, err)
	}
	return err
}

// takenTime is how long a gateway is given to take an approval.
const takenTime = 15 * time.Second

// sayApproved says what became of an approval that JetStream has.
func (p *pendingJobs) sayApproved(ctx context.Context, cmd *cobra.Command, owner string, made client.Approval,
	line approvedLine) error {
	ctx, cancel := context.WithTimeout(ctx, takenTime)
	defer cancel()
	for backoff.Sleep(ctx, 250*time.Millisecond) == nil {
		signed, _, err := p.get(ctx, owner, line.Job)
		if err != nil {
			break
		}
		if signed == nil {
			line.Waits = "no"
			return say(cmd, line, "job %s is approved by %s, and does not wait any more: it is signed, or has ended\n", line.Job,
				line.Approver)
		}
		if slices.ContainsFunc(signed.Approvals, func(a wire.Approval) bool { return a.Name == made.Name && a.Time == made.Time }) {
			line.Waits = "yes"
			line.Approvals = each(signed.Approvals, func(a wire.Approval) string { return a.Name })
			return say(cmd, line, "job %s is approved by %s\n", line.Job, reading.Visible(strings.Join(line.Approvals, ", ")))
		}
	}
	line.Waits = "unknown"
	return say(cmd, line, "job %s is approved by %s; no gateway has taken that yet\n", line.Job, line.Approver)
}
