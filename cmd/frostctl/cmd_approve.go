package main

import (
	"bufio"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/reading"
	"github.com/frostfleet/frostfleet/internal/wire"
)

type approveOptions struct {
	name, key, keys, manifest, policy string
	yes                               bool
	job, client                       string // a job that waits in the fleet, in the place of a file
	bus                               pendingBus
}

func newApproveCommand() *cobra.Command {
	var o approveOptions
	cmd := &cobra.Command{
		Use:   "approve {FILE | --job ID}",
		Short: "Approve a sign job that is saved or waits in the fleet, after a look at what it means",
		Long: `Approve shows a job that sign --job saved: who is paid, what is change, what it
costs, and with --policy what a node with that policy would decide. After a
confirmation it signs the job's digest with the approver's key and appends that
to the file. The nodes' policies say whose approvals count, and how many.

For a file it needs no fleet and no network: the file of keys and the manifest,
which the approver should have from the fleet's operators and not with the job.

With --job it approves a job that its client published with --approve-within,
and that waits (frostctl pending lists them). It comes from NATS, and must carry
the signature of a client of the access list; the approval goes the same way.`,
		Example: `  frostctl approve payment.job --approver carol --approver-key carol.key
  frostctl approve payment.job --approver carol --approver-key carol.key --policy policy.toml --yes
  frostctl approve --job 0198c0de-7a10-7cc3-98c4-dc0c0c07398f --approver carol --approver-key carol.key`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (o.job != "") {
				return usagef("name the FILE of a saved job, or with --job ID one that waits in the fleet")
			}
			if o.job != "" {
				return approvePending(cmd, o)
			}
			return approve(cmd, o, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.name, "approver", "", "the approver's name, as in the nodes' policies")
	f.StringVar(&o.key, "approver-key", "", "file of the approver's Ed25519 key (frostctl fleet key FILE --approver NAME)")
	f.StringVar(&o.keys, "keys", defaultKeys, "the file of frostctl keygen that has the job's keys")
	f.StringVar(&o.policy, "policy", "", "a node's policy.toml, to show what it would decide")
	f.BoolVar(&o.yes, "yes", false, "ask nothing")
	f.StringVar(&o.job, "job", "", "id of a job that waits in the fleet")
	f.StringVar(&o.client, "client", "", "with --job: the client whose it is, if several have one of that id")
	addManifestFlag(cmd, &o.manifest)
	o.bus.flags(cmd)
	addConfigFlag(cmd)
	_ = cmd.MarkFlagRequired("approver") // fails only without such a flag
	_ = cmd.MarkFlagRequired("approver-key")
	return cmd
}

// approvedLine is the output with --json.
type approvedLine struct {
	Job       string        `json:"job"`
	Approver  string        `json:"approver"`
	PublicKey wire.HexBytes `json:"public_key"`
	Digest    wire.HexBytes `json:"digest"` // of the job
	Approvals []string      `json:"approvals"`
	Waits     string        `json:"waits,omitempty"` // a job in the fleet: yes, no (it is signed, or has ended), unknown
}

func approve(cmd *cobra.Command, o approveOptions, file string) error {
	if !wire.IsToken(o.name) {
		return usagef("--approver %.64q: want a name of 1 to 64 letters, digits, _ and -", o.name)
	}
	f, err := readSignFiles(file)
	if err != nil {
		return err
	}
	m, err := statedManifest(cmd, o.manifest)
	if err != nil {
		return err
	}
	job, err := f.open(cmd, m, o.keys)
	if err == nil {
		err = expired(job)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	made, line, err := o.sign(cmd, f, m, job)
	if err != nil {
		return err
	}
	if err := appendApproval(file, made); err != nil {
		return err
	}
	return say(cmd, line, "job %s is approved by %s\n", job.ID, o.name)
}

// sign shows a job and approves it, if whoever sits there wants to.
func (o *approveOptions) sign(cmd *cobra.Command, f signFile, m *client.Manifest, job *client.SignJob) (
	made client.Approval, line approvedLine, err error) {
	key, err := config.LoadKey(o.key)
	if err != nil {
		return made, line, fmt.Errorf("--approver-key: %w", err)
	}
	defer clear(key)
	public := slices.Clone(key.Public().(ed25519.PublicKey))
	if err := errors.Join(f.render(cmd.ErrOrStderr(), m, job), o.explain(cmd, f, m, job)); err != nil {
		return made, line, err
	}
	if err := o.confirm(cmd); err != nil {
		return made, line, err
	}
	job.Approvals = nil
	if err := job.Approve(m, f.Head.Client, o.name, key); err != nil {
		return made, line, err
	}
	digest := job.Digest(m, f.Head.Client)
	line = approvedLine{Job: job.ID, Approver: o.name, PublicKey: wire.HexBytes(public), Digest: digest[:],
		Approvals: append(f.approvers(), o.name)}
	return job.Approvals[0], line, nil
}

// render shows a saved job: whose it is, what it means, and who agreed.
func (f signFile) render(w io.Writer, m *client.Manifest, job *client.SignJob) error {
	until := "expires at " + job.Expires.Format(time.RFC3339)
	if !job.Wait.Until.IsZero() {
		until = fmt.Sprintf("waits for approvals until %s, and expires %s after the last one",
			job.Wait.Until.Format(time.RFC3339), job.Wait.After)
	}
	_, err := fmt.Fprintf(w, "job %s of client %s, fleet %s, %s\n", job.ID, reading.Visible(f.Head.Client), reading.Visible(m.Fleet), until)
	if err == nil {
		err = renderJob(w, m, job)
	}
	if names := f.approvers(); err == nil && len(names) > 0 {
		// Whose key is whose, a policy knows.
		_, err = fmt.Fprintf(w, "  said to be approved by %s\n", reading.Visible(strings.Join(names, ", ")))
	}
	return err
}

func (f signFile) approvers() []string {
	return each(f.Approvals, func(a wire.Approval) string { return a.Name })
}

// explain shows what a policy says of the job, with the approvals that it has and this one.
func (o *approveOptions) explain(cmd *cobra.Command, f signFile, m *client.Manifest, job *client.SignJob) error {
	if o.policy == "" {
		return nil
	}
	text, err := readFile(o.policy, policy.MaxFile)
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	p, err := policy.Parse(text, m.Network)
	if err == nil {
		p, err = o.withKeys(cmd, m, p)
	}
	if err != nil {
		return fmt.Errorf("--policy %s: %w", o.policy, err)
	}
	in, roots := job.Reading()
	ask := &policy.Ask{
		Client: f.Head.Client, Job: job.ID, Digest: job.Digest(m, f.Head.Client), Intent: in, Roots: roots,
		Replaces: job.Replaces, Now: time.Now(),
		Approved: append(job.ApprovedBy(m, f.Head.Client, p.Approvers()), o.name),
	}
	d := p.Decide(ask, nil)
	e := p.Explain(ask, &d, nil)
	fmt.Fprintln(cmd.ErrOrStderr(), "a node with this policy that has allowed nothing yet says, with this approval:")
	_, err = e.WriteTo(cmd.ErrOrStderr())
	return err
}

// withKeys completes a policy with the keys of the fleet that it lists as destinations, as
// far as the keys file has them.
func (o *approveOptions) withKeys(cmd *cobra.Command, m *client.Manifest, p *policy.Policy) (*policy.Policy, error) {
	listed := p.FleetKeys()
	if len(listed) == 0 {
		return p, nil
	}
	found := map[string]derive.Key{}
	err := keysOf(cmd, o.keys, m, func(k wire.Key) bool { return slices.Contains(listed, k.ID) }, func(k client.Key) {
		suite, _ := wire.ChainSuite(k.Chain)
		found[k.ID] = derive.Key{Suite: suite, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
	})
	if err != nil {
		return nil, err
	}
	return p.WithKeys(found)
}

// confirm asks whoever sits there.
func (o *approveOptions) confirm(cmd *cobra.Command) error {
	if o.yes {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "approve this as %s? Type yes: ", o.name)
	answer, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 64)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("not approved: the answer was not yes (--yes asks nothing)")
	}
	return nil
}
