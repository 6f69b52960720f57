package awskms

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
)

// bindProcess has a credential_process, if the credentials come from one, run
// in a session of its own, no longer than a source may take. Close kills what
// still runs, and waits for its end. (The SDK kills the shell that it starts,
// not what that started, and lets nobody end a call that others may wait for
// too: a process that hangs would be left behind at each attempt, and when the
// program ends.) Where a role is assumed with such credentials (source_profile),
// the SDK runs it, with the same limit.
func (p *Provider) bindProcess(cfg *aws.Config) {
	if !aws.IsCredentialsProvider(cfg.Credentials, (*processcreds.Provider)(nil)) {
		return
	}
	command := ""
	for _, source := range cfg.ConfigSources {
		if shared, ok := source.(config.SharedConfig); ok {
			command = shared.CredentialProcess
		}
	}
	start := func(ctx context.Context) (*exec.Cmd, error) {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr // as the SDK has it, for questions to a person
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second // for what left the session and holds the output open
		return cmd, nil
	}
	process := processcreds.NewProviderCommand(processcreds.NewCommandBuilderFunc(start),
		func(o *processcreds.Options) { o.Timeout = p.opt.source })
	var life context.Context
	life, p.endSource = context.WithCancel(context.Background())
	retrieve := func(ctx context.Context) (aws.Credentials, error) {
		end, err := p.begin(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		defer end()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(life, cancel)()
		return process.Retrieve(ctx)
	}
	cfg.Credentials = aws.NewCredentialsCache(aws.CredentialsProviderFunc(retrieve))
}
