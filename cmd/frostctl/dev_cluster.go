package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/launch"
	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// devCluster runs a directory's NATS servers as processes, makes the streams, and
// runs the fleet until ctx ends or anything of it does.
func devCluster(ctx context.Context, dir string, o launch.Options) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	files, err := fleet.ServerFiles(dir)
	if err != nil {
		return err
	}
	var servers []*natsProcess
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, file := range files {
		s, err := startNATS(file, cancel)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	if err := applyAs(ctx, dir, o); err != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	err = launch.Dev(ctx, dir, o)
	if cause := context.Cause(ctx); errors.Is(cause, errServerEnded) {
		err = errors.Join(cause, err)
	}
	return err
}

// applyAs makes the streams of a fleet directory with a cluster, as its
// administrator.
func applyAs(ctx context.Context, dir string, o launch.Options) error {
	gateway, err := config.LoadGateway(filepath.Join(dir, fleet.GatewayFile))
	if err != nil {
		return err
	}
	m, err := config.LoadManifest(gateway.Gateway.Manifest)
	if err != nil {
		return err
	}
	b, err := bus.Connect(ctx, bus.Options{
		Fleet: m.Fleet, Nodes: m.N, URL: gateway.Bus.URL, Name: "frostctl", Replicas: gateway.Bus.Replicas,
		Logger: o.Log,
		Files:  natsconn.Files{Credentials: filepath.Join(dir, fleet.AdministratorFile), TLSCA: gateway.Bus.TLSCA},
	})
	if err != nil {
		return err
	}
	return errors.Join(b.Apply(ctx), b.Close(ctx))
}

var errServerEnded = errors.New("a NATS server ended")

// natsProcess is one of a cluster's servers.
type natsProcess struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// startNATS runs the server of a configuration file as another process of this
// program, and calls ended if it stops.
func startNATS(file string, ended func(error)) (*natsProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &natsProcess{log: filepath.Join(filepath.Dir(file), "nats-server.log"), ended: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command(self, "bus", "serve", "--config", file)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := command.StartChild(p.cmd); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		err := p.cmd.Wait()
		ended(fmt.Errorf("%w: %s: %v (see %s)", errServerEnded, file, err, p.log))
	}()
	return p, nil
}

// stopTime is how long a server may take to stop.
const stopTime = 20 * time.Second

// stop ends the server and waits for it.
func (p *natsProcess) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTime):
		err := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(fmt.Errorf("%s did not stop within %v (see %s)", filepath.Dir(p.log), stopTime, p.log), err)
	}
}
