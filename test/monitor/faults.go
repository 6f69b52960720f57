package monitor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// Kill ends a program as a power cut would.
func (s *Stand) Kill(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead[name] {
		return fmt.Errorf("%s is dead already", name)
	}
	s.Processes.Kill(name)
	s.dead[name] = true
	return nil
}

// Revive starts a program that Kill ended.
func (s *Stand) Revive(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead[name] {
		return fmt.Errorf("%s runs", name)
	}
	if name == fleettest.GatewayName {
		s.StartGateway()
	}
	for i := range Nodes {
		if name == fleettest.NodeName(i) {
			s.StartNode(i)
		}
	}
	delete(s.dead, name)
	return nil
}

// KMS answers as it does in its own region: most calls in about 20 ms, one in
// a hundred in more than 60.
var kmsAnswers = kmstest.Fault{Latency: 20 * time.Millisecond, Spread: .5}

// Slow has KMS answer a node late.
func (s *Stand) Slow(node int, latency time.Duration) { s.spoil(node, kmstest.Fault{Latency: latency}) }

// Throttle has KMS refuse a node's calls as too many.
func (s *Stand) Throttle(node int) {
	s.spoil(node, kmstest.Fault{Code: "ThrottlingException", Message: "Rate exceeded"})
}

// Well ends Slow and Throttle for every node.
func (s *Stand) Well() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ill = [Nodes]*kmstest.Fault{}
	s.tellKMS()
}

func (s *Stand) spoil(node int, fault kmstest.Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ill[node] = &fault
	s.tellKMS()
}

// tellKMS sets what is wrong, for each node that something is wrong with.
func (s *Stand) tellKMS() {
	var faults []kmstest.Fault
	for i, fault := range s.ill {
		if fault == nil {
			continue
		}
		for _, key := range s.keys[i] {
			of := *fault
			of.Key = key
			faults = append(faults, of)
		}
	}
	s.kms.Everywhere(append(faults, kmsAnswers)...)
}

// Full has a stream take no more, as if its limit were reached: KEYS, where
// key generation goes, or RESULTS.
func (s *Stand) Full(ctx context.Context, stream string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full != "" {
		return fmt.Errorf("%s is full already", s.full)
	}
	err := s.limit(ctx, stream, func(info *jetstream.StreamInfo) int64 { return int64(max(info.State.Bytes, 1)) })
	if err == nil {
		s.full = stream
	}
	return err
}

// Free undoes Full.
func (s *Stand) Free(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full == "" {
		return fmt.Errorf("no stream is full")
	}
	err := s.limit(ctx, s.full, func(*jetstream.StreamInfo) int64 { return -1 })
	if err == nil {
		s.full = ""
	}
	return err
}

// streamName is a stream's at the server.
func streamName(stream string) string {
	return "FROST_" + strings.ToUpper(fleettest.Name) + "_" + stream
}

// limit sets the bytes that a stream may hold, as the administrator would.
func (s *Stand) limit(ctx context.Context, stream string, bytes func(*jetstream.StreamInfo) int64) error {
	full := streamName(stream)
	current, err := s.js.Stream(ctx, full)
	if err != nil {
		return fmt.Errorf("stream %s: %w", full, err)
	}
	config := current.CachedInfo().Config
	config.MaxBytes = bytes(current.CachedInfo())
	_, err = s.js.UpdateStream(ctx, config)
	return err
}
