package main

import (
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/test/commandtest"
)

var program = commandtest.Program{Root: newRootCommand}

func TestUsage(t *testing.T) { program.Usage(t) }

// TestHelp: every command explains itself, in the same words as the other programs.
func TestHelp(t *testing.T) { program.Help(t) }

func TestWrongFiles(t *testing.T) {
	for _, args := range [][]string{
		{"run", "--config", "FILE"},
		{"provision", "--config", "FILE"},
		{"enroll", "--fleet", "main", "--config", "FILE"},
		{"unlock", "--config", "FILE"},
		{"export-share", "--config", "FILE", "--recipient", "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z",
			"--keys", "00000000000000000000000000000000.0", "-o", "OUT"},
		{"accept-manifest", "NEXT", "--config", "FILE"},
		{"retire", "--config", "FILE"},
		{"policy", "check", "FILE"},
		{"policy", "explain", "JOB", "--keys", "KEYS", "--config", "FILE"},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) { program.Files(t, args, command.CodeError) })
	}
}
