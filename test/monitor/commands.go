package monitor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/test/fleettest"
)

// Help lists what Do understands.
const Help = `  kill N | gateway     end a program as a power cut would
  start N | gateway    start it again
  slow N [LATENCY]     KMS answers node N late (1.5s)
  throttle N           KMS refuses node N as asking too often
  fast                 KMS is well again, for all
  full [STREAM]        a stream takes no more: KEYS, or RESULTS
  free                 it does again
  pause, resume        the load
  status               what fires, and how the load is answered
  quit                 end everything
`

const (
	slowLatency = 1500 * time.Millisecond // more than a second, less than the nodes' patience
	fullStream  = "KEYS"
)

// ErrQuit is the answer to quit.
var ErrQuit = errors.New("quit")

// Do does what a line says and tells what came of it.
func (s *Stand) Do(ctx context.Context, line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", nil
	}
	command, argument := words[0], strings.Join(words[1:], " ")
	takes, known := map[string]bool{"kill": true, "start": true, "slow": true, "throttle": true, "full": true,
		"fast": false, "free": false, "pause": false, "resume": false, "status": false, "quit": false, "help": false}[command]
	if known && !takes && argument != "" {
		return "", fmt.Errorf("%s takes no argument", command)
	}
	switch command {
	case "kill", "start":
		return s.program(command, argument)
	case "slow", "throttle":
		return s.worsen(command, words[1:])
	case "fast":
		s.Well()
		return "KMS is well", nil
	case "full":
		return s.fill(ctx, argument)
	case "free":
		return "the stream takes messages again", s.Free(ctx)
	case "pause":
		s.Pause()
		return "no load", nil
	case "resume":
		s.Resume()
		return "the load is on", nil
	case "status":
		return s.status(ctx)
	case "help":
		return Help, nil
	case "quit":
		return "", ErrQuit
	}
	return "", fmt.Errorf("no such command: %s; try help", command)
}

func (s *Stand) program(command, which string) (string, error) {
	name := which
	if which != fleettest.GatewayName {
		i, err := number(which)
		if err != nil {
			return "", fmt.Errorf("%s: %w, or gateway", command, err)
		}
		name = fleettest.NodeName(i)
	}
	if command == "kill" {
		return name + " is dead", s.Kill(name)
	}
	return name + " starts", s.Revive(name)
}

// number reads a node's.
func number(text string) (int, error) {
	i, err := strconv.Atoi(text)
	if err != nil || i < 0 || i >= Nodes {
		return 0, fmt.Errorf("%q is no node: use 0 to %d", text, Nodes-1)
	}
	return i, nil
}

// worsen is slow N [LATENCY] and throttle N.
func (s *Stand) worsen(command string, arguments []string) (string, error) {
	latency := slowLatency
	if command == "slow" && len(arguments) == 2 {
		var err error
		if latency, err = time.ParseDuration(arguments[1]); err != nil || latency <= 0 {
			return "", fmt.Errorf("slow: %q is no time above 0, as in slow 1 1.5s", arguments[1])
		}
		arguments = arguments[:1]
	}
	if len(arguments) != 1 {
		return "", fmt.Errorf("%s needs the number of a node; try help", command)
	}
	i, err := number(arguments[0])
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	if command == "throttle" {
		s.Throttle(i)
		return fmt.Sprintf("KMS refuses node %d as asking too often", i), nil
	}
	s.Slow(i, latency)
	return fmt.Sprintf("KMS takes %s for each call of node %d", latency, i), nil
}

func (s *Stand) fill(ctx context.Context, stream string) (string, error) {
	switch stream {
	case "":
		stream = fullStream
	case "KEYS", "RESULTS":
	default:
		return "", fmt.Errorf("full %s: use KEYS or RESULTS", stream)
	}
	return stream + " takes no more", s.Full(ctx, stream)
}

// status is what fires and what the load says.
func (s *Stand) status(ctx context.Context) (string, error) {
	alerts, err := s.Prometheus.Alerts(ctx)
	if err != nil {
		return "", err
	}
	text := s.Said()
	if len(alerts) == 0 {
		text += "no alert is pending or fires\n"
	}
	for _, a := range alerts {
		text += fmt.Sprintf("%s %s: %s\n", a.Labels["alertname"], a.State, a.Annotations["summary"])
	}
	return text, nil
}
