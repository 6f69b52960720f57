package main

import (
	"testing"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/command/commandtest"
)

var program = commandtest.Program{Root: newRootCommand}

func TestUsage(t *testing.T) { program.Usage(t) }

func TestWrongFiles(t *testing.T) {
	program.Files(t, []string{"run", "--config", "FILE"}, command.CodeError)
}
