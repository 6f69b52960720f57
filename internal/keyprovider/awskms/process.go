package awskms

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
)

// process is the credential_process of a profile. The SDK kills the shell that
// it starts, not what that started, and lets nobody end a call that others may
// wait for too: a process that hangs would be left behind at each attempt, and
// when the program ends.
type process struct {
	aws.CredentialsProvider
	life context.Context

	mu      sync.Mutex // held where life ends and where running grows
	running sync.WaitGroup
}

// bindProcess has a credential_process, if the credentials come from one, run
// in a session of its own, no longer than limit. end kills what still runs.
// Where a role is assumed with such credentials (source_profile), the SDK runs
// it, with the same limit.
func bindProcess(cfg *aws.Config, limit time.Duration) (end func()) {
	if !aws.IsCredentialsProvider(cfg.Credentials, (*processcreds.Provider)(nil)) {
		return func() {}
	}
	command := ""
	for _, source := range cfg.ConfigSources {
		if shared, ok := source.(config.SharedConfig); ok {
			command = shared.CredentialProcess
		}
	}
	life, cancel := context.WithCancel(context.Background())
	start := func(ctx context.Context) (*exec.Cmd, error) {
		cmd := exec.CommandContext(ctx, "sh", "-c", command)
		cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr // as the SDK has it, for questions to a person
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		cmd.WaitDelay = time.Second // for what left the session and holds the output open
		return cmd, nil
	}
	provider := processcreds.NewProviderCommand(processcreds.NewCommandBuilderFunc(start),
		func(o *processcreds.Options) { o.Timeout = limit })
	p := &process{CredentialsProvider: provider, life: life}
	cfg.Credentials = aws.NewCredentialsCache(p)
	return func() {
		p.mu.Lock()
		cancel()
		p.mu.Unlock()
		p.running.Wait()
	}
}

// Retrieve implements aws.CredentialsProvider.
func (p *process) Retrieve(ctx context.Context) (aws.Credentials, error) {
	p.mu.Lock()
	if err := p.life.Err(); err != nil {
		p.mu.Unlock()
		return aws.Credentials{}, err
	}
	p.running.Add(1)
	p.mu.Unlock()
	defer p.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	return p.CredentialsProvider.Retrieve(ctx)
}
